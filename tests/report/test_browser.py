"""The site driven in a real browser, over its debugging pipe; skipped where there is none."""

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.masks.rle import encode
from sambench.metrics.statistics import Estimate
from sambench.registry import load
from sambench.store.paths import MANIFEST
from sambench.store.result import Result, read_result, write_result

from ..runs import manifest_of

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
HOSTILE = '"><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
SECONDS = 600  # no machine is that slow


class Browser:
    """Chromium, spoken to in the DevTools protocol over a pair of pipes.

    Attributes:
        complaints: what pages wrote to the console as errors or warnings, exceptions, log entries.
    """

    def __init__(self, profile: Path) -> None:
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        self.complaints: list[Any] = []
        self._buffer, self._number, self._session = b"", 0, ""
        # Chromium reads its commands from descriptor 3 and answers on 4.
        pipes = f"3</proc/self/fd/{to_child} 4>/proc/self/fd/{from_child}"
        command = ["/bin/sh", "-c", f'exec "$0" "$@" {pipes}', CHROMIUM]
        self._process = subprocess.Popen(
            [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """One command; events that arrive meanwhile are kept as complaints if they are such."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> Any:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            assert left > 0, "the browser does not answer"
            assert select.select([self._in], [], [], left)[0], "the browser does not answer"
            part = os.read(self._in, 1 << 16)
            assert part, "the browser has gone"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        event = json.loads(message)
        self._note(event)
        return event

    def _note(self, event: Any) -> None:
        method, params = event.get("method"), event.get("params", {})
        bad_console = method == "Runtime.consoleAPICalled" and params["type"] in {
            "error",
            "warning",
        }
        if bad_console or method in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.complaints.append(params)

    def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        """Open a page and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url=address)
        self.wait(f"document.readyState == 'complete' && location.href == {json.dumps(address)}")

    def run(self, script: str) -> Any:
        """Value of an expression of JavaScript."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < until, condition
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key that writes no text, such as Escape or Tab, or one that does."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        both = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0]))}
        self.call("Input.dispatchKeyEvent", type="keyDown", **both, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **both)

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.call("Browser.close")
        self._process.wait(SECONDS)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def write_run(folder: Path, model: str, shift: int, records_of) -> None:
    """A run on mini whose masks are the truth moved sideways, scored by the task itself."""
    dataset, task = load("dataset", "mini"), load("task", "points")
    prediction_type = type(task).predict.__globals__["Clicked"]
    stem = folder / "points" / "mini" / f"run{shift}"
    predictions = stem.with_name(f"{stem.name}.predictions")
    predictions.mkdir(parents=True)
    (predictions / MANIFEST).write_text(manifest_of(model))
    records = {}
    for number, id in enumerate(dataset.ids[:4]):
        truth = dataset.read_truth(id, task.truth)
        masks = [[rle] for rle in encode(np.roll(truth.masks(), shift * (number + 1), axis=2))]
        clicks = [[(int(x0), int(y0), True)] for x0, y0, _, _ in truth.boxes]
        prediction = prediction_type(list(range(len(truth))), clicks, masks, masks)
        task.save(prediction, predictions / id)
        records[id] = task.score(prediction, truth)
    values = task.estimator([*records.values()])(np.ones(len(records)))
    card = {"name": "mini", "fingerprint": dataset.fingerprint, "images": f"4 of {len(dataset)}"}
    protocol = {"task": {}, "model": {"name": model}, "dataset": card, "sambench": "0"}
    metrics = {name: Estimate(value, value - 0.1, value + 0.1) for name, value in values.items()}
    result = Result("points", model, "mini", "mIoU", 4, metrics, protocol)
    write_result(stem.with_name(f"{stem.name}.json"), result)
    text = records_of(result, records, seconds={"decode": 0.1})
    stem.with_name(f"{stem.name}.records.jsonl").write_text(text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, records_of) -> Path:
    runs, folder = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("site")
    write_run(runs, "steady", 1, records_of)
    write_run(runs, HOSTILE, 8, records_of)
    steady = read_result(runs / "points" / "mini" / "run1.json")
    for i in range(5):
        metrics = {"mIoU": Estimate(0.05 * i, 0.04 * i, 0.06 * i)}
        result = replace(steady, model=f"model {i}", metrics=metrics)
        write_result(runs / "points" / "mini" / f"other{i}.json", result)
    assert (
        main(["report", str(runs), "-o", str(folder), "--image-size", "160", "--no-published"]) == 0
    )
    return folder


@pytest.fixture
def quiet(browser: Browser) -> Iterator[Browser]:
    """The browser; whatever a page complained about fails the test."""
    browser.complaints.clear()
    yield browser
    browser.run("0")  # whatever was said by now has arrived
    assert not browser.complaints


ROWS = "[...document.querySelectorAll('#overview tbody tr')].filter(r => !r.hidden)"
FIRST = f"{ROWS}.map(row => row.cells[0].textContent)"


def click(browser: Browser, selector: str) -> None:
    browser.run(f"document.querySelector({json.dumps(selector)}).click()")


def fill(browser: Browser, selector: str, value: str, event: str = "input") -> None:
    place = f"document.querySelector({json.dumps(selector)})"
    browser.run(f"{place}.value = {json.dumps(value)}; {place}.dispatchEvent(new Event('{event}'))")


def test_a_table_sorts_and_filters(quiet: Browser, site: Path) -> None:
    quiet.open(f"file://{site}/index.html")
    names = quiet.run(FIRST)
    assert len(names) == 7
    assert names[0] == "steady"
    head = "#overview thead th:nth-child(3)"
    click(quiet, f"{head} button")
    values = quiet.run(f"{ROWS}.map(row => Number(row.cells[2].dataset.value))")
    assert values == sorted(values, reverse=True)
    assert quiet.run(f"document.querySelector({json.dumps(head)}).ariaSort") == "descending"
    click(quiet, f"{head} button")
    assert quiet.run(FIRST)[-1] == "steady"
    fill(quiet, "#overview-tools input", "STEADY points")
    assert quiet.run(FIRST) == ["steady"]
    assert "1 of 7 rows" in quiet.run(
        "document.querySelector('#overview-tools [role=status]').textContent"
    )


def test_a_table_sorts_by_keyboard(quiet: Browser, site: Path) -> None:
    quiet.open(f"file://{site}/index.html")
    quiet.run("document.querySelector('#overview thead button').focus()")
    quiet.press("Enter")
    names = quiet.run(FIRST)
    assert quiet.run("document.activeElement.closest('th').ariaSort") == "ascending"
    quiet.press("Enter")
    assert quiet.run(FIRST) == names[::-1]


MATRIX = "[...document.querySelectorAll('#matrix tbody tr')].filter(r => !r.hidden)"
MODELS = f"{MATRIX}.map(row => row.cells[0].firstChild.textContent.trim())"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the first page of models that declare what they are."""
    runs, folder = tmp_path_factory.mktemp("declared"), tmp_path_factory.mktemp("front")
    about = {
        "small": ("SAM", ["boxes", "points"], 10_000_000, "points", 0.4),
        "large": ("SAM", ["boxes", "points"], 600_000_000, "points", 0.8),
        "phrases": ("SAM 3", ["texts"], 800_000_000, "text", 0.5),
        "detector": ("baseline", [], 0, "edges", 0.6),
    }
    for model, (family, prompts, parameters, task, value) in about.items():
        card = {"name": model, "family": family, "prompts": prompts, "methods": []}
        card |= {"parameters": parameters, "weights_sha256": "ab" if parameters else ""}
        dataset = {"name": "mini", "images": "4 of 4"}
        protocol = {"task": {}, "model": card, "dataset": dataset, "sambench": "0"}
        metric = {"points": "mIoU", "text": "cgF1", "edges": "ODS"}[task]
        metrics = {metric: Estimate(value, value - 0.1, value + 0.1)}
        result = Result(task, model, "mini", metric, 4, metrics, protocol)
        write_result(runs / f"{model}.json", result)
    assert main(["report", str(runs), "-o", str(folder), "--no-published"]) == 0
    return f"file://{folder}/index.html"


def test_models_are_found_by_family_prompts_and_size(quiet: Browser, front: str) -> None:
    quiet.open(front)
    assert quiet.run(MODELS) == ["detector", "large", "phrases", "small"]
    tool = "#matrix-tools select[data-filter={}]"
    for name, value, found in (
        ("family", "SAM", ["large", "small"]),
        ("prompts", "points", ["large", "small"]),
        ("prompts", "texts", ["phrases"]),
        ("prompts", "no prompts", ["detector"]),
        ("size", "500 M and more", ["large", "phrases"]),
    ):
        fill(quiet, tool.format(name), value)
        assert quiet.run(MODELS) == found, value
        told = quiet.run("document.querySelector('#matrix-tools [role=status]').textContent")
        assert told == f"{len(found)} of 4 rows"
        fill(quiet, tool.format(name), "")
    fill(quiet, tool.format("family"), "SAM")
    fill(quiet, tool.format("size"), "under 25 M")
    assert quiet.run(MODELS) == ["small"]


def test_models_are_sorted_by_what_is_chosen(quiet: Browser, front: str) -> None:
    quiet.open(front)
    place = "document.querySelector('#matrix-tools select[data-sort]')"
    names = quiet.run(f"[...{place}.options].map(option => option.text)")
    assert names == [
        "most results", "model", "family", "prompts", "parameters",
        "edges on mini", "points on mini", "text on mini",
    ]  # fmt: skip
    fill(quiet, "#matrix-tools select[data-sort]", "3", "change")
    assert quiet.run(MODELS) == ["detector", "small", "large", "phrases"]
    head = "#matrix thead th:nth-child(6)"
    fill(quiet, "#matrix-tools select[data-sort]", "5", "change")
    assert quiet.run(MODELS)[:2] == ["large", "small"]
    assert quiet.run(f"document.querySelector({json.dumps(head)}).ariaSort") == "descending"
    click(quiet, f"{head} button")
    assert quiet.run(MODELS)[:2] == ["small", "large"]
    assert quiet.run(f"{place}.value") == "5"
    fill(quiet, "#matrix-tools select[data-sort]", "", "change")
    assert quiet.run(MODELS) == ["detector", "large", "phrases", "small"]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_name_stays_beside_the_numbers(quiet: Browser, front: str, width: int) -> None:
    quiet.open(front, width)
    assert quiet.run("document.documentElement.scrollWidth <= innerWidth")
    told = quiet.run("document.querySelector('#matrix tbody th').innerText")
    first = "document.querySelector('#matrix tbody td:not(.about)').getBoundingClientRect()"
    if width < 600:  # what it is stands below the name, and the first task beside it
        assert told.split("\n")[1] == "baseline · no weights · no prompts"
        assert quiet.run(f"{first}.right <= innerWidth")
    else:
        assert told.strip() == "detector"
    quiet.run("document.querySelector('#matrix').parentElement.scrollLeft = 200")
    left = "document.querySelector('#matrix tbody th').getBoundingClientRect().left"
    assert 0 <= quiet.run(left) < 100


def test_without_scripts_everything_is_shown(quiet: Browser, front: str) -> None:
    quiet.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        quiet.open(front)
        assert len(quiet.run(MODELS)) == 4
        shown = "getComputedStyle(document.querySelector('#matrix-tools')).display"
        assert quiet.run(shown) == "none"
    finally:
        quiet.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_hostile_name_is_text(quiet: Browser, site: Path) -> None:
    for page in sorted(site.glob("*.html")):
        quiet.open(f"file://{page}")
        assert quiet.run("window.hacked === undefined"), page
    quiet.open(f"file://{site}/index.html")
    assert HOSTILE in quiet.run(FIRST)


STACK = "document.querySelector('#gallery .stack')"
OPENED = "document.querySelector('dialog[open] #views')"


def browser_page(site: Path) -> str:
    (page,) = site.glob("images-*.html")
    return f"file://{page}"


def scores(browser: Browser) -> list[float]:
    texts = browser.run(
        "[...document.querySelectorAll('#gallery .text')].map(t => t.lastChild.textContent)"
    )
    return [float(text.split(" / ")[0]) for text in texts]


def test_the_worst_image_opens_with_its_layers(quiet: Browser, site: Path) -> None:
    quiet.open(browser_page(site))
    worst = scores(quiet)
    assert worst == sorted(worst)
    fill(quiet, "#order", "best", "change")
    assert scores(quiet) == sorted(worst, reverse=True)
    fill(quiet, "#order", "worst", "change")
    click(quiet, "#gallery .card")
    quiet.wait(
        f"[...{OPENED}.querySelectorAll('img')].every(i => i.style.display || i.naturalWidth)"
    )
    shown = f"[...{OPENED}.querySelectorAll('[data-name]')]"
    layers = f"Object.fromEntries({shown}.map(l => [l.dataset.name, l.style.display]))"
    before = quiet.run(layers)
    assert before == {"Photo": "", "Prediction": "", "Errors": "none", "Truth": "", "Prompts": ""}
    click(quiet, "dialog [data-layer=Prediction]")
    quiet.press("3")
    assert quiet.run(layers) == {**before, "Prediction": "none", "Errors": ""}
    quiet.wait(f"{OPENED}.querySelector('[data-name=Errors]').naturalWidth > 0")
    title = quiet.run("document.getElementById('dialog-title').textContent")
    quiet.press("ArrowRight")
    assert quiet.run("document.getElementById('dialog-title').textContent") != title
    quiet.press("ArrowLeft")
    assert quiet.run("document.getElementById('dialog-title').textContent") == title
    quiet.press("Escape")
    quiet.wait("!document.querySelector('dialog[open]')")
    quiet.wait("document.activeElement.className == 'card'")


def test_two_runs_side_by_side_where_they_differ_most(quiet: Browser, site: Path) -> None:
    quiet.open(browser_page(site))
    assert quiet.run("document.querySelector('#order [value=differ]').disabled")
    names = quiet.run("[...document.querySelectorAll('#run-a option')].map(o => o.textContent)")
    fill(quiet, "#run-a", str(names.index("steady")), "change")
    fill(quiet, "#run-b", str(names.index(HOSTILE)), "change")
    fill(quiet, "#order", "differ", "change")
    texts = quiet.run(
        "[...document.querySelectorAll('#gallery .text')].map(t => t.lastChild.textContent)"
    )
    gaps = [abs(float(a) - float(b)) for a, b in (text.split(" / ") for text in texts)]
    assert gaps == sorted(gaps, reverse=True)
    click(quiet, "#gallery .card")
    assert quiet.run(f"{OPENED}.children.length") == 2
    assert HOSTILE in quiet.run(f"{OPENED}.textContent")


def test_images_filter_by_name(quiet: Browser, site: Path) -> None:
    quiet.open(browser_page(site))
    name = quiet.run("document.querySelector('#gallery .text').firstChild.textContent")
    fill(quiet, "#search", name)
    assert quiet.run("document.querySelectorAll('#gallery .card').length") == 1
    fill(quiet, "#search", "no such image")
    assert quiet.run("document.querySelectorAll('#gallery .card').length") == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen(quiet: Browser, site: Path, width: int) -> None:
    for page in sorted(site.glob("*.html")):
        quiet.open(f"file://{page}", width=width, height=740)
        assert quiet.run("document.documentElement.scrollWidth") <= width, page.name


def test_the_theme_can_be_chosen_and_plots_follow(quiet: Browser, site: Path) -> None:
    quiet.open(f"file://{site}/run-points-mini-steady.html")
    ink = "getComputedStyle(document.querySelector('figure svg text')).fill"
    fill(quiet, "#theme", "light", "change")
    light = quiet.run(f"[getComputedStyle(document.body).backgroundColor, {ink}]")
    fill(quiet, "#theme", "dark", "change")
    dark = quiet.run(f"[getComputedStyle(document.body).backgroundColor, {ink}]")
    assert light[0] == "rgb(253, 253, 252)"
    assert dark[0] == "rgb(20, 23, 26)"
    assert light[1] != dark[1]
    fill(quiet, "#theme", "system", "change")


def test_a_plot_is_saved_as_png_on_white_in_any_theme(quiet: Browser, site: Path) -> None:
    quiet.open(f"file://{site}/run-points-mini-steady.html")
    fill(quiet, "#theme", "dark", "change")
    kept = "function () { window.saved = [this.download, this.href] }"
    quiet.run(f"HTMLAnchorElement.prototype.click = {kept}")
    quiet.run("document.querySelector('button[data-png]').click()")
    quiet.wait("window.saved !== undefined")
    name, address = quiet.run("window.saved")
    assert name.endswith("-run-points-mini-steady.png")
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    assert picture.width == 800  # 5 inches of 160 dots
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    assert (0x2F, 0x6D, 0xB3) in colours  # that of the light theme
    assert quiet.run("document.documentElement.dataset.theme") == "dark"
    fill(quiet, "#theme", "system", "change")
