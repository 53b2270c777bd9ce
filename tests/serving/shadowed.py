"""What shadows have said since, put beside the answers: shadows score after an answer has left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trimtab.kernel.prediction import Prediction


def answers(records: Iterable[Prediction]) -> dict[str, Prediction]:
    """Recorded answers by id; `others` with what shadows' own records add. Each shadow has spoken once at most."""
    by_id = {one.id: one for one in records}  # a segment may be found twice while it is sealed
    found = {id: one for id, one in by_id.items() if one.generation >= 0}
    for one in by_id.values():
        if one.generation >= 0:
            continue
        answered = found[str(one.request["answer"])]
        assert (one.generation, one.key, one.at_us) == (-answered.generation, answered.key, answered.at_us)
        assert one.others == ((answered.release, answered.score),)
        assert one.release not in {answered.release, *(name for name, _ in answered.others)}
        found[answered.id] = replace(answered, others=(*answered.others, (one.release, one.score)))
    return found
