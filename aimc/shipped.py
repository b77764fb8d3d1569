"""Where the cards and SPICE models lie: inside an installed package, or in a checkout."""

from pathlib import Path

from aimc.errors import DataError


def path(name: str) -> Path:
    """The folder that comes with aimc under this name: "circuits" or "netlists/models".

    Raises DataError where it is missing.
    """
    package = Path(__file__).parent
    for folder in (package / "_shipped" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise DataError(
        f"`{name}` must come with aimc, but is missing in {package}. Install aimc again."
    )
