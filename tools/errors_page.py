"""`docs/errors.md`: every class of kernel/errors.py, with what it prints for values as they occur."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import datetime

from trimtab.kernel import errors
from trimtab.kernel.errors import TrimtabError

HEAD = """\
<!-- Made by tools/generate_docs.py from src/trimtab/kernel/errors.py. Change that, then: make docs -->

# Errors

An error says what is wrong, **where**, what would be **allowed**, what was **got**, and what to **do**. Parts
that say nothing are left out. The command line prints exactly this text, no traceback, and exits with status 1.
In Python every error is a `trimtab.kernel.errors.TrimtabError` and has the same parts by name:
`error.what`, `.where`, `.allowed`, `.got`, `.do`.

| error | means |
|---|---|
"""


def _samples() -> Iterator[TrimtabError]:
    """One error of each class, made of values as they occur; the place is where the user would look."""
    place = "system.py:31"
    unknown = errors.UnknownName("feature view", "origin_wether", ["origin_weather", "carrier_delay"], where=place)
    negative = errors.InvalidValue("max_age", "0h", allowed="a positive duration", where="system.py:19")
    yield unknown
    yield negative
    yield errors.NaiveTime("--at", datetime(2013, 4, 1, 6, 0), where="trimtab explain")  # noqa: DTZ001 - the mistake
    yield errors.DeclarationInvalid("flight-delay", [unknown, negative])
    yield errors.Misdeclared(
        "feature view",
        "origin_weather",
        "names a source that it does not take",
        where="system.py:19",
        allowed="weather",
        got="wether",
        do="name the source as the function's argument",
    )
    yield errors.NotAProject("/home/ada")
    yield errors.ProjectInvalid(
        "trimtab.toml names a system that cannot be imported",
        where="/home/ada/flights/trimtab.toml",
        allowed="system = 'module:name'",
        got="system = 'flights'",
        do="name the module and the variable, e.g. 'system:flight_delay'",
    )
    yield errors.Conflict("release", "3f9a41c07be2")
    yield errors.NoEvidence(["pointer route/flight-delay", "record release/3f9a41c07be2"])
    yield errors.Corrupt(
        "blob 9c1185a5c5e9",
        where=".trimtab/blobs/9c/1185a5c5e9",
        allowed="bytes of SHA-256 9c1185a5c5e9",
        got="bytes of SHA-256 0b7e6f9a3f0d",
        do="restore the file from a backup; nothing that names it can be used until then",
    )
    yield errors.ContractBreach(
        "weather",
        allowed="what the contract at contracts.py:12 says",
        got="temp in_range(-60, 140): 8214 of 8703 rows",
        do="mend the feed upstream, or change the contract; until then older data serve",
    )
    yield errors.SourceUnreadable(
        "weather",
        where="system.py:12",
        got="no file matches data/weather/*.parquet",
        do="put the file there, or mend the path (it is relative to the project folder)",
    )
    yield errors.NotFound(
        "prediction", "017Q1E9C00008000000W000400", allowed="an id that the server answered", do="look at the id"
    )
    yield errors.NotKept(
        "017Q1E9C00008000000W000400",
        where="segment 0001-0000000007, 2013-04-01",
        policy="keep=400d",
        got="the predictions of 2013-04-01 expired on 2014-05-07",
    )
    yield errors.Refused(
        "deployment of 3f9a41c07be2",
        because="gate floor(roc_auc, at_least=0.65) failed: 0.61, 95 % interval 0.58 to 0.64",
        allowed="a release whose gates all pass",
        do="see the verdicts with: trimtab release show 3f9a41c07be2",
    )
    yield errors.StepFailed(
        "fit", attempts=3, cause="LightGBMError: no rows", log=".trimtab/logs/train-2013-04/fit.log"
    )
    yield errors.StepTimedOut("fit", 600.0)
    yield errors.NotAcknowledged(7, [4121, 4123], 1.0)
    yield errors.ServerUnavailable("127.0.0.1:8600", got="connection refused")
    yield errors.AnswerOverdue("127.0.0.1:8600", within_s=120.0)
    yield errors.TrackingFailed(
        "logging run 'flight-delay/train/2013-04'",
        where="sqlite:////home/ada/flights/.trimtab/mlflow.db",
        got="(sqlite3.OperationalError) database or disk is full",
    )
    yield errors.Busy("the online store", where=".trimtab/online", do="stop the other writer (process 4121)")
    yield errors.RequestInvalid(
        "a field is missing",
        where="row 0",
        allowed="origin, carrier, flight_id",
        got="origin, carrier",
        do="send every field of the request",
    )
    yield errors.LogUnwritable(".trimtab/wal/0001-0000000007.seg", got="No space left on device")
    yield errors.OnlineStoreUnavailable(
        "the online store does not answer",
        where="features:6379/0",
        allowed="an answer within 2 s",
        got="ConnectionError: Error 111 connecting to features:6379. Connection refused.",
        do="start the server, or mend online_url; if it has lost its data: trimtab tick projects them anew",
    )
    yield errors.RowsRefused(
        "clicks",
        "a value has the wrong type",
        where="rows[17].price_eur",
        allowed="Float64, or null",
        got="'12,50'",
        do="mend the row and send all rows again: none was accepted",
    )
    yield errors.NotAStream("weather", ["clicks", "returns"])
    yield errors.InboxUnwritable(".trimtab/inbox/clicks.db", got="database or disk is full", full=True)


def classes() -> list[type[TrimtabError]]:
    """Every class of kernel/errors.py below TrimtabError, in the order of the file."""
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, TrimtabError)]
    return sorted((one for one in found if one is not TrimtabError), key=lambda one: inspect.getsourcelines(one)[1])


def samples() -> dict[type[TrimtabError], TrimtabError]:
    """The sample of each class.

    Raises:
        LookupError: a class has no sample.
    """
    made = {type(one): one for one in _samples()}
    missing = [one.__name__ for one in classes() if one not in made]
    if missing:
        raise LookupError(f"no sample in {__file__}, function _samples, for: {', '.join(missing)}")
    return {one: made[one] for one in classes()}


def page() -> str:
    """The page."""
    rows, sections = [], []
    for one, sample in samples().items():
        meaning = inspect.cleandoc(one.__doc__ or "")
        rows.append(f"| [{one.__name__}](#{one.__name__.lower()}) | {meaning.splitlines()[0]} |\n")
        sections.append(f"\n## {one.__name__}\n\n{meaning}\n\n```text\n{sample}\n```\n")
    return HEAD + "".join(rows) + "".join(sections)
