"""Where the cards and SPICE models lie, in a package or in a checkout, and how a card is read."""

import tomllib
from pathlib import Path
from typing import Any

from aimc.errors import CardError, DataError


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


def toml(file: Path) -> dict[str, Any]:
    """The table in a TOML file, with or without a byte order mark; CardError where it is none."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CardError(f"{file.name}: must be a TOML file, but {error}.") from error
