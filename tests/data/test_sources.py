"""Fetching: what arrives is checked, what escapes is refused, what is done is not done again."""

import hashlib
import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from email.message import Message

import pytest

from sambench.data import sources
from sambench.data.sources import Source, data_root, fetch, require, status
from sambench.datasets.bsds500 import Bsds500
from sambench.datasets.coco import Coco
from sambench.errors import UserError
from sambench.interfaces import DatasetCard
from sambench.registry import entries, find

URL = "https://example.org/some/data.zip?version=1"


class Answer(io.BytesIO):
    status, headers = 200, Message()


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def tarred(name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        bundle.addfile(entry, io.BytesIO(b"x"))
    return buffer.getvalue()


@pytest.fixture
def served(monkeypatch):
    """Answers of the only address there is; each is given once."""
    answers = []

    def opened(url, *_):
        assert url == URL
        return Answer(answers.pop(0))

    monkeypatch.setattr("sambench.data.download._opened", opened)
    return answers


def made_of(content, unpack_to="", digest=None):
    """A dataset class whose one source should have this content."""

    class Made(Coco):
        card = DatasetCard("made", "made up", "CC0-1.0", "none")
        sources = (Source(URL, digest or hashlib.sha256(content).hexdigest(), unpack_to),)

        def __init__(self, root=""):
            require(data_root("made", root) / "a" / "b.txt", Made)

    return Made


def test_fetch_unpacks_and_does_it_once(tmp_path, served):
    archive = zipped(**{"b.txt": "text"})
    dataset = made_of(archive, "a")
    assert status(dataset, str(tmp_path)) == "missing, can be fetched"
    served.append(archive)
    assert fetch(dataset, str(tmp_path)) == tmp_path
    assert (tmp_path / "a" / "b.txt").read_text() == "text"
    assert status(dataset, str(tmp_path)) == "ready"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", sources.RECORD]
    fetch(dataset, str(tmp_path))  # nothing is served any more


def test_fetch_keeps_a_file_that_is_no_archive(tmp_path, served):
    served.append(b"text")
    fetch(made_of(b"text", None), str(tmp_path))
    assert (tmp_path / "data.zip").read_bytes() == b"text"


def test_a_wrong_hash_is_refused_and_nothing_stays(tmp_path, served):
    served.append(zipped(b="other"))
    with pytest.raises(UserError, match="expected " + "0" * 64):
        fetch(made_of(b"", digest="0" * 64), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [zipped(**{"..__out.txt": "x"}), tarred("../out.txt"), tarred("/out.txt")],
    ids=["zip", "tar", "top"],
)
def test_an_archive_cannot_escape(tmp_path, served, content):
    served.append(content)
    with pytest.raises(UserError, match="escape"):
        fetch(made_of(content), str(tmp_path / "root"))
    assert [p.name for p in tmp_path.iterdir()] == ["root"]


def test_a_damaged_archive_is_named(tmp_path, served):
    served.append(b"no archive")
    with pytest.raises(UserError, match=r"data\.zip is damaged"):
        fetch(made_of(b"no archive"), str(tmp_path))
    assert not (tmp_path / sources.RECORD).exists()


def test_what_takes_steps_by_hand_says_which(tmp_path):
    grabcut = find("dataset", "grabcut")
    with pytest.raises(
        UserError, match=r"grabcut cannot be fetched by a command; to get it: unpack"
    ):
        fetch(grabcut, str(tmp_path))
    assert status(grabcut, str(tmp_path)) == "missing, by hand"


def test_an_archive_without_a_published_hash_is_known_by_its_contents(tmp_path, served):
    archive = zipped(**{"b.txt": "text"})
    (tmp_path / "known").mkdir()
    (tmp_path / "known/b.txt").write_text("text")
    known = sources.digest(tmp_path / "known", "*.txt")

    class Known(made_of(archive)):
        sources = (Source(URL, "", contents={"*.txt": known}),)

    served.append(zipped(**{"b.txt": "forged"}))
    with pytest.raises(UserError, match="are not the known files; it was discarded"):
        fetch(Known, str(tmp_path / "root"))
    assert list((tmp_path / "root").iterdir()) == []
    served.append(archive)
    fetch(Known, str(tmp_path / "root"))
    assert (tmp_path / "root/b.txt").read_text() == "text"


@pytest.mark.parametrize("there", [b"<html>captive portal</html>", b"", "cut", "forged"])
def test_what_is_there_already_and_is_none_is_fetched_anew(tmp_path, served, there, caplog):
    """As after a login page, or a file that a browser left half: no SHA-256 tells of it."""
    archive = zipped(**{"b.txt": "text"})
    (tmp_path / "known").mkdir()
    (tmp_path / "known/b.txt").write_text("text")

    class Known(made_of(archive)):
        sources = (
            Source(URL, "", contents={"*.txt": sources.digest(tmp_path / "known", "*.txt")}),
        )

    root = tmp_path / "root"
    root.mkdir()
    made = {"cut": archive[:-20], "forged": zipped(**{"b.txt": "forged"})}
    (root / "data.zip").write_bytes(made.get(there, there))
    served.append(b"<html>the portal again</html>")
    with pytest.raises(UserError, match=r"data\.zip is damaged"):
        fetch(Known, str(root))
    assert "fetched anew" in caplog.text
    served.append(archive)
    fetch(Known, str(root))
    assert (root / "b.txt").read_text() == "text"
    assert sorted(path.name for path in root.iterdir()) == ["b.txt", sources.RECORD]


def test_a_right_archive_that_was_put_there_by_hand_is_taken(tmp_path, served):
    archive = zipped(**{"b.txt": "text"})
    (tmp_path / "data.zip").write_bytes(archive)
    fetch(made_of(archive, "a"), str(tmp_path))  # nothing is served
    assert (tmp_path / "a/b.txt").read_text() == "text"


def test_of_two_that_fetch_one_waits(tmp_path, served):
    archive = zipped(**{"b.txt": "text"})
    served.append(archive)  # once
    dataset = made_of(archive, "a")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: fetch(dataset, str(tmp_path)), range(2))) == [tmp_path] * 2
    assert (tmp_path / "a/b.txt").read_text() == "text"


def test_the_known_part_of_bsds500_is_that_of_the_real_files(shared):
    for pattern, expected in Bsds500.sources[0].contents.items():
        below = pattern.removeprefix("BSR/BSDS500/data/")
        assert sources.digest(shared / "data/bsds500", below) == expected


def test_where_data_is(monkeypatch, tmp_path):
    monkeypatch.delenv("SAMBENCH_DATA", raising=False)
    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path))
    assert data_root("coco") == tmp_path / "data" / "coco"
    monkeypatch.setenv("SAMBENCH_DATA", str(tmp_path / "own"))
    assert data_root("coco") == tmp_path / "own" / "coco"
    assert data_root("coco", "there").name == "there"


def test_every_bundled_dataset_says_what_it_is():
    for entry in entries("dataset"):
        card = find("dataset", entry.name).card
        assert card.name == entry.name
        assert card.title
        assert card.licence
        assert card.citation
        words = ("verified", "documentation", "assumed")
        of_others = entry.name not in {"corrupted", "folder", "frames", "mini", "nifti", "scenes"}
        assert any(word in card.layout for word in words) == of_others


def test_every_hash_is_whole():
    listed = [
        s for entry in entries("dataset") for s in sources.sources(find("dataset", entry.name))
    ]
    assert len(listed) >= 7
    for source in listed:
        assert source.url.startswith("https://")
        hashes = [source.sha256] if source.sha256 else list(source.contents.values())
        assert all(len(bytes.fromhex(one)) == 32 for one in hashes)
