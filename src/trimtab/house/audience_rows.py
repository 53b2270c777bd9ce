"""Which recorded answers are of a segment of the traffic: by the same rule that routed them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import polars as pl

from trimtab.kernel.audience import Audience


def of_audience(answers: pl.DataFrame, audience: Audience | None) -> pl.DataFrame:
    """Those of the rows whose request is in the audience; all of them if there is none.

    Args:
        answers: with the column `request`, JSON as it was recorded, where there is an audience.
        audience: of a rollout.
    """
    if audience is None:
        return answers
    decode = _reader(audience.field)
    values = (decode(one).value for one in answers["request"])
    inside = [value is not msgspec.UNSET and audience.holds({audience.field: value}) for value in values]
    return answers.filter(pl.Series(inside, dtype=pl.Boolean))


@cache
def _reader(field: str) -> Any:
    """Reads one field of a request and passes over the others."""
    value = ("value", Any, msgspec.field(default=msgspec.UNSET, name=field))
    return msgspec.json.Decoder(msgspec.defstruct("OneField", [value])).decode
