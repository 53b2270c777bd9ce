"""The bytes under which a prediction was logged, from the prediction: what its row in the table is held against."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from trimtab.kernel.prediction import Prediction
from trimtab.serving.record import encode_record

# A payload is an array of a Prediction's fields in their order. The id follows from its place; what was scored when
# the record was compacted, was not logged.
_FIELDS = [one.name for one in fields(Prediction) if one.name not in ("id", "later")]
_marked = attrgetter(*_FIELDS)
_plain = attrgetter(*_FIELDS[:-2])  # a fallback and its cause stand only where one answered


def logged_form(one: Prediction) -> bytes:
    """As a worker writes it."""
    return encode_record(_marked(one) if one.fallback else _plain(one))
