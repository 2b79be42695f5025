"""The published numbers: complete, of the documented form, and as their papers print them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from sambench.data.suites import SUITES
from sambench.errors import UserError
from sambench.registry import load, names
from sambench.report.published import (
    PublishedRow,
    PublishedTable,
    published_folder,
    read_paper,
    read_published,
)
from sambench.store.options import task_options

FOLDER = Path(__file__).resolve().parents[2] / "results" / "published"


@pytest.fixture(scope="module")
def tables() -> dict[str, PublishedTable]:
    return {table.name: table for table in read_published(FOLDER)}


def row(table: PublishedTable, label: str) -> PublishedRow:
    return next(row for row in table.rows if row.label == label)


def test_the_folder_is_found_from_the_package() -> None:
    assert published_folder() == FOLDER


def test_counts(tables: dict[str, PublishedTable]) -> None:
    assert len(tables) == 178
    assert sum(len(table.rows) for table in tables.values()) == 1011
    papers = Counter(table.paper.key for table in tables.values())
    assert len(papers) == 33
    assert papers["sam"] == 13
    assert papers["sam3"] == 17


@pytest.mark.parametrize(
    ("table", "label", "metric", "value"),
    [
        ("sam:table-3", "SAM ViT-H", "ODS", 0.768),
        ("lavt:refcoco-val", "LAVT", "cIoU", 0.7273),
        ("lavt:refcocog-val-google", "LAVT", "P@90", 0.2730),
        ("rela:grefcoco", "ReLA, Swin-Base", "gIoU", 0.6360),
        ("sam:table-3", "HED", "R50", 0.923),
        ("sam:table-4", "SAM ViT-H", "AR@1000", 0.593),
        ("sam2_readme:sav-test", "SAM 2.1 Hiera-L", "J&F", 0.795),
        ("edgetam:video-sav", "EdgeTAM", "J&F", 0.723),
        ("edgetam:video-youtube-vos", "Cutie-base+", "G", 0.875),
        ("efficienttam:table-1-lvos", "EfficientTAM-S", "J&F", 0.734),
        ("xmem:davis2017", "XMem-s012", "F", 0.914),
        ("sam2long:lvos", "SAM 2.1 Hiera-L, SAM2Long", "J&F", 0.852),
        ("sam:table-5-coco", "SAM ViT-H", "APs", 0.308),
        ("sam:table-5-lvis", "ViTDet-H", "APl", 0.663),
        ("sam2:table-15-sa23", "SAM ViT-H", "mIoU", 0.581),
        ("sam2:table-15-sa23", "SAM ViT-H", "mIoU@5", 0.813),
        ("sam2:table-15-sa23-video", "HQ-SAM ViT-B", "mIoU@5", 0.699),
        ("sam3:table-1-ap-coco", "SAM 3", "boxAP", 0.564),
        ("sam3:table-1-ap-lvis", "SAM 3", "AP", 0.485),
        ("sam3:table-1-ap-lvis", "APE-D", "boxAP", 0.596),
        ("sam3:table-1-miou", "SAM 3", "mIoU", 0.138),
        ("sam3:table-1-lvis", "SAM 3", "cgF1", 0.372),
        ("sam3:table-1-silver", "OWLv2*", "boxcgF1", 0.11),
        ("efficientvit_sam:box-coco", "SAM ViT-H", "mIoU", 0.774),
        ("efficientvit_sam:clicks-lvis", "EfficientViT-SAM-XL1", "mIoU@5", 0.717),
        ("efficientsam:vitdet-lvis", "MobileSAM", "AP", 0.344),
        ("edgesam:table-3-coco", "SAM", "mIoU", 0.536),
        ("fastsam:lvis-mask", "SAM ViT-H, E64", "AR@1000", 0.542),
        ("fastsam:coco-box", "OLN-Box", "boxAUC", 0.343),
        ("segnext:davis", "SAM ViT-B", "NoC@90", 5.148),
        ("segnext:davis", "SAM ViT-B", "mIoU@5", 0.9095),
        ("ritm:coco-lvis-sbd", "RITM HRNet32 IT-M", "NoC@90", 5.71),
        ("focsam:table-1-mvtec", "SAM ViT-H", "NoC@90", 13.97),
        ("bsds_benchmark:hed", "HED", "ODS", 0.788797),
        ("pidinet:table-5", "PiDiNet-Tiny-L", "images/s", 253),
        ("pidinet:curves", "PiDiNet-Tiny-L", "AP", 0.81729),
        ("hq_sam:lvis", "HQ-SAM-L", "BoundaryAP75_strict", 0.335),
    ],
)
def test_values_as_printed(
    tables: dict[str, PublishedTable], table: str, label: str, metric: str, value: float
) -> None:
    assert row(tables[table], label).values[metric] == pytest.approx(value)


def test_j_and_f_have_the_mean_that_is_printed(tables: dict[str, PublishedTable]) -> None:
    """But of one row, which says so."""
    odd = []
    for table in tables.values():
        for each in table.rows if {"J&F", "J", "F"} <= table.columns.keys() else ():
            if {"J", "F"} <= each.values.keys():
                mean = (each.values["J"] + each.values["F"]) / 2
                odd += [] if abs(mean - each.values["J&F"]) < 0.0011 else [each]
    assert [(each.label, each.facts["as printed"]) for each in odd] == [
        ("XMem-s2", "J and F do not have the mean J&F")
    ]


def test_g_is_the_mean_of_seen_and_unseen(tables: dict[str, PublishedTable]) -> None:
    rows = [r for name in ("2018", "2019") for r in tables[f"xmem:youtube-vos-{name}"].rows]
    whole = [r.values for r in rows if len(r.values) == 5]
    assert len(whole) == 6
    for values in whole:
        parts = [value for name, value in values.items() if name != "G"]
        assert abs(sum(parts) / 4 - values["G"]) < 0.0011


def test_the_23_datasets_add_up(tables: dict[str, PublishedTable]) -> None:
    """Totals and the mean gain, which the single rows were not made from."""
    rows = tables["sam:table-7"].rows
    assert sum(r.values["images"] for r in rows) == 40_188
    assert sum(r.values["masks"] for r in rows) == 172_653
    gains = [r.values["mIoU gain"] for r in tables["sam:figure-9a"].rows]
    assert sum(gains) / 23 == pytest.approx(0.0924, abs=1e-4)
    assert sum(gain > 0 for gain in gains) == 16
    oracle = [r.values["mIoU_oracle gain"] for r in tables["sam:figure-9a-oracle"].rows]
    assert sum(oracle) / 23 == pytest.approx(0.222, abs=1e-3)
    assert min(oracle) > 0


def test_means_of_subsets_agree(tables: dict[str, PublishedTable]) -> None:
    """SAM 3's averages over SA-Co/Gold are means of the seven subsets, to rounding."""
    rows = tables["sam3:table-29"].rows
    for model in {r.model for r in rows}:
        own = {r.dataset: r.values["cgF1"] for r in rows if r.model == model}
        average = own.pop("saco_gold")
        assert len(own) == 7
        assert sum(own.values()) / 7 == pytest.approx(average, abs=2e-3), model


def test_measured_datasets_of_phrases_have_the_names_of_the_published(
    tables: dict[str, PublishedTable],
) -> None:
    """What ``saco`` calls its subsets, and the suites of them, is what the tables call them."""
    for part, table in (("gold", "sam3:table-29"), ("silver", "sam3:silver")):
        suite = f"saco_{part}"
        members = {"saco_" + member.partition("=")[2] for member in SUITES[suite]}
        assert {row.dataset for row in tables[table].rows} == members | {suite}


def test_sa37_is_the_mean_of_37(tables: dict[str, PublishedTable]) -> None:
    def value(table: str, metric: str) -> float:
        return row(tables[table], "SAM ViT-H").values[metric]

    for metric in ("mIoU", "mIoU@5"):
        parts = 23 * value("sam2:table-15-sa23", metric)
        parts += 14 * value("sam2:table-15-new-video-14", metric)
        assert parts / 37 == pytest.approx(value("sam3:table-6", metric), abs=6e-4)


def test_marks_and_intervals(tables: dict[str, PublishedTable]) -> None:
    digitised = row(tables["sam:figure-9c"], "SAM ViT-H").estimates()["mIoU@9"]
    assert (digitised.low, digitised.high) == pytest.approx((0.845, 0.859))
    printed = row(tables["sam:table-2"], "SAM ViT-H, older").estimates()["mIoU"]
    assert (printed.low, printed.high) == pytest.approx((0.562, 0.696))
    assert {r.mark for r in tables["survey:box-coco"].rows} == {"second-hand"}
    assert "exact edge NMS" in tables["sam:table-3"].unknown


def write(folder: Path, change: dict) -> Path:
    table = {
        "id": "t", "where": "Table 1", "title": "x", "task": "edges", "dataset": "bsds500",
        "mark": "found", "columns": {"ODS": "fraction"},
        "rows": [{"label": "A", "model": "a", "values": [0.5]}],
    }  # fmt: skip
    path = folder / "p.json"
    paper = {"key": "p", "title": "P", "year": 2020}
    path.write_text(json.dumps({"paper": paper, "tables": [{**table, **change}]}))
    return path


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mark": "guessed"}, "$.tables[0].mark: invalid enum value 'guessed'"),
        ({"columns": {"ODS": "points"}}, "$.tables[0].columns.ODS: invalid enum value 'points'"),
        ({"rows": [{"label": "A", "model": "a", "values": [1, 2]}]}, "1 values"),
        (
            {"rows": [{"label": "A", "model": "a", "values": ["x"]}]},
            "$.tables[0].rows[0].values[0]",
        ),
        ({"rows": [{"label": "A", "values": [1]}]}, "missing required field `model`"),
        ({"sorce": 1}, "sorce"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, change: dict, word: str) -> None:
    with pytest.raises(UserError, match=r"p\.json.*") as error:
        read_paper(write(tmp_path, change))
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_a_right_file_is_read(tmp_path: Path) -> None:
    assert read_paper(write(tmp_path, {}))[0].rows[0].values == {"ODS": 0.5}
    renamed = tmp_path / "other.json"
    renamed.write_text((tmp_path / "p.json").read_text())
    with pytest.raises(UserError, match=r"other\.json"):
        read_paper(renamed)


def test_options_are_those_of_our_tasks(tables: dict[str, PublishedTable]) -> None:
    """`sambench reproduce` can set up the task of every table that says how it was run."""
    tasks = set(names("task"))
    checked = [t for t in tables.values() if t.task in tasks and t.options]
    tasks_checked = {
        "agreement", "edges", "everything", "instances", "interactive", "points", "proposals",
        "referring", "text", "video_object",
    }  # fmt: skip
    assert {t.task for t in checked} == tasks_checked & tasks
    for table in checked:
        options = task_options(load("task", table.task, **table.options))
        assert {name: options[name] for name in table.options} == table.options, table.name
        assert not set(table.options) & set(table.facts), table.name


def test_a_table_that_names_a_preset_has_its_options(tables: dict[str, PublishedTable]) -> None:
    named = [table for table in tables.values() if table.preset]
    assert len(named) > 20
    for table in named:
        preset = task_options(load("task", table.task, preset=table.preset))
        for row in table.rows:
            stated = {**table.options, **row.options}
            ours = task_options(load("task", table.task, **stated))
            # Fewer clicks than the preset's are its first.
            assert {**ours, "points": None} == {**preset, "points": None}, table.name


def test_what_a_paper_leaves_open_is_what_its_preset_does(
    tables: dict[str, PublishedTable],
) -> None:
    words = {"crowd regions": "crowd", "seed of the clicks": "seed", "mask selection": "mask"}
    for table in (table for table in tables.values() if table.preset):
        task = load("task", table.task, preset=table.preset)
        unknown = {words[word] for word in table.unknown if word in words}
        assert unknown == set(task.left_open.get(table.preset, ())), table.name
        assert not unknown & task.presets[table.preset].keys(), table.name
