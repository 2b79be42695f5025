"""What a run is: all that can move one of its numbers, in two parts.

``predictions`` is what moves the masks: the model's weights, options, preprocessing and code, the
task's options, the annotations that prompts are made of. ``scores`` is what moves only the numbers
made of masks. Which images are scored is not a part of it: a record depends on nothing but its own
image, whose pixels it names, so a run of ten images is the beginning of the run of all.

Files and folders count by what they hold, never by how their path was typed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sambench
from sambench.data.fitting import methods_of
from sambench.interfaces import JSON, Dataset, Model, Task
from sambench.registry import BUILT_IN, PLUGIN, origin, plain, preset_of
from sambench.store.code import ENGINE, Code, digest_of, modules_of
from sambench.store.options import (
    chosen_options,
    constructor_options,
    given_paths,
    parts_of,
    raw_options,
    task_options,
    unprompted,
)
from sambench.store.paths import label_of
from sambench.video.clips import CLIPS, items_of

PROMPTS = "prompts"
"""Says in a protocol card that there are none; such a card leaves out how a model is prompted."""


def describe(name: str, task: Task, model: Model, dataset: Dataset) -> JSON:
    """What one task on one dataset with one model is: the first line of its records.

    Returns:
        ``plan``, all that can move a number; ``about``, what a result tells besides, from which the
        task can be made again; ``code``, the digest of each module of the plan, to tell which
        changed; ``ids`` of all images of the dataset, in its order; the names of its
        ``categories`` by id; its ``references`` for curves of the task; its ``place``.
    """
    card, direct = dataset.card, is_direct(task, model)
    task = unprompted(task) if direct else task
    predicting = modules_of(model, task, *parts_of(model), also=ENGINE)
    reading = modules_of(dataset, *parts_of(dataset))
    return {
        "plan": make_plan(name, task, model, dataset, digest_of(predicting), digest_of(reading)),
        "about": {
            "task": plain(name),
            "options": raw_options(task),
            "choices": choices_of(task, direct=direct),
            **({"direct": task.direct} if direct else {}),
            **_preset(task),
            "label": label_of(model),
            "model": {
                **asdict(model.card),
                "prompts": sorted(model.prompts),
                "methods": methods_of(model),
                **_chosen(model),
                **_plugins({"model": model}),
            },
            "dataset": {
                "name": label_of(dataset) if card.own else card.name,
                "label": label_of(dataset),
                "split": card.split,
                "fingerprint": dataset.fingerprint,
                **_chosen(dataset),
                **({"own": True} if card.own else {}),
                **({"items": CLIPS} if items_of(dataset) == CLIPS else {}),
            },
            "note": " ".join(filter(None, (card.note, card.unseen))),
            **_plugins({"task": task, "dataset": dataset}),
            "sambench": sambench.__version__,
        },
        "code": _listed({**predicting, **reading}),
        "ids": list(dataset.ids),
        "categories": {str(id): name for id, name in dataset.categories.items()},
        "references": [asdict(r) for r in card.references if r.task == plain(name)],
        "place": place_of(dataset),
    }


def is_direct(task: Task, model: Model) -> bool:
    """Whether a model gives a task's prediction itself, without a prompt."""
    return model.direct(task.direct) is not None


def choices_of(task: Task, *, direct: bool) -> JSON:
    """Options and facts of a task for the protocol card; without prompts, none that is of them."""
    choices = {**task_options(task), **task.stated}
    if not direct:
        return choices
    own = {k: v for k, v in choices.items() if k not in task.prompting}
    return {**own, PROMPTS: f"none, the model gives {task.direct} itself"}


def place_of(dataset: Dataset) -> str:
    """A digest of where a dataset's files lie, "" where its options do not say."""
    read = (dataset, *parts_of(dataset))
    places = sorted(str(path) for part in read for path in given_paths(part).values())
    return hashlib.sha256("\n".join(places).encode()).hexdigest() if places else ""


def _listed(modules: Mapping[str, Code]) -> JSON:
    """Each module's own digest, by its name, or that of its file where a path was given."""
    given = {name for name in modules if name.startswith(PLUGIN) or "/" in name}
    shown = {name: code.file if name in given else name for name, code in modules.items()}
    return {shown[name]: modules[name].digest for name in sorted(modules)}


def make_plan(
    name: str, task: Task, model: Model, dataset: Dataset, predicting: str, reading: str
) -> JSON:
    """The plan of one task on one dataset with one model.

    Args:
        name: of the task.
        task: its options are part of the plan.
        model: identified by `identity`.
        dataset: by its annotations and options; the pixels stand with each record.
        predicting: digest of the code that predicts.
        reading: digest of the code that reads the dataset.
    """
    options = task_options(task)
    if is_direct(task, model):
        options = {k: v for k, v in options.items() if k not in task.prompting}
    return {
        "predictions": {
            "task": plain(name),
            "options": {k: v for k, v in options.items() if k not in task.scoring},
            "model": identity(model),
            "dataset": {
                "name": "" if dataset.card.own else dataset.card.name,
                "options": constructor_options(dataset),
                "fingerprint": dataset.fingerprint,
                "code": reading,
            },
            "code": predicting,
        },
        "scores": {
            "options": {k: v for k, v in options.items() if k in task.scoring},
            "code": digest_of(modules_of(task)),
            "truth": reading,
        },
    }


def identity(model: Model) -> JSON:
    """All of a model that can move a mask, its code aside."""
    card = model.card
    return {
        "name": card.name,
        "options": constructor_options(model),
        "weights": card.weights_sha256,
        "preprocessing": card.preprocessing,
        "precision": card.precision,
        "parts": [identity(part) for part in parts_of(model) if isinstance(part, Model)],
    }


def protocol(header: JSON, ids: tuple[str, ...]) -> JSON:
    """Protocol card: every choice that moves a number, in words and values.

    Args:
        header: of `describe`.
        ids: the images that the numbers are about.
    """
    about = header["about"]
    return {
        "task": about["choices"],
        **({"preset": about["preset"]} if "preset" in about else {}),
        "model": {**about["model"], "label": about["label"]},
        "dataset": {
            **about["dataset"],
            "images": f"{len(ids)} of {len(header['ids'])}",
            "ids": ids_digest(ids),
        },
        **_foreign(header),
        "sambench": about["sambench"],
    }


def _preset(task: Task) -> JSON:
    """The preset that was asked for, which of its options were given otherwise, what is open."""
    name = preset_of(task)
    if not name:
        return {}
    other = [key for key, value in task.presets[name].items() if getattr(task, key) != value]
    words = f"{name}, but for {', '.join(other)}" if other else name
    unknown = task.left_open.get(name, ())
    return {"preset": f"{words}; its paper leaves open {', '.join(unknown)}" if unknown else words}


def _foreign(header: JSON) -> JSON:
    """Where a task and a dataset come from that are not built in, and the digest of their code."""
    plugins, scores = header["about"].get("plugins", {}), header["plan"]["scores"]
    code = {"task": scores["code"], "dataset": scores["truth"]}
    known = {kind: code[kind] for kind in plugins}
    return {"plugins": plugins, "code": known} if plugins else {}


def ids_digest(ids: Sequence[str]) -> str:
    """SHA-256 over the ids of the images that a result is of."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def _chosen(plugin: Model | Dataset) -> JSON:
    """Options that are not the default and may move a number; nothing where none do."""
    chosen = chosen_options(plugin)
    return {"options": chosen} if chosen else {}


def _plugins(parts: Mapping[str, object]) -> JSON:
    """Which parts are not built in, and where they come from; nothing where all are."""
    foreign = {kind: origin(part) for kind, part in parts.items() if origin(part) != BUILT_IN}
    return {"plugins": foreign} if foreign else {}
