"""The rows of a batch: a Parquet or CSV file whose columns are the fields of a request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from trimtab.features.request_frame import TYPES, request_columns
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import InvalidValue, NotFound, RequestInvalid, TrimtabError, listed
from trimtab.kernel.moment import from_us, parse_instant, to_us
from trimtab.serving.rows import AS_OF, key_of

PART_ROWS = 10_000
_ENDINGS = (".parquet", ".csv")
_INSTANT = next(name for name, kind in TYPES.items() if kind == pl.Datetime("us", "UTC"))


@dataclass(frozen=True)
class Instants:
    """What the file says of when its rows are asked."""

    oldest_us: int | None  # None: no row says it
    newest_us: int | None
    all: bool  # whether each row does


class BatchFile:
    """One file, held to the request of a release."""

    def __init__(self, path: Path, request: Sequence[tuple[str, str]], key: str) -> None:
        """Look at its columns.

        Raises:
            NotFound: there is no such file.
            InvalidValue: no .parquet or .csv file that can be read.
            RequestInvalid: a field has no column, or one that cannot be of its type.
        """
        self.path = path
        self._request = tuple(request)
        self._key = key
        self._rows = _scan(path)
        try:
            self._schema = self._rows.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            got = (str(error) or type(error).__name__).splitlines()[0]
            raise InvalidValue("--batch", str(path), allowed=f"a file that can be read; it says: {got}") from None
        self._text = path.suffix == ".csv"
        missing = [name for name, _ in request if name not in self._schema]
        if missing:
            raise _wrong(
                "fields have no column", str(path), listed(name for name, _ in request), listed(self._schema)
            )
        for name, kind in request:
            self._check(name, kind)
        if AS_OF in self._schema and AS_OF not in dict(request):
            self._check(AS_OF, _INSTANT)

    @property
    def left_out(self) -> list[str]:
        """Columns that no request has."""
        return [name for name in self._schema if name not in dict(self._request) and name != AS_OF]

    @cached_property
    def rows(self) -> int:
        """How many there are; each has a key.

        Raises:
            RequestInvalid: none, or one without a key.
        """
        keyless = pl.arg_where(pl.col(self._key).is_null()).first().alias("keyless")
        found = self._rows.select(pl.len().alias("rows"), keyless).collect().row(0, named=True)
        if not found["rows"]:
            raise _wrong("the batch has no rows", str(self.path), "at least one row", "0 rows")
        if found["keyless"] is not None:
            where = f"{self.path}, row {found['keyless'] + 1}"
            raise _wrong("a row has no key", where, f"a '{self._key}' in each row", "null")
        return int(found["rows"])

    @cached_property
    def instants(self) -> Instants:
        """Of `as_of`, read once."""
        if AS_OF not in self._schema:
            return Instants(None, None, all=False)
        oldest, newest, nulls = [], [], 0
        for part in self._rows.select(AS_OF).collect_batches(chunk_size=PART_ROWS, maintain_order=True):
            at_us = self._instants(part[AS_OF], 0)
            nulls += at_us.null_count()
            oldest += [at_us.min()]
            newest += [at_us.max()]
        least, most = (pl.Series(some, dtype=pl.Int64) for some in (oldest, newest))
        return Instants(least.min(), most.max(), all=not nulls)  # type: ignore[arg-type]

    def parts(self, size: int) -> Iterator[list[dict[str, Json]]]:
        """The rows as requests carry them, `size` at a time: the same parts each time.

        Raises:
            RequestInvalid: a value that its field cannot have.
        """
        names = [name for name, _ in self._request] + ([AS_OF] if AS_OF in self._schema else [])
        first = 0
        for part in _exactly(self._rows.select(list(dict.fromkeys(names))), size):
            columns = [self._column(part[name], name, kind, first) for name, kind in self._request]
            if AS_OF in part.columns and AS_OF not in dict(self._request):
                columns.append(self._instants(part[AS_OF], first))
            rows = pl.DataFrame(columns).to_dicts()
            for row in rows:
                if row.get(AS_OF, 0) is None:
                    del row[AS_OF]
            yield rows
            first += part.height

    def check(self, progress: Callable[[str, int, int], None]) -> None:
        """Hold each row to the request, before any of them is scored.

        Raises:
            RequestInvalid: a value that its field cannot have, or an empty key.
        """
        fields = [one for one in self._request if one[0] != AS_OF]
        first = 0
        for rows in self.parts(PART_ROWS):
            try:
                request_columns([{name: row[name] for name, _ in fields} for row in rows], fields)
                for number, row in enumerate(rows):
                    key_of(row, self._key, number)
            except RequestInvalid as error:
                raise told_by_row(error, self.path, first) from None
            first += len(rows)
            progress("checking", first, self.rows)

    def _check(self, name: str, kind: str) -> None:
        held = self._schema[name]
        if self._text or held == pl.Null or _holds(held, kind):
            return
        allowed = "instants with a zone, or whole numbers of microseconds" if kind == _INSTANT else kind
        raise _wrong(f"column '{name}' has another type than its field", str(self.path), allowed, str(held))

    def _column(self, values: pl.Series, name: str, kind: str, first: int) -> pl.Series:
        """As JSON carries it: instants are microseconds."""
        if kind == _INSTANT:
            return self._instants(values, first)
        try:
            if self._text and kind == "Boolean":
                return values.str.to_lowercase().replace_strict(
                    {"true": True, "false": False}, return_dtype=pl.Boolean
                )
            column = values.cast(TYPES[kind])
        except pl.exceptions.PolarsError as error:
            raise self._misfit(name, kind, first, len(values), error) from None
        return column.fill_nan(None) if kind == "Float64" else column

    def _instants(self, values: pl.Series, first: int) -> pl.Series:
        if isinstance(values.dtype, pl.Datetime):
            return values.dt.epoch("us")
        if values.dtype != pl.String:
            return values.cast(pl.Int64)
        try:
            told = [None if text is None else to_us(parse_instant(text, values.name)) for text in values]
        except TrimtabError as error:
            raise self._misfit(values.name, _INSTANT, first, len(values), error) from None
        return pl.Series(values.name, told, dtype=pl.Int64)

    def _misfit(self, name: str, kind: str, first: int, rows: int, error: Exception) -> RequestInvalid:
        got = error.got if isinstance(error, TrimtabError) else str(error).splitlines()[0]
        where = f"{self.path}, column '{name}', rows {first + 1} to {first + rows}"
        return _wrong("a value does not fit its field", where, kind, got)


def file_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InvalidValue: there is none.
    """
    _refuse(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def told_by_row(error: RequestInvalid, path: Path, first: int) -> RequestInvalid:
    """An error about rows of a part, which begins behind `first` rows, with the file's row."""
    head, bracket, rest = error.where.partition("instances[")
    number, _, field = rest.partition("]")
    if head or not bracket or not number.isdigit():
        return error
    column = f", column '{field[1:]}'" if field else ""
    return error.at(f"{path}, row {first + int(number) + 1}{column}")  # type: ignore[return-value,unused-ignore]


def _scan(path: Path) -> pl.LazyFrame:
    _refuse(path)
    if path.suffix == ".parquet":
        return pl.scan_parquet(path, glob=False)
    # As text: a key that looks like a number is a key all the same.
    return pl.scan_csv(path, infer_schema=False, glob=False)


def _refuse(path: Path) -> None:
    if path.suffix not in _ENDINGS:
        raise InvalidValue("--batch", str(path), allowed=f"a file that ends in {' or '.join(_ENDINGS)}")
    if not path.is_file():
        raise NotFound("file of rows", str(path), allowed="a file that can be read", do="look at the path again")


def _exactly(rows: pl.LazyFrame, size: int) -> Iterator[pl.DataFrame]:
    """In parts of that size; the last may be smaller."""
    held: list[pl.DataFrame] = []
    count = 0
    for batch in rows.collect_batches(chunk_size=size, maintain_order=True):
        held.append(batch)
        count += batch.height
        if count >= size:
            whole = pl.concat(held)
            cut = count - count % size
            yield from whole[:cut].iter_slices(size)
            held, count = [whole[cut:]], count - cut
    if count:
        yield pl.concat(held)


def _holds(held: pl.DataType, kind: str) -> bool:
    match kind:
        case "String":
            return isinstance(held, pl.String | pl.Categorical | pl.Enum)
        case "Int64":
            return held.is_integer()
        case "Float64":
            return held.is_numeric()
        case "Boolean":
            return held == pl.Boolean
    return held.is_integer() or held == pl.String or getattr(held, "time_zone", None) is not None


def _wrong(what: str, where: str, allowed: str, got: str) -> RequestInvalid:
    return RequestInvalid(what, where=where, allowed=allowed, got=got, do="mend the file: nothing of it was scored")


def future(instants: Instants, now_us: int, path: Path) -> None:
    """Refuse questions of the future.

    Raises:
        RequestInvalid: there is one.
    """
    if instants.newest_us is not None and instants.newest_us > now_us:
        allowed = f"up to now, {from_us(now_us).isoformat()}"
        got = from_us(instants.newest_us).isoformat()
        raise _wrong("a row asks about the future", f"{path}, column '{AS_OF}'", allowed, got)
