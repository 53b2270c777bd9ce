"""Questions of training."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from trimtab.kernel.canonical import JsonMap, short
from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import version_id
from trimtab.questions.phrases import NOTHING_DEPLOYED, because, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today


def _data(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    training = cast("dict[str, Any]", today.champion.training)
    pins = ", ".join(version_id(name, pin[0]) for name, pin in training["sources"].items())
    days = f"{training['first_at'][:10]} to {training['last_at'][:10]}"
    return (
        f"{counted(training['rows'], 'row')}, {days}, from {pins}; training set {short(training['training_set'])}"
    )


def _rows(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    training = cast("dict[str, Any]", today.champion.training)
    files = sum(
        len(one.files) for name, pin in training["sources"].items() for one in today.versions[name][: pin[0]]
    )
    return (
        f"{short(training['training_set'])}, {counted(training['rows'], 'row')}, follows from code "
        f"{short(today.champion.code)} and {counted(files, 'pinned file')}"
    )


def _again(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    installed = ", ".join(f"{name} {version}" for name, version in today.champion.environment.items())
    return f"the champion's spec gives run {today.champion_facts['run']}, with {installed}"


def _code(today: Today) -> str:
    champion = today.champion
    if champion is None:
        return NOTHING_DEPLOYED
    folder, declared = today.house.code.unpack(champion.code)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    same = today.house.project.code() == today.house.blobs.get(champion.code)
    tree = "the working tree is the same" if same else "the working tree has changed since"
    return f"code {short(champion.code)}: {', '.join(files)}, declared in {declared}; {tree}"


def _tracked(today: Today) -> str:
    run = today.house.reader.record("run", today.champion_facts["run"]) if today.champion_facts else None
    if run is None:
        return NOTHING_DEPLOYED
    logged = cast("JsonMap", run["mlflow"])
    return f"the champion is {logged['model_version']}, MLflow run {str(logged['run'])[:12]}"


def _runs(today: Today) -> str:
    runs = today.entries("run.finished")
    if not runs:
        return "no run has finished yet"
    return f"{counted(len(runs), 'run')} finished, the newest on {minute(runs[-1].at)}: {runs[-1].subject}"


def _refused(today: Today) -> str:
    refused = today.entries("training.refused")
    if not refused:
        return "no training was ever refused"
    return (
        f"{counted(len(refused), 'training')} refused, the last on {minute(refused[-1].at)}: {because(refused[-1])}"
    )


def _reach(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    judged = [cast("dict[str, Any]", one) for one in today.champion.verdicts]
    rows, days = (max((one[name] for one in judged), default=0) for name in ("rows", "blocks"))
    last = minute(datetime.fromisoformat(str(today.champion.training["last_at"])))
    return f"the champion's trial was judged on {counted(rows, 'row')} of {counted(days, 'day')} up to {last}"


TRAINING = Group(
    "training",
    "Training",
    (
        Question(
            "trained-on",
            "What exactly was this model trained on?",
            "trimtab explain ID",
            "Each source is pinned to a version, and the training set itself is kept under its digest.",
            _data,
        ),
        Question(
            "same-rows",
            "Can the rows that it was trained on be made again?",
            "trimtab features rebuild",
            "From the pinned code and files, each held against its SHA-256, byte for byte, whatever has become of "
            "the table's log, the working tree and the copy that was kept.",
            _rows,
        ),
        Question(
            "reproducible",
            "Can I train the very same model again?",
            "trimtab train --now TIME",
            "A run is named by everything that decides it: instant, versions, definitions, code; the same facts "
            "give the same run, whose environment is recorded.",
            _again,
        ),
        Question(
            "which-code",
            "Which code made the model?",
            "trimtab explain ID --json",
            "The project's Python files are kept with the run as they were when it was trained, clean tree or not.",
            _code,
        ),
        Question(
            "tracked",
            "Where is the run in the experiment tracker?",
            "trimtab explain ID",
            "Each run is logged to MLflow with its parameters, trial metrics and model, under a name of its own.",
            _tracked,
        ),
        Question(
            "training-killed",
            "What if training is killed half way?",
            "trimtab train",
            "Its steps are durable: the same command goes on where it stopped, and ends with the same figures.",
            _runs,
        ),
        Question(
            "too-little",
            "What if there is too little to learn from, or to judge by?",
            "trimtab train",
            "Training is refused with the reason, which stands in the ledger; the champion goes on.",
            _refused,
        ),
        Question(
            "holdout",
            "Is the model judged on days that it has not seen?",
            "trimtab release",
            "The last part of the period is held out: a trial model that never saw it is judged on it, by day.",
            _reach,
        ),
        Question(
            "gpu",
            "Can it train on a GPU, or on a cluster?",
            "",
            "The training function is yours, and runs in one process on this machine.",
            open="no remote execution; models must be LightGBM's",
        ),
    ),
)
