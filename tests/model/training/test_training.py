"""Training as a whole, on a tiny SAM: it learns, resumes to the bit, and shares its work."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench import cli
from sambench.datasets.scenes import Scenes
from sambench.engine.settings import Settings, read_ids
from sambench.errors import UserError
from sambench.model.nn.checkpoint import load_sam
from sambench.model.training import state
from sambench.model.training.log import LOG, open_log, read_log
from sambench.model.training.trainer import Trainer
from sambench.model.training.training import HELD_OUT, TRAINED, Training, fit_to_train

from .tiny import KINDS, SCENES, TinySam, gradient, recipe, tiny_net, train

SCRIPT = Path(__file__).with_name("tiny.py")
ROOT = Path(__file__).resolve().parents[3]


def training(folder, steps, save_every=50, **changes):
    dataset = Scenes(**SCENES)
    return Training(recipe(steps, **changes), dataset, dataset.ids, folder, save_every)


def start(*words, **variables):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.Popen([sys.executable, str(SCRIPT), *map(str, words)], env=environment)


def test_the_loss_falls_and_files_are_written(tmp_path):
    lines = training(tmp_path, 16, lr=1e-3, dropout=0.0).train(TinySam())
    assert [line["step"] for line in lines] == list(range(1, 17))
    losses = [line["loss"] for line in lines]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    assert read_log(tmp_path / LOG, 16) == lines
    for name in ("loss", "iou"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()
    trained, first = load_file(tmp_path / state.MODEL), tiny_net().state_dict()
    assert trained.keys() == first.keys()
    moved = {name.split(".")[0] for name in trained if not torch.equal(trained[name], first[name])}
    assert moved == {"prompt_encoder", "mask_decoder"}


def same_training(one, other, steps):
    """Whether two folders hold the same training: equal bytes, and a log equal but for seconds."""
    logs = [[{**x, "seconds": 0} for x in read_log(f / LOG, steps)] for f in (one, other)]
    assert logs[0] == logs[1]
    assert len(logs[0]) == steps
    for name in (state.MODEL, state.STATE):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_training_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path, capfd):
    """Before, while and after model and state are written, and between the two."""
    killed, steps = tmp_path / "killed", 3
    assert start("lives", killed, steps).wait() == 0
    kills = [int(word) for word in capfd.readouterr().out.split()]
    assert len(kills) == len(KINDS)
    assert min(kills) >= 10
    for kind in KINDS:
        train(tmp_path / kind, steps)
        same_training(tmp_path / kind, killed / kind, steps)
        assert not list((killed / kind).glob("*.tmp"))


@pytest.mark.parametrize("saved", [1, 50])
def test_an_interrupted_training_loses_no_step(saved, tmp_path, monkeypatch, request):
    """Ctrl-C, wherever it comes: what was computed is in the state, and in the log."""
    # What a shell starts in the background ignores it, and so would this process.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    training(tmp_path / "whole", 5).train(TinySam())
    learn, accumulate = Trainer.learn, Trainer.accumulate

    def pressed_after(function, step):
        def pressed(trainer, *given):
            result = function(trainer, *given)
            if trainer.step == step:
                signal.raise_signal(signal.SIGINT)
            return result

        return pressed

    monkeypatch.setattr(Trainer, "learn", pressed_after(learn, 2))
    monkeypatch.setattr(Trainer, "accumulate", pressed_after(accumulate, 3))
    for done in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            training(tmp_path / "stopped", 5, saved).train(TinySam())
        assert state.read_about(tmp_path / "stopped" / state.STATE)["step"] == done
        assert len(read_log(tmp_path / "stopped" / LOG, 9)) == done
    monkeypatch.undo()
    training(tmp_path / "stopped", 5).train(TinySam())
    same_training(tmp_path / "whole", tmp_path / "stopped", 5)


def test_equal_trainings_are_equal_files(tmp_path):
    """The SHA-256 of a model names it: two files of one content must not differ."""
    about = {"step": 1, "plan": {"lr": 0.1}}
    tensors = {name: torch.full((3,), float(i)) for i, name in enumerate("dbca")}
    contents = set()
    for number in range(16):
        state.save(tmp_path / str(number), tensors, about)
        contents.add((tmp_path / str(number)).read_bytes())
    assert len(contents) == 1
    assert state.read_about(tmp_path / "0") == about
    assert load_file(tmp_path / "0").keys() == tensors.keys()


def test_drop_path_of_a_frozen_encoder_is_no_part_of_the_plan(tmp_path):
    """It changes nothing, and so is not a reason to refuse to go on."""
    training(tmp_path, 2, drop_path=0.1, layer_decay=0.5).train(TinySam())
    training(tmp_path, 2, drop_path=0.2, layer_decay=0.6).train(TinySam())
    training(tmp_path / "whole", 2, whole=True, drop_path=0.1).train(TinySam())
    with pytest.raises(UserError, match=r"a training with drop_path 0\.1, not 0\.2"):
        training(tmp_path / "whole", 2, whole=True, drop_path=0.2).train(TinySam())


class Changed(Scenes):
    """Scenes of which one may have other pixels, and the same objects."""

    def __init__(self, which=None):
        super().__init__(**SCENES)
        self.changed = None if which is None else self.ids[which]

    def read_image(self, id):
        image = super().read_image(id)
        return image ^ (id == self.changed) if id == self.changed else image


@pytest.mark.parametrize("whole", [False, True])
def test_a_training_does_not_go_on_with_other_images(whole, tmp_path, monkeypatch):
    accumulate = Trainer.accumulate

    def stopping(trainer):
        if trainer.step == 2:  # of two images each
            raise KeyboardInterrupt
        return accumulate(trainer)

    monkeypatch.setattr(Trainer, "accumulate", stopping)
    first = replace(training(tmp_path, 4, whole=whole), dataset=Changed())
    with pytest.raises(KeyboardInterrupt):
        first.train(TinySam())
    monkeypatch.undo()
    trainer = Trainer(TinySam(), first.dataset, first.ids, first.recipe)
    trainer.resume(tmp_path)
    seen = set(trainer.pixels.seen())
    assert len(seen) == 4
    for which, id in enumerate(first.ids):
        changed = Changed(which)
        again = Training(first.recipe, changed, changed.ids, tmp_path)
        if id in seen:
            before = (tmp_path / state.STATE).read_bytes()
            with pytest.raises(UserError, match=f"image {id} of dataset scenes has changed"):
                again.train(TinySam())
            assert (tmp_path / state.STATE).read_bytes() == before
    first.train(TinySam())


def test_an_image_that_changes_while_it_is_trained_on_is_told(tmp_path):
    dataset = Scenes(**SCENES)
    trainer = Trainer(TinySam(), dataset, dataset.ids, recipe(9, batch=6, whole=True))
    trainer.learn(trainer.accumulate())
    trainer.pixels._dataset = Changed(0)
    with pytest.raises(UserError, match=f"image {dataset.ids[0]} of dataset scenes has changed"):
        trainer.accumulate()


def test_fresh_discards_what_was_there_before_it_begins(tmp_path, monkeypatch):
    """A fresh training that is killed at once is not continued as the one before it."""
    training(tmp_path, 2).train(TinySam())
    (tmp_path / HELD_OUT).write_text("of the training before\n")
    monkeypatch.setattr(Trainer, "accumulate", lambda trainer: sys.exit("killed"))
    with pytest.raises(SystemExit):
        replace(training(tmp_path, 2), fresh=True).train(TinySam())
    assert {path.name for path in tmp_path.iterdir()} == {LOG, TRAINED}
    monkeypatch.undo()
    assert len(training(tmp_path, 2).train(TinySam())) == 2


def test_two_trainings_do_not_share_a_folder(tmp_path):
    with state.alone(tmp_path), pytest.raises(UserError, match="another training writes to"):
        training(tmp_path, 2).train(TinySam())
    training(tmp_path, 2).train(TinySam())


def test_a_model_of_others_is_not_overwritten(tmp_path):
    save_file({"x": torch.ones(2)}, tmp_path / state.MODEL)
    with pytest.raises(UserError, match=r"model\.safetensors was not made by a training"):
        training(tmp_path, 2).train(TinySam())
    assert load_file(tmp_path / state.MODEL).keys() == {"x"}


def test_ids_are_written_before_training(tmp_path, monkeypatch):
    """Who stops a training evaluates the model that is there on the images kept for it."""
    wanted = training(tmp_path, 2)
    wanted = replace(wanted, ids=wanted.ids[:4], held_out=wanted.ids[4:])
    monkeypatch.setattr(Trainer, "accumulate", lambda trainer: sys.exit("stopped"))
    with pytest.raises(SystemExit):
        wanted.train(TinySam())
    assert read_ids(tmp_path / TRAINED) == wanted.ids
    assert read_ids(tmp_path / HELD_OUT) == wanted.held_out
    assert not (tmp_path / state.MODEL).exists()  # nothing was learnt


def test_two_processes_have_the_gradient_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    team = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    both = start("pair", tmp_path / "two", 3, **team)
    gradient(tmp_path / "one", 3)
    assert both.wait() == 0
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    assert sum(bool(tensor.any()) for tensor in one.values()) > 100
    for name, tensor in one.items():
        scale = float(tensor.abs().max())
        assert torch.allclose(two[name], tensor, rtol=1e-4, atol=1e-5 * scale), name


def test_bfloat16_learns_nearly_the_same():
    dataset, found = Scenes(**SCENES), []
    for bf16 in (False, True):
        trainer = Trainer(TinySam(), dataset, dataset.ids, recipe(9, bf16=bf16, whole=True))
        loss = trainer.accumulate()["loss"]
        grads = torch.cat([p.grad.flatten() for p in trainer.parameters.values()])
        assert grads.dtype == torch.float32
        found.append((loss, grads))
    (loss, grads), (rough, rough_grads) = found
    assert rough != loss
    assert rough == pytest.approx(loss, rel=0.05)
    assert torch.cosine_similarity(grads, rough_grads, dim=0) > 0.9


def test_an_epoch_takes_each_image_once():
    dataset = Scenes(**SCENES)
    trainer = Trainer(TinySam(), dataset, dataset.ids, recipe(20, batch=3))
    epochs = []
    for trainer.step in range(4):
        epochs += [trainer.id_at(place) for place in range(3)]
    assert sorted(epochs[:6]) == sorted(epochs[6:]) == sorted(dataset.ids)
    assert epochs[:6] != epochs[6:]


def test_another_recipe_does_not_go_on(tmp_path):
    training(tmp_path, 2).train(TinySam())
    with pytest.raises(UserError, match=r"a training with lr 0\.0008, not 0\.1"):
        training(tmp_path, 2, lr=0.1).train(TinySam())
    with pytest.raises(UserError, match="a training with weights 0, not 1"):
        training(tmp_path, 2).train(TinySam(1))


def test_a_training_of_another_version_does_not_go_on(tmp_path, monkeypatch):
    """0.1 trained a decoder on features that inference does not have: nothing to go on from."""
    plan = Trainer.plan
    monkeypatch.setattr(Trainer, "plan", lambda trainer: {**plan(trainer), "drop_path": 0.4})
    training(tmp_path, 2).train(TinySam())
    monkeypatch.undo()
    with pytest.raises(UserError, match="a training of another version of sambench"):
        training(tmp_path, 2).train(TinySam())


def test_a_damaged_state_is_told(tmp_path):
    (tmp_path / state.STATE).write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as a state of training"):
        training(tmp_path, 2).train(TinySam())


def test_an_unreadable_image_stops_and_keeps_what_was_done(tmp_path, monkeypatch):
    wanted = training(tmp_path, 9)
    read, seen = wanted.dataset.read_truth, []

    def failing(id, kind):
        seen.append(id)
        if len(seen) > 4:
            raise UserError("x.png is damaged; fetch it again.")
        return read(id, kind)

    monkeypatch.setattr(wanted.dataset, "read_truth", failing)
    with pytest.raises(UserError, match="is damaged"):
        wanted.train(TinySam())
    assert state.read_about(tmp_path / state.STATE)["step"] == 2
    assert len(read_log(tmp_path / LOG, 9)) == 2


def test_a_log_ends_where_its_state_does(tmp_path):
    path = tmp_path / LOG
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    assert open_log(path, 2) == [{"step": 1}, {"step": 2}]
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_models_that_cannot_learn_are_refused():
    model = TinySam()
    model.precision = "bfloat16"
    with pytest.raises(UserError, match="give --bf16 instead"):
        fit_to_train(model)
    model.precision, model.compiled = "float32", True
    with pytest.raises(UserError, match="leave compiled=true out"):
        fit_to_train(model)


NUMBERS = {
    "--steps 0": "--steps 0 is too small; give 1 or more",
    "--steps 9": "a warm-up of 250 steps leaves nothing of 9",
    "--batch 0": "--batch 0 is too small; give 1 to 1,000,000",
    "--masks 0": "--masks 0 is too small; give 1 or more",
    "--clicks -1": "--clicks -1 is too small; give 0 or more",
    "--warmup -1": "--warmup -1 is too small; give 0 or more",
    "--seed -1": "--seed -1 is too small; give 0 or more",
    "--limit -1": "--limit -1 is too small; give 0 or more",
    "--save-every 0": "--save-every 0 is too small; give 1 or more",
    "--lr 0": "--lr 0 is too small; give above 0",
    "--lr nan": "--lr nan is not finite",
    "--weight-decay -1": "--weight-decay -1 is too small; give 0 or more",
    "--weight-decay nan": "--weight-decay nan is not finite",
    "--dropout 1": "--dropout 1 is too large; give 0 or more and below 1",
    "--dropout nan": "--dropout nan is not finite",
    "--whole --drop-path -0.1": "--drop-path -0.1 is too small; give 0 or more and below 1",
    "--whole --layer-decay 1.5": "--layer-decay 1.5 is too large; give 0 to 1",
    "--hold-out 3/2": "--hold-out 3/2 is not a part",
    "--embedding-cache x --cache-size huge": "'huge' is not a size",
}
BAD = {
    "--hold-out 1/1": "there are no images to train on",
    "--model whole_image": "whole_image cannot be trained",
    "--ids nowhere.txt": "nowhere.txt cannot be read (No such file",
    "--ids other.txt": "1 of 1 ids are not in dataset scenes, first other",
    "--mae other.txt": "other.txt is a text file, not the weights",
    "--whole --embedding-cache x": "leave --embedding-cache out",
    "--dataset bsds500:root=.": "bsds500",
}


def refusal(words, capsys):
    """What the command says, which must be one line."""
    common = ["train", "--dataset", "scenes:images=2", "--output", "out", "--steps", "900"]
    assert cli.main([*common, *words.split()]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


@pytest.mark.parametrize("words", NUMBERS)
def test_numbers_are_refused_before_anything_is_loaded(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sambench.registry.load", lambda *given: pytest.fail("loaded"))
    assert NUMBERS[words] in refusal(words, capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_one_sentence(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("other.txt").write_text("other\n")
    assert BAD[words] in refusal(words, capsys)


def test_choices_that_change_nothing_are_said(capsys):
    words = ["train", "--dataset", "scenes:images=0", "--output", "out", "--steps", "900"]
    cli.main([*words, "--drop-path", "0.1", "--layer-decay", "0.5"])
    said = capsys.readouterr().err
    for flag in ("--drop-path", "--layer-decay"):
        assert f"{flag} has no effect: only --whole trains the image encoder" in said
    cli.main(words)
    assert "changes nothing" not in capsys.readouterr().err


def test_a_trained_checkpoint_of_the_bundled_architecture_loads(tmp_path, minisam):
    about = {"step": 1, "plan": {}}
    state.save(tmp_path / state.MODEL, minisam.net.state_dict(), about)
    net, arch, _ = load_sam(tmp_path / state.MODEL)
    assert arch == "vit_t"
    first = minisam.net.state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in net.state_dict().items())
    assert state.read_about(tmp_path / state.MODEL) == about


def test_a_run_takes_the_images_of_a_list_in_the_dataset_s_order(tmp_path):
    dataset, path = Scenes(**SCENES), tmp_path / "ids.txt"
    path.write_text(f"{dataset.ids[4]}\n\n{dataset.ids[1]}\n")
    assert Settings(only=read_ids(path)).ids(dataset) == (dataset.ids[1], dataset.ids[4])
    assert Settings(only=read_ids(path), limit=1).ids(dataset) == (dataset.ids[1],)
