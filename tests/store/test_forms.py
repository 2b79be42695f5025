"""The normal form of a module is the same whether it was kept or is made, and never an old one."""

import json

import pytest

from sambench.registry.imports import Imported
from sambench.store import forms
from sambench.store.forms import normal_form

SOURCE = b'"""Doc."""\nfrom ours import R\nimport numpy\nX = "text"\n'


def own(found):
    return ["ours"] if found.module == "ours" else []


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path))
    return tmp_path / "code"


@pytest.fixture
def makings(monkeypatch):
    """How often a form was made."""
    made = []

    class Counted(forms.normal.Normal):
        def digest(self, tree):
            made.append(tree)
            return super().digest(tree)

    monkeypatch.setattr(forms.normal, "Normal", Counted)
    return made


def test_a_form_that_was_kept_is_the_one_that_would_be_made(cache, makings):
    first = normal_form(SOURCE, own, texts=True)
    again = normal_form(SOURCE, own, texts=True)
    assert first == again
    assert (first.imports, first.texts, len(makings)) == (["ours"], ["text"], 1)
    assert normal_form(SOURCE, own, texts=False).texts == []


@pytest.mark.parametrize(
    "source", [SOURCE.replace(b"text", b"texts"), SOURCE.replace(b" R", b" S")]
)
def test_another_content_has_another_form(cache, makings, source):
    assert normal_form(SOURCE, own, texts=False) != normal_form(source, own, texts=False)
    assert len(makings) == 2


def test_it_is_made_again_where_imports_are_found_to_be_others(cache, makings):
    """A module that was not there, or no longer is, makes another form of the same content."""
    first = normal_form(SOURCE, own, texts=False)
    without = normal_form(SOURCE, lambda found: [], texts=False)
    renamed = normal_form(
        SOURCE, lambda found: ["other"] if found.module == "ours" else [], texts=False
    )
    assert (len(makings), without.imports, renamed.imports) == (3, [], ["other"])
    assert without.digest != first.digest == renamed.digest  # what is imported counts by itself


@pytest.mark.parametrize("content", ["", "{", '{"asked": [], "form": 1'])
def test_a_damaged_one_is_made_again(cache, makings, content):
    first = normal_form(SOURCE, own, texts=False)
    [path] = cache.iterdir()
    path.write_text(content)
    assert normal_form(SOURCE, own, texts=False) == first
    assert len(makings) == 2
    assert json.loads(path.read_text())["form"]["digest"] == first.digest


def test_where_nothing_can_be_kept_it_is_made(tmp_path, monkeypatch, makings):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SAMBENCH_CACHE", str(tmp_path / "file"))
    assert normal_form(SOURCE, own, texts=False) == normal_form(SOURCE, own, texts=False)
    assert len(makings) == 2


def test_what_is_asked_is_what_a_module_imports(cache):
    asked = []
    normal_form(SOURCE, lambda found: asked.append(found) or [], texts=False)
    assert {*asked} == {Imported(0, "numpy"), Imported(0, "ours", "R")}
