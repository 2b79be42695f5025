"""Archives: what is in them lands in the folder, or nothing does; damage is one sentence."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from sambench.data import archives
from sambench.data.archives import unpack
from sambench.errors import UserError

FILES = {"a/b.txt": b"text" * 5000, "c.txt": b"", "a/d/e.bin": bytes(range(256)) * 300}


def zipped(path, files=FILES, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as bundle:
        bundle.mkdir("empty")
        for name, content in files.items():
            bundle.writestr(name, content)
    return path


def tarred(path, files=FILES, mode="w:gz", form=tarfile.PAX_FORMAT):
    with tarfile.open(path, mode, format=form) as bundle:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        bundle.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))
    return path


def found(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


MADE = {
    "zip": zipped,
    "zip stored": lambda path: zipped(path, kind=zipfile.ZIP_STORED),
    "zip bz2": lambda path: zipped(path, kind=zipfile.ZIP_BZIP2),
    "zip lzma": lambda path: zipped(path, kind=zipfile.ZIP_LZMA),
    "tar": lambda path: tarred(path, mode="w"),
    "tar gnu": lambda path: tarred(path, mode="w", form=tarfile.GNU_FORMAT),
    "tar gz": tarred,
    "tar bz2": lambda path: tarred(path, mode="w:bz2"),
    "tar xz": lambda path: tarred(path, mode="w:xz"),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_is_in_an_archive_lands_in_the_folder(tmp_path, kind):
    unpack(MADE[kind](tmp_path / "archive"), tmp_path / "out")
    assert found(tmp_path / "out") == FILES
    assert (tmp_path / "out/empty").is_dir()


@pytest.mark.parametrize("kind", MADE)
def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path, kind):
    path = MADE[kind](tmp_path / "archive")
    whole = path.read_bytes()
    for part in (0, 1, 100, 512, 513, 1024, len(whole) // 2, len(whole) - 11000, len(whole) - 30):
        if not 0 <= part < len(whole) or not any(whole[part:]):
            continue  # the zeros that fill up a tar archive may be missing
        path.write_bytes(whole[:part])
        with pytest.raises(UserError, match="is damaged") as error:
            unpack(path, tmp_path / f"out{part}")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar gz", "tar xz"])
def test_a_spoilt_archive_gives_its_files_or_a_sentence(tmp_path, kind):
    path = MADE[kind](tmp_path / "archive")
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        try:
            unpack(path, tmp_path / f"out{place}")
        except UserError:
            refused += 1
    assert refused


@pytest.mark.parametrize("content", [b"", b"hello\n", b"<html>captive portal</html>", bytes(5000)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(UserError, match="archive is damaged"):
        unpack(tmp_path / "archive", tmp_path / "out")


NAMES = [
    "../out.txt", "a/../../out.txt", "/out.txt", "..\\out.txt", "C:\\out.txt", "C:/out.txt",
    "\\\\host\\share\\out.txt", "..",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_no_name_leaves_the_folder(tmp_path, name, make):
    path = make(tmp_path / "archive", {"first.txt": b"x", name: b"x"})
    with pytest.raises(UserError, match="would escape the folder"):
        unpack(path, tmp_path / "root/out")
    assert [item.name for item in (tmp_path / "root").iterdir()] == ["out"]


def linked(path, kind, target):
    """A link, and a file that would be written through it."""
    with tarfile.open(path, "w") as bundle:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = kind, target
        bundle.addfile(link)
        entry = tarfile.TarInfo("link/out.txt")
        entry.size = 1
        bundle.addfile(entry, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize("target", ["..", "/tmp", "inside", "a/" * 200 + "../" * 201, "."])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused_wherever_they_point(tmp_path, kind, target):
    path = linked(tmp_path / "archive", kind, target)
    with pytest.raises(UserError, match="its member link is a link: only files and folders"):
        unpack(path, tmp_path / "out")
    assert found(tmp_path / "out") == {}


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path, kind):
    with pytest.raises(UserError, match="is a device or the like"):
        unpack(linked(tmp_path / "archive", kind, ""), tmp_path / "out")


@pytest.mark.parametrize(("mode", "words"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "a device")])
def test_so_they_are_in_zip_archives(tmp_path, mode, words):
    with zipfile.ZipFile(tmp_path / "archive", "w") as bundle:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (mode | 0o777) << 16
        bundle.writestr(entry, "/etc/passwd")
    with pytest.raises(UserError, match=f"its member link is {words}"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archives, "FREE_BYTES", 1000)
    path = make(tmp_path / "archive", {"a": bytes(3_000_000), "b": bytes(3_000_000)})
    with pytest.raises(UserError, match="unpacked it is larger than 100 times its size"):
        unpack(path, tmp_path / "out")
    written = sum(len(content) for content in found(tmp_path / "out").values())
    assert written <= 1000 + archives.RATIO * path.stat().st_size


@pytest.mark.parametrize("make", [zipped, tarred])
def test_so_is_one_of_very_many_files(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
    path = make(tmp_path / "archive", {f"{index}": b"" for index in range(20)})
    with pytest.raises(UserError, match="more than 10 files"):
        unpack(path, tmp_path / "out")


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_BYTES", 1000)
    path = zipped(tmp_path / "archive", {"a": bytes(3_000_000)})
    data = path.read_bytes().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged|larger than"):
        unpack(path, tmp_path / "out")


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive", "w") as bundle:
        bundle.writestr("a", "x")
        bundle.writestr("a/b", "x")
    with pytest.raises(UserError, match=r"cannot be unpacked \(.*: .*a"):
        unpack(tmp_path / "archive", tmp_path / "out")


def test_a_name_that_is_too_long_is_one_sentence(tmp_path):
    path = tarred(tmp_path / "archive", {"x" * 300: b"x"})
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")


def test_an_encrypted_zip_is_one_sentence(tmp_path):
    path = zipped(tmp_path / "archive", {"a": b"x"})
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := data.find(sign, start + 1)) >= 0:
            data[start + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"encrypted|password"):
        unpack(path, tmp_path / "out")


def test_a_tar_with_a_spoilt_header_in_the_middle_is_not_taken_for_its_end(tmp_path):
    path = tarred(tmp_path / "archive", {"a": b"x", "b": b"y", "c": b"z"}, mode="w")
    data = bytearray(path.read_bytes())
    data[data.index(b"b\0")] = 0xFE
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(UserError, match="is damaged"):
        unpack(path, tmp_path / "out")
