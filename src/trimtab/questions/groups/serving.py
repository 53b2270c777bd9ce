"""Questions of serving."""

from __future__ import annotations

from typing import cast

import polars as pl

from trimtab.house.log_kept import log_kept
from trimtab.house.parity import served
from trimtab.kernel.canonical import Json
from trimtab.kernel.counted import counted
from trimtab.monitoring.scores import by_models
from trimtab.questions.phrases import NO_ANSWERS, NOTHING_DEPLOYED, minute
from trimtab.questions.question import Group, Question
from trimtab.questions.today import Today


def _recorded(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    ids = today.answers["id"].n_unique()
    each = "each with an id of its own" if ids == today.answers.height else f"but only {ids:,} ids"
    return f"{counted(today.answers.height, 'answer')} in the table, {each}"


def _why(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    last = today.answers.row(-1, named=True)
    return f"the newest of {minute(last['at'])}: trimtab explain {last['id']}"


def _latency(today: Today) -> str:
    took = today.answers["latency_us"]
    took = took.filter(took > 0)  # for a row of a batch nobody waited
    if took.is_empty():
        return NO_ANSWERS
    p50, p99 = (cast("float", took.quantile(one, "nearest")) / 1000 for one in (0.5, 0.99))
    return (
        f"from request to committed record: median {p50:.1f} ms, 99 % within {p99:.1f} ms, {took.len():,} answers"
    )


def _lost(today: Today) -> str:
    done = today.entries("segments.compacted")
    corrupt = len(today.entries("segment.corrupt"))
    if not done:
        return NO_ANSWERS
    segments = sum(len(cast("list[Json]", entry.body["segments"])) for entry in done)
    log, there = log_kept(today.house), today.answers.height
    same = "all in the table" if log.answered == there else f"of which {there:,} are in the table"
    if log.kept < log.answered:
        same += f", {log.left_out:,} left out by the sample and {log.expired:,} expired"
    return (
        f"{log.answered:,} answers in {counted(segments, 'segment')}, {same}; {counted(corrupt, 'damaged segment')}"
    )


def _request(today: Today) -> str:
    if today.champion is None:
        return NOTHING_DEPLOYED
    return f"the champion wants {', '.join(name for name, _ in today.champion.request)}, each of its type"


def _once(today: Today) -> str:
    if today.answers.is_empty():
        return NO_ANSWERS
    keys = today.answers["key"].n_unique()
    return f"{counted(keys, 'key')} asked about, {counted(today.answers.height, 'answer')} given"


def _fallbacks(today: Today) -> str:
    declared = [one.name for one in today.house.system.fallback]
    told = f"declared: {', '.join(declared)}" if declared else "none is declared"
    if today.answers.is_empty():
        return told
    answers = today.answers.height
    by_release: int = by_models(served(today.house)).select(pl.len()).collect().item()
    return f"{told}; {counted(answers - by_release, 'answer')} of {answers:,} by a fallback"


SERVING = Group(
    "serving",
    "Serving",
    (
        Question(
            "unrecorded",
            "Does an answer ever leave without its record?",
            "trimtab explain ID",
            "No: request, features, ages, score and release are written first, and the answer carries the "
            "record's id.",
            _recorded,
        ),
        Question(
            "why-this-answer",
            "Why did it say that, about this customer?",
            "trimtab explain ID",
            "From the id back to features, dataset versions, raw rows, release, gates, and who deployed it.",
            _why,
        ),
        Question(
            "latency",
            "How long does an answer take?",
            "trimtab up",
            "Each record has its latency, and the workers' histograms stand at /metrics.",
            _latency,
        ),
        Question(
            "worker-dies",
            "What if a worker dies in the middle of a request?",
            "trimtab up",
            "It is replaced, others go on answering, and every acknowledged answer is in its segment.",
            _lost,
        ),
        Question(
            "model-fails",
            "What is answered when the model or the online store fails?",
            "trimtab explain ID",
            "What System(fallback=[…]) declares: the previous release, a rule or a constant, marked as such; "
            "without one, an error.",
            _fallbacks,
        ),
        Question(
            "wrong-request",
            "What does a wrong request get?",
            "trimtab up",
            "A status and a text that names the row, what is allowed and what was got; never a guess, never a "
            "trace.",
            _request,
        ),
        Question(
            "asked-twice",
            "Was each question answered once?",
            "trimtab questions asked-twice",
            "Each answer has the question's key, so that repeated questions can be counted.",
            _once,
        ),
        Question(
            "many-machines",
            "Can it serve from several machines?",
            "",
            "One machine with several worker processes; the ledger may be in Postgres.",
            open="online store, route board and prediction log are on one machine's disk",
        ),
    ),
)
