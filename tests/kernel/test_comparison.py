"""A look that is stored is the look that was seen, also where nothing is known yet."""

from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.kernel.canonical import canonical
from trimtab.kernel.comparison import Comparison, comparison_from

numbers = st.floats(-10, 10)
counts = st.integers(0, 10**6)
looks = st.builds(
    Comparison,
    rollout=st.text(max_size=8),
    at_us=counts,
    days=counts,
    metric=st.sampled_from(["roc_auc", "log_loss"]),
    harm=numbers | st.just(math.nan),
    low=numbers | st.just(-math.inf),
    high=numbers | st.just(math.inf),
    upper=numbers | st.just(math.inf),
    confidence=st.floats(0.5, 0.99),
    rows=counts,
    answers=counts,
    checked=counts,
    mismatched=counts,
    example=st.text(max_size=8),
    unscored=counts,
)


@settings(deadline=None, max_examples=100)
@given(looks)
def test_what_is_stored_is_read_back(seen: Comparison) -> None:
    again = comparison_from(json.loads(canonical(seen.body())))
    assert again.body() == seen.body()
    for name, value in vars(seen).items():
        read = getattr(again, name)
        assert read == value or (math.isnan(value) and math.isnan(read)), name
