"""Fetches Google Speech Commands v0.02."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from aimc.errors import DataError, MissingExtra, as_path

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
# As in torchaudio (datasets/speechcommands.py) and tensorflow_datasets (checksums.tsv).
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"


def download(folder: str | Path, url: str = URL, sha256: str = SHA256) -> Path:
    """Download and unpack the 105,829 clips (2.4 GB packed, CC BY 4.0) into a new `folder`.

    The archive's checksum is verified before anything is unpacked, and `folder` appears whole or
    not at all. The publisher's address has no encryption: the checksum is what makes it safe.
    The checksum stands as two other projects list it. Returns `folder`.

    Raises DataError without network, on a wrong checksum, and where `folder` holds something.
    """
    try:
        import pooch
    except ImportError as error:
        raise MissingExtra("pooch", "speech") from error
    target = as_path("folder", folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target} must be a new or empty folder, but holds something. Move it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as part:
        try:
            archive = pooch.retrieve(url, f"sha256:{sha256}", fname="archive.tar.gz", path=part)
        except OSError as error:  # requests' errors are OSErrors
            raise DataError(
                f"{url} must be reachable, but is not ({error}). Without network, unpack the "
                "archive yourself and give its folder, or use the synthetic data set."
            ) from error
        except ValueError as error:
            raise DataError(
                f"{url} must have the SHA-256 {sha256}, but has another ({error}). Try again, or "
                "give the checksum of an archive that you trust as `sha256`."
            ) from error
        unpacked = Path(part) / "unpacked"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        if target.exists():
            target.rmdir()
        shutil.move(unpacked, target)
    return target
