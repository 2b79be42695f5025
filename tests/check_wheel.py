"""Check that a wheel installs `sambench` and nothing else at the top level, with its data."""

import sys
import zipfile

NEEDED = (
    "sambench/cli.py",
    "sambench/model/minisam.py",
    "sambench/model/nn/mask_decoder.py",
    "sambench/model/weights/minisam_vit_t.safetensors",
    "sambench/tasks/points.py",
    "sambench/datasets/mini.py",
    "sambench/datasets/mini_annotations/instances.json",
    "sambench/py.typed",
    *(
        f"sambench/report/pages/templates/{name}.html"
        for name in ("base", "clips", "images", "macros", "overview", "run", "task")
    ),
    *(
        f"sambench/report/pages/assets/{name}"
        for name in ("browser.js", "clips.js", "page.js", "style.css")
    ),
)

if __name__ == "__main__":
    names = zipfile.ZipFile(sys.argv[1]).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name.split("/")[0]}
    assert top == {"sambench"}, f"the wheel installs {sorted(top)} at the top level"
    missing = [name for name in NEEDED if name not in names]
    assert not missing, f"the wheel lacks {missing}"
