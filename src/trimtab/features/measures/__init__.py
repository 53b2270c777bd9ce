"""Measures of a window: one file each."""

from trimtab.features.measures.count import COUNT
from trimtab.features.measures.distinct import DISTINCT
from trimtab.features.measures.last import LAST
from trimtab.features.measures.maximum import MAXIMUM
from trimtab.features.measures.mean import MEAN
from trimtab.features.measures.measure import Measure
from trimtab.features.measures.minimum import MINIMUM
from trimtab.features.measures.percentile import percentile
from trimtab.features.measures.std import STD
from trimtab.features.measures.sum import SUM

MEASURES: dict[str, Measure] = {
    "count": COUNT,
    "distinct": DISTINCT,
    "last": LAST,
    "max": MAXIMUM,
    "mean": MEAN,
    "min": MINIMUM,
    "std": STD,
    "sum": SUM,
}

__all__ = ["MEASURES", "Measure", "percentile"]
