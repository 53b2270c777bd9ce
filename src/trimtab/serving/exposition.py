"""Counts as text: Prometheus' exposition format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from trimtab.serving.counts import Counts
from trimtab.serving.metric_families import FAMILIES, Family

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def text_of(counts: Counts) -> bytes:
    """Every family, in the order of their declaration; one without series says only what it is."""
    return ("\n".join(line for family in FAMILIES.values() for line in _lines(family, counts)) + "\n").encode()


def _lines(family: Family, counts: Counts) -> Iterator[str]:
    yield f"# HELP {family.name} {_escaped(family.help)}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, numbers in sorted(counts.get(family.name, {}).items()):
        if family.kind != "histogram":
            yield f"{family.name}{_braced(family.labels, labels)} {_number(numbers[0])}"
            continue
        *buckets, total = numbers
        below = list(accumulate(buckets))
        for bound, count in zip((*map(_number, family.bounds), "+Inf"), below, strict=True):
            within = _braced((*family.labels, "le"), (*labels, bound))
            yield f"{family.name}_bucket{within} {_number(count)}"
        yield f"{family.name}_sum{_braced(family.labels, labels)} {_number(total)}"
        yield f"{family.name}_count{_braced(family.labels, labels)} {_number(below[-1])}"


def _braced(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}"


def _number(number: float) -> str:
    """As short as it can be read back.

    >>> _number(3.0), _number(0.0025), _number(1e22)
    ('3', '0.0025', '1e+22')
    """
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(float(number))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    r"""A label's value.

    >>> print(_quoted('a "b"\\c'))
    a \"b\"\\c
    """
    return _escaped(text).replace('"', r"\"")
