"""Each option of a command does what its help says."""

import json

import pytest

from sambench.cli import main
from sambench.datasets.scenes import Scenes
from sambench.model.training.training import Training

DATASET = "scenes:images=6,width=64,height=64,objects=3"


class TestTrain:
    @pytest.fixture
    def trained(self, monkeypatch, tmp_path):
        """The training that a command line sets up; nothing is trained."""
        started = []
        monkeypatch.setattr(
            Training, "train", lambda training, model: started.append(training) or []
        )

        def train(*words):
            fixed = [f"--dataset={DATASET}", f"--output={tmp_path / 'out'}", "--device=cpu"]
            assert main(["train", *fixed, *map(str, words)]) == 0
            return started.pop()

        return train

    @pytest.mark.parametrize(
        ("word", "name", "value"),
        [
            ("--batch=3", "batch", 3),
            ("--masks=5", "masks", 5),
            ("--clicks=2", "clicks", 2),
            ("--lr=0.5", "lr", 0.5),
            ("--weight-decay=0.3", "weight_decay", 0.3),
            ("--layer-decay=0.7", "layer_decay", 0.7),
            ("--drop-path=0.2", "drop_path", 0.2),
            ("--dropout=0.4", "dropout", 0.4),
            ("--whole", "whole", True),
            ("--every-iou", "every_iou", True),
            ("--bf16", "bf16", True),
            ("--seed=9", "seed", 9),
        ],
    )
    def test_the_recipe_is_as_asked_for_and_else_the_papers(self, trained, word, name, value):
        usual = trained("--steps=300").recipe
        recipe = trained("--steps=300", word).recipe
        assert getattr(recipe, name) == value
        changed = {key for key in vars(usual) if getattr(recipe, key) != getattr(usual, key)}
        assert changed == {name}

    def test_the_recipe_of_the_paper(self, trained):
        recipe = trained("--steps=300").recipe
        assert vars(recipe) == {
            "steps": 300, "batch": 1, "masks": 64, "clicks": 8, "lr": 8e-4, "warmup": 250,
            "weight_decay": 0.1, "layer_decay": 0.8, "drop_path": 0.4, "dropout": 0.1,
            "whole": False, "every_iou": False, "bf16": False, "seed": 0,
        }  # fmt: skip
        assert trained("--steps=20", "--warmup=7").recipe.warmup == 7

    def test_where_it_goes_and_what_is_kept(self, trained, tmp_path):
        usual = trained("--steps=300")
        assert (usual.output, usual.save_every, usual.fresh) == (tmp_path / "out", 50, False)
        assert usual.cache is None
        assert usual.held_out == ()
        assert usual.ids == Scenes(images=6, width=64, height=64, objects=3).ids
        other = trained("--steps=300", "--save-every=7", "--fresh")
        assert (other.save_every, other.fresh) == (7, True)

    def test_the_cache_of_embeddings(self, trained, tmp_path):
        cache = trained("--steps=300", f"--embedding-cache={tmp_path / 'kept'}").cache
        assert (cache.folder, cache.size) == (tmp_path / "kept", 20 * 10**9)
        words = f"--embedding-cache={tmp_path / 'kept'}", "--cache-size=3MB"
        assert trained("--steps=300", *words).cache.size == 3 * 10**6

    def test_images(self, trained, tmp_path):
        assert trained("--steps=300", "--limit=2").ids == ("0", "1")
        (tmp_path / "ids.txt").write_text("4\n2\n")
        assert trained("--steps=300", f"--ids={tmp_path / 'ids.txt'}").ids == ("2", "4")
        session = trained("--steps=300", "--hold-out=2/2")
        assert (session.ids, session.held_out) == (("0", "2", "4"), ("1", "3", "5"))

    def test_options_of_an_encoder_that_does_not_learn_are_said_to_change_nothing(
        self, trained, capsys
    ):
        trained("--steps=300", "--drop-path=0.2")
        assert "--drop-path has no effect" in capsys.readouterr().err
        trained("--steps=300", "--drop-path=0.2", "--whole")
        assert "has no effect" not in capsys.readouterr().err

    def test_what_is_said_in_the_end(self, monkeypatch, tmp_path, capsys):
        lines = [{"images_without_masks": 1}, {"images_without_masks": 2}]
        monkeypatch.setattr(Training, "train", lambda training, model: lines)
        out = tmp_path / "out"
        words = ["--steps=300", f"--dataset={DATASET}", f"--output={out}", "--device=cpu"]
        assert main(["train", *words, "--hold-out=2/2"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("3 of the images that were drawn had no mask")
        assert f"model: {out / 'model.safetensors'}; curves: {out / 'loss.png'}" in said
        assert (
            f"--dataset {DATASET} --ids {out / 'held_out_ids.txt'} --model sam:checkpoint=" in said
        )
        assert main(["train", *words]) == 0
        assert "--ids" not in capsys.readouterr().out

    def test_no_image_is_refused(self, monkeypatch, tmp_path, capsys):
        words = ["--steps=300", f"--dataset={DATASET}", f"--output={tmp_path}", "--device=cpu"]
        assert main(["train", *words, "--hold-out=1/1"]) == 2
        assert "no images to train on" in capsys.readouterr().err


class TestRun:
    def test_limit_takes_the_first_images(self, runner):
        runner.run("--limit=5")
        assert list(runner.records) == ["00", "01", "02", "03", "04"]
        assert runner.result["images"] == 5

    def test_ids_are_taken_in_the_datasets_order(self, runner, tmp_path):
        (tmp_path / "ids.txt").write_text("07\n03\n")
        runner.run(f"--ids={tmp_path / 'ids.txt'}")
        assert list(runner.records) == ["03", "07"]

    def test_batch_is_how_many_images_are_embedded_together(self, runner, capsys):
        runner.model = {"together": 2}
        runner.run("--batch=2")
        assert "together failed" not in capsys.readouterr().err
        runner.run("--batch=3", "--fresh")
        assert "embedding 3 images together failed" in capsys.readouterr().err
        assert runner.result["images"] == 12

    def test_resamples_give_intervals_and_none_gives_none(self, runner):
        runner.run("--resamples=50")
        [low, high] = interval(runner.result)
        assert low < high
        runner.run("--resamples=0")
        assert interval(runner.result) == [None, None]

    def test_output_and_json(self, runner, capsys):
        runner.run("--json", "--limit=2")
        printed = json.loads(capsys.readouterr().out)
        assert printed == runner.result
        assert runner.file(".json").is_relative_to(runner.output)

    def test_fresh_discards_what_was_done(self, runner, tmp_path):
        def embedded():
            found = [path.unlink() for path in (tmp_path / "pids").iterdir()]
            return bool(found)

        (tmp_path / "pids").mkdir()
        runner.model = {"pids": str(tmp_path / "pids")}
        runner.run("--limit=3")
        assert embedded()
        runner.run("--limit=3")
        assert not embedded()
        runner.run("--limit=3", "--fresh")
        assert embedded()

    def test_predictions_are_kept_if_asked_for(self, runner):
        runner.run("--limit=2", "--predictions=none")
        assert not [*runner.output.rglob("*predictions*")]
        runner.run("--limit=2", "--predictions=all", "--fresh")
        names = {path.name for path in runner.output.rglob("*predictions*/*.json")}
        assert {"00.json", "01.json"} <= names

    def test_the_cache_keeps_embeddings(self, tmp_path):
        words = [
            "run", "--task=points", "--limit=1", "--device=cpu", "--workers=0", "--resamples=0",
            f"--output={tmp_path / 'out'}", f"--embedding-cache={tmp_path / 'kept'}",
        ]  # fmt: skip
        assert main(words) == 0
        whole = sum(path.stat().st_size for path in (tmp_path / "kept").rglob("*"))
        assert whole > 2**20
        assert main([*words, "--cache-half", "--fresh"]) == 0
        both = sum(path.stat().st_size for path in (tmp_path / "kept").rglob("*"))
        assert both == pytest.approx(1.5 * whole, rel=0.01)

    def test_workers_score(self, runner):
        runner.run("--workers=2", "--limit=4")
        assert len(runner.records) == 4


def interval(result):
    found = result["metrics"]["brightness"]
    return [found["low"], found["high"]] if isinstance(found, dict) else found[1:]


def test_scores_are_those_of_the_definition(runner):
    runner.run("--limit=3")
    dataset = Scenes(images=12, width=64, height=64, objects=3)
    for id in ("00", "01", "02"):
        red = dataset.read_image(id)[..., 0].mean() / 255
        assert runner.records[id]["record"]["value"] == pytest.approx(red, rel=1e-5)
