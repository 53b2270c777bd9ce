"""Kinds of sources: one file each. A source's `read=` is taken by exactly one of them."""

from trimtab.data.readers.csv import CSV
from trimtab.data.readers.delta import DELTA
from trimtab.data.readers.frame import FRAME
from trimtab.data.readers.function import FUNCTION
from trimtab.data.readers.offer import Narrowed, Offer, Reader
from trimtab.data.readers.parquet import PARQUET
from trimtab.data.readers.sql import SQL
from trimtab.data.readers.stream import STREAM

READERS: tuple[Reader, ...] = (DELTA, PARQUET, CSV, SQL, STREAM, FRAME, FUNCTION)

__all__ = ["READERS", "Narrowed", "Offer", "Reader"]
