"""`model.tar.gz`: the same bytes each time, and nothing unpacked outside its folder."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from pipeline_steps.errors import PackagingError
from pipeline_steps.files import file_hash, file_hashes
from pipeline_steps.tarball import extract_tarball, write_tarball


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "candidate"
    (folder / "code").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "code" / "inference.py").write_text("x = 1\n", encoding="utf-8")
    return folder


def malicious(path: Path, member: tarfile.TarInfo) -> Path:
    member.size = 0 if member.issym() else 3
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(b"bad"))
    return path


def test_unpacked_files_are_the_packed_ones(folder: Path, tmp_path: Path) -> None:
    write_tarball(folder, tmp_path / "a.tar.gz")
    extract_tarball(tmp_path / "a.tar.gz", tmp_path / "out")
    assert file_hashes(tmp_path / "out") == file_hashes(folder)


def test_same_files_give_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_tarball(folder, tmp_path / "a.tar.gz")
    # WHEN times, permissions and the order of the folder differ
    for number, path in enumerate(sorted(folder.rglob("*.*"), reverse=True)):
        os.utime(path, (number, number))
        path.chmod(0o600)
    write_tarball(folder, tmp_path / "b.tar.gz")
    assert file_hash(tmp_path / "a.tar.gz") == file_hash(tmp_path / "b.tar.gz")


def test_path_that_climbs_out_is_refused(tmp_path: Path) -> None:
    for name in ("../evil", "code/../../evil"):
        path = malicious(tmp_path / "bad.tar.gz", tarfile.TarInfo(name))
        with pytest.raises(PackagingError, match=r"refused to unpack '.*evil'"):
            extract_tarball(path, tmp_path / "out")
    assert not list(tmp_path.rglob("evil"))


def test_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = tarfile.SYMTYPE, "../../etc"
    with pytest.raises(PackagingError, match="refused to unpack 'link'"):
        extract_tarball(malicious(tmp_path / "bad.tar.gz", member), tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "no gzip", "no tar"])
def test_damaged_tarball_is_told(folder: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.tar.gz"
    write_tarball(folder, path)
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:200], "no gzip": b"hello", "no tar": gzip.compress(b"x")}[damage]
    )
    with pytest.raises(PackagingError, match=r"not a whole \.tar\.gz"):
        extract_tarball(path, tmp_path / "out")
