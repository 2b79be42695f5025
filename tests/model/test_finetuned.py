"""Fine-tunes of others on a tiny SAM of transformers: laid over by name, or merged by peft."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

from sambench.errors import UserError
from sambench.model._finetuned import put_into
from sambench.registry import load

from .tiny_sam import sam

pytest.importorskip("transformers", reason="transformers is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
DECODER = "mask_decoder.iou_prediction_head.proj_in.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a tiny SAM."""
    path = tmp_path_factory.mktemp("base") / "tiny"
    torch.manual_seed(0)
    sam().save_pretrained(path)
    return path


def part(folder, prefix="mask_decoder."):
    """Tensors of a part of it, moved."""
    state = load_file(folder / "model.safetensors")
    return {name: tensor + 0.5 for name, tensor in state.items() if name.startswith(prefix)}


@pytest.mark.parametrize("cut", ["", "mask_decoder."])
@pytest.mark.parametrize("before", ["", "module.", "module.model."])
def test_a_part_is_laid_over_and_the_rest_stays_the_bases(base, tmp_path, before, cut):
    moved = part(base)
    state = {before + name.removeprefix(cut): tensor for name, tensor in moved.items()}
    torch.save({"model": state, "epoch": 3}, tmp_path / "mine.pt")
    whole = load("model", f"hf:{base}")
    model = load("model", f"hf:{base},finetuned={tmp_path / 'mine.pt'}")
    before_it, after = whole.net.state_dict(), model.net.state_dict()
    for name, tensor in after.items():
        assert torch.equal(tensor, moved.get(name, before_it[name])), name
    assert model.card.name == "tiny_mine"
    assert model.card.weights_sha256 != whole.card.weights_sha256
    said = f"{len(moved)} of {len(after)} tensors from mine.pt"
    assert model.card.preprocessing == f"{whole.card.preprocessing}; {said}"
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_what_has_no_place_is_said(base, tmp_path, caplog):
    moved = part(base)
    save_file({**moved, "mask_decoder.extra": torch.zeros(1)}, tmp_path / "mine.safetensors")
    with caplog.at_level(logging.WARNING):
        load("model", f"hf:{base},finetuned={tmp_path / 'mine.safetensors'}")
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{len(moved)} of ")
    assert "; 1 have no place here, such as mask_decoder.extra" in line
    assert "stay the base's, such as prompt_encoder." in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {"head.weight": torch.zeros(2)}, "none of the 1 tensors of .*head.weight, has"),
        (lambda s: {**s, DECODER: torch.zeros(3)}, "does not fit this network: 1 differ in shape"),
        (lambda s: {**s, DECODER: s[DECODER].long()}, "1 differ in type"),
        (lambda s: {**s, DECODER: s[DECODER] * float("nan")}, f"tensor {DECODER} holds NaN"),
        (lambda s: {**s, "best": print}, "holds objects other than tensors"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(base, tmp_path, change, words):
    torch.save(change(part(base)), tmp_path / "mine.pt")
    with pytest.raises(UserError, match=words):
        load("model", f"hf:{base},finetuned={tmp_path / 'mine.pt'}")


def halves(whole, change):
    return {
        change(name) if name.startswith("mask_decoder.") else name: whole[name] for name in whole
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: halves(s, lambda name: f"module.{name}"), "120 others have no place"),
        # Another program's names of the decoder, of which some are the same.
        (lambda s: halves(s, lambda name: name.replace("proj_in", "layers.9")), "layers.9.bias"),
        (lambda s: {DECODER: s[DECODER], "a": s[DECODER], "b": s[DECODER]}, "2 others"),
    ],
)  # fmt: skip
def test_a_file_of_which_a_half_would_be_lost_is_refused(base, tmp_path, change, words):
    torch.save(change(part(base, "")), tmp_path / "mine.pt")
    with pytest.raises(UserError, match=f"laid over by halves: .*{words}"):
        load("model", f"hf:{base},finetuned={tmp_path / 'mine.pt'}")


def test_one_of_several_files_of_a_model_is_refused(base, tmp_path):
    sam().save_pretrained(tmp_path, max_shard_size="40KB")
    first = sorted(tmp_path.glob("*.safetensors"))[0]
    with pytest.raises(UserError, match=f"{first.name} is one of the .* files that"):
        load("model", f"hf:{base},finetuned={first}")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """The folder of a LoRA adapter of the tiny SAM, and the weights with it."""
    peft = pytest.importorskip("peft", reason="peft is not installed; the extra peft brings it")
    torch.manual_seed(0)
    net = peft.get_peft_model(sam(), peft.LoraConfig(r=2, target_modules=["qkv", "q_proj"]))
    for name, parameter in net.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    path = tmp_path_factory.mktemp("adapters") / "lora"
    net.save_pretrained(path)
    return path, net.merge_and_unload().state_dict()


def test_an_adapter_is_merged(base, adapter):
    folder, merged = adapter
    model = load("model", f"hf:{base},finetuned={folder}")
    state = model.net.state_dict()
    assert state.keys() == merged.keys()
    assert all(torch.equal(tensor, merged[name]) for name, tensor in state.items())
    changed = load("model", f"hf:{base}").net.state_dict()
    assert sum(not torch.equal(tensor, changed[name]) for name, tensor in state.items()) == 9
    assert model.card.preprocessing.endswith("; a LoRA of 9 layers from lora, rank 2, merged")
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {n: t for n, t in s.items() if "lora_B" in n}, "tensors are missing, such as"),
        (lambda s: {**s, "base_model.model.more": torch.zeros(1)}, "1 do not belong, such as"),
        (lambda s: {n: t * float("nan") for n, t in s.items()}, "holds NaN or infinity"),
    ],
)
def test_an_adapter_of_which_a_part_would_be_left_out_is_refused(adapter, tmp_path, change, words):
    folder, _ = adapter
    config = (folder / "adapter_config.json").read_bytes()
    (tmp_path / "adapter_config.json").write_bytes(config)
    state = change(load_file(folder / "adapter_model.safetensors"))
    save_file(state, tmp_path / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=words):
        put_into(sam(), tmp_path)


def test_an_adapter_of_another_network_is_refused(adapter, tmp_path):
    folder, _ = adapter
    stated = json.loads((folder / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**stated, "target_modules": ["x"]}))
    weights = (folder / "adapter_model.safetensors").read_bytes()
    (tmp_path / "adapter_model.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match="cannot be put into this network"):
        put_into(sam(), tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no adapter_config.json"),
        ({"adapter_config.json": '{"peft_type": "IA3"}'}, "says peft_type IA3; only LORA"),
        ({"adapter_config.json": "[]"}, "says peft_type None"),
        ({"adapter_config.json": '{"peft_type": "LORA"}'}, "holds no adapter_model.safetensors"),
        (
            {
                "adapter_config.json": '{"peft_type": "LORA"}',
                "adapter_model.safetensors": "<html>",
            },
            "is a web page",
        ),
    ],
)
def test_a_folder_that_is_no_adapter_is_refused(tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words):
        put_into(torch.nn.Linear(1, 1), tmp_path)


def test_an_adapter_of_another_base_is_said(base, adapter, tmp_path, caplog):
    """Of the same shapes, so that it can be merged."""
    for file in adapter[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = tmp_path / "adapter_config.json"
    for name, words in (("someone/tiny", 0), ("someone/medical", 1)):
        stated = {**json.loads(config.read_text()), "base_model_name_or_path": name}
        config.write_text(json.dumps(stated))
        load("model", f"hf:{base},finetuned={tmp_path}")
        assert caplog.text.count("says that it was made for someone/") == words


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist; give a file of tensors, or the folder"):
        put_into(torch.nn.Linear(1, 1), tmp_path / "none.pt")
