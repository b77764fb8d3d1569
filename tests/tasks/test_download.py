import hashlib
import io
import tarfile

import pooch
import pytest

from aimc.errors import DataError
from aimc.tasks import KeywordSpotting


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A tar file that stands for the publisher's, and its checksum."""
    path = tmp_path / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("./yes/a_nohash_0.wav")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"RIFF"))

    def retrieve(url, known_hash, fname, path):
        target = f"{path}/{fname}"
        data = source.read_bytes()
        if known_hash != "sha256:" + hashlib.sha256(data).hexdigest():
            raise ValueError("hash does not match")
        with open(target, "wb") as file:  # noqa: PTH123
            file.write(data)
        return target

    source = path
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_archive_is_unpacked_whole(archive, tmp_path):
    folder = KeywordSpotting.download(tmp_path / "new" / "data", sha256=archive)
    assert (folder / "yes" / "a_nohash_0.wav").read_bytes() == b"RIFF"
    assert [p.name for p in folder.parent.iterdir()] == ["data"]


def test_wrong_checksum_leaves_nothing(archive, tmp_path):
    with pytest.raises(DataError, match="must have the SHA-256 af14739e"):
        KeywordSpotting.download(tmp_path / "new" / "data")
    assert list((tmp_path / "new").iterdir()) == []


def test_no_network_is_said(tmp_path, monkeypatch):
    def retrieve(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(
        DataError, match=r"must be reachable, but is not .*no route.*Without network"
    ):
        KeywordSpotting.download(tmp_path / "data")


def test_folder_must_be_empty(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(DataError, match="must be a new or empty folder, but holds something"):
        KeywordSpotting.download(tmp_path)
