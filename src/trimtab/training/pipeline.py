"""The training pipeline: training set → trial on held-out days → model refit on all of them.

Gates judge the recipe on the trial, whose model has not seen the last days. What is released is the same recipe
refit on everything, for the last days are the ones that resemble tomorrow most.
"""

from __future__ import annotations

import math
from datetime import UTC

import numpy as np
import polars as pl

from trimtab.kernel.artefact import attach
from trimtab.kernel.canonical import Json, JsonMap, sha256
from trimtab.kernel.errors import Refused
from trimtab.kernel.moment import from_us
from trimtab.kernel.step import pipeline, step
from trimtab.stats.log_loss import log_loss
from trimtab.training.backtest import choose_window
from trimtab.training.spec import TrainingSpec, spec_from
from trimtab.training.training_data import TrainingData, encode, learn_features
from trimtab.training.workshop import workshops

KEY, AT, LABEL = "_key", "_at", "_label"
RESERVED = (KEY, AT, LABEL, "label", "challenger", "champion", "block")  # names that no request field may have
_DAY_US = 86_400_000_000
_MIN_ROWS = 50


@step
def training_set(spec: JsonMap) -> pl.DataFrame:
    """Questions whose label was known, with their features as of then; in the order of the questions."""
    read = spec_from(spec)
    rows = workshops.of(read.system).training_set(read).sort(AT, KEY)
    if rows.height < _MIN_ROWS or rows[LABEL].n_unique() < 2:
        raise Refused(
            f"training of {read.system}",
            because=f"{rows.height} questions have a known label, of {rows[LABEL].n_unique()} classes",
            allowed=f"at least {_MIN_ROWS} rows and both classes",
            do="ingest more data first (trimtab up), or look at what was quarantined",
        )
    other = rows[LABEL].unique().cast(pl.Float64).is_in([0.0, 1.0]).not_().sum()
    if other:
        raise Refused(
            f"training of {read.system}",
            because=f"the label has {other} values other than 0 and 1",
            allowed="0 and 1, or false and true",
            do="declare a label column that says yes or no",
        )
    return rows


@step
def fit(asked: tuple[JsonMap, pl.DataFrame]) -> bytes:
    """A model of a spec's rows, in its stored form."""
    spec, rows = asked
    shop = workshops.of(str(spec["system"]))
    features = learn_features(rows, shop.feature_names)
    label = rows[LABEL].cast(pl.Float64).to_numpy()
    return shop.fit(TrainingData(encode(rows, features), label, features, seed=_seed(spec)))


@step
def defended(spec: JsonMap, rows: pl.DataFrame) -> pl.DataFrame:
    """What the champion says to the held-out rows, as `champion`; without one, the share of yes before them."""
    read = spec_from(spec)
    before, after = split(rows, read)
    if read.champion:
        scores = workshops.of(read.system).champion_scores(read.champion, after)
    else:
        scores = np.full(after.height, float(before[LABEL].cast(pl.Float64).to_numpy().mean()))
    return pl.DataFrame({"champion": scores})


@step
def trial(spec: JsonMap, rows: pl.DataFrame, model: bytes, window: int, champion: pl.DataFrame) -> pl.DataFrame:
    """What challenger and champion say to the held-out rows: `label`, `challenger`, `champion`, `block`, fields."""
    read = spec_from(spec)
    shop = workshops.of(read.system)
    before, after = split(rows, read)
    matrix = encode(after, learn_features(within(before, window), shop.feature_names))
    fields = [name for name in after.columns if name not in (AT, LABEL, *shop.feature_names)]
    return after.select(
        pl.col(LABEL).cast(pl.Float64).alias("label"),
        pl.Series("challenger", shop.predict(model, matrix)),
        champion["champion"],
        (pl.col(AT).dt.epoch("us") // _DAY_US).alias("block"),
        *fields,
    )


@pipeline
def train(spec: JsonMap) -> dict[str, Json]:
    """A run: everything by digest, the trial and the model kept as artefacts."""
    read = spec_from(spec)
    rows = training_set(spec)
    before, _ = split(rows, read)
    windows = sorted(set(read.windows_us), key=lambda window: window or math.inf, reverse=True)
    # All at once, and with them the model that is released unless a shorter window wins, which is seldom.
    parts = [within(before, window) for window in windows]
    *tried, likely = fit.map([(spec, part) for part in (*parts, within(rows, windows[0]))])
    champion = defended(spec, rows)
    trials = {
        window: trial(spec, rows, model, window, champion) for window, model in zip(windows, tried, strict=True)
    }
    window = choose_window(trials)
    chosen = within(rows, window)
    model = likely if window == windows[0] else fit((spec, chosen))
    return {
        **keep(spec, chosen, trials[window], model),
        "window_us": window,
        "backtest": {
            str(one): log_loss(*(judged[name].to_numpy() for name in ("label", "challenger")))
            for one, judged in trials.items()
        },
    }


@step
def keep(spec: JsonMap, rows: pl.DataFrame, judged: pl.DataFrame, model: bytes) -> dict[str, Json]:
    """What the run leaves behind, as plain data."""
    shop = workshops.of(str(spec["system"]))
    features = learn_features(rows, shop.feature_names)
    trial_ipc = attach("trial.arrow", ipc(judged))
    set_ipc = ipc(rows)
    return {
        "model": attach("model", model).digest,
        "trial": trial_ipc.digest,
        "training_set": attach("training_set.arrow", set_ipc).digest,
        "training_set_sha256": sha256(set_ipc),
        "rows": rows.height,
        "trial_rows": judged.height,
        "first_at": _iso(rows, 0),
        "last_at": _iso(rows, -1),
        "base_rate": float(rows[LABEL].cast(pl.Float64).to_numpy().mean()),
        "features": [one.body() for one in features],
        "predictor": shop.prove(model, encode(rows, features)),
    }


def split(rows: pl.DataFrame, spec: TrainingSpec) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows before the held-out days, and those of them.

    Rows that the champion was trained on are never held out: it would be judged on what it has seen.

    Raises:
        Refused: one side is empty.
    """
    # The champion's own period ends with its last instant, which it was trained on.
    edge = from_us(max(spec.until_us - spec.holdout_us, spec.champion_until_us + 1))
    before, after = rows.filter(pl.col(AT) < edge), rows.filter(pl.col(AT) >= edge)
    if before.is_empty() or after.is_empty():
        raise Refused(
            f"training of {spec.system}",
            because=f"{before.height} rows are before the held-out period and {after.height} in it",
            allowed="rows on both sides",
            do="shorten the system's holdout, or wait until there are labels that the champion has not seen",
        )
    return before, after


def within(rows: pl.DataFrame, window_us: int) -> pl.DataFrame:
    """The last part of the rows, `window_us` long; all of them if it is 0."""
    if not window_us:
        return rows
    return rows.filter(pl.col(AT).dt.epoch("us") > pl.col(AT).dt.epoch("us").max() - window_us)


def ipc(frame: pl.DataFrame) -> bytes:
    """A frame as an Arrow IPC file."""
    sink = frame.rechunk().write_ipc(None, compression="zstd")
    return sink.getvalue()


def _iso(rows: pl.DataFrame, place: int) -> str:
    return str(rows[AT][place].astimezone(UTC).isoformat())


def _seed(spec: JsonMap) -> int:
    return int(sha256(str(spec["system"]).encode())[:7], 16)
