"""Every error of Trimtab.

An error is built from values, never from prose, and says five things: what is wrong, where, what would be
allowed, what was found, and what to do next. Lists of allowed values are derived from the code that accepts
them. The command line prints exactly this text and no traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Names as one line, capped so that a wide table cannot flood a terminal.

    >>> listed(["b", "a"])
    'a, b'
    >>> listed(range(20), most=3)
    '0, 1, 2 … (20 in all)'
    """
    shown = list(names)
    if all(isinstance(name, str) for name in shown):
        shown.sort(key=str)
    line = ", ".join(str(name) for name in shown[:most])
    return f"{line} … ({len(shown)} in all)" if len(shown) > most else line or "nothing"


def shown(value: object, *, most: int = 100) -> str:
    """A value that somebody sent, as one capped line; of one nested deeper than Python can show, its type.

    >>> shown("é"), shown([1, None]), shown("a" * 50, most=5)
    ("'é'", '[1, None]', "'aaaa")
    """
    try:
        return repr(value)[:most]
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"


class TrimtabError(Exception):
    """Base of all errors; carries the five parts by name."""

    def __init__(self, what: str, *, where: str = "", allowed: str = "", got: str = "", do: str = "") -> None:
        self.what = what
        self.where = where
        self.allowed = allowed
        self.got = got
        self.do = do
        super().__init__(what, where, allowed, got, do)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (workers, durable steps); subclasses take values, so rebuild by state.
        return _rebuild, (type(self), self.what, self.where, self.allowed, self.got, self.do), self.__dict__

    def at(self, place: str) -> Self:
        """The same error, with the place where the user wrote what it is about."""
        self.where = place
        return self

    def lines(self) -> list[tuple[str, str]]:
        """The parts that are present, in reading order: (name, text)."""
        parts = [("where", self.where), ("allowed", self.allowed), ("got", self.got), ("do", self.do)]
        return [(name, text) for name, text in parts if text]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {name + ':':<9}{text}" for name, text in self.lines())])


def _rebuild(cls: type[TrimtabError], what: str, where: str, allowed: str, got: str, do: str) -> TrimtabError:
    error = cls.__new__(cls)
    TrimtabError.__init__(error, what, where=where, allowed=allowed, got=got, do=do)
    return error


class UnknownName(TrimtabError):
    """A name that nobody declared. Unknown never falls back to a default."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "", do: str = "") -> None:
        super().__init__(
            f"unknown {kind} '{name}'",
            where=where,
            allowed=listed(known),
            got=name,
            do=do or f"use one of the {kind}s listed, or declare '{name}'",
        )


class InvalidValue(TrimtabError):
    """A setting or argument outside what is allowed."""

    def __init__(self, name: str, got: object, *, allowed: str, where: str = "", do: str = "") -> None:
        super().__init__(
            f"{name} has a value that is not allowed",
            where=where,
            allowed=allowed,
            got=repr(got),
            do=do or f"give {name} a value that is allowed",
        )


class NaiveTime(TrimtabError):
    """A time without a zone: it means a different instant on each machine."""

    def __init__(self, name: str, got: object, *, where: str = "") -> None:
        super().__init__(
            f"{name} is a time without a zone",
            where=where,
            allowed="times with a zone, e.g. 2013-04-01T00:00:00+00:00",
            got=repr(got),
            do="attach the zone where the time is made (datetime(..., tzinfo=UTC), dt.replace_time_zone in Polars)",
        )


class DeclarationInvalid(TrimtabError):
    """All that is wrong with a system's declaration, found at once when it is applied."""

    def __init__(self, system: str, problems: Sequence[TrimtabError]) -> None:
        self.problems = list(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(
            f"the declaration of system '{system}' has {count}",
            got="\n\n".join(str(problem) for problem in self.problems),
            do="mend each of them; nothing has been applied",
        )

    def __str__(self) -> str:
        problems = "\n".join(f"\n{number}. {problem}" for number, problem in enumerate(self.problems, 1))
        return f"{self.what}; nothing has been applied\n{problems}"


class Misdeclared(TrimtabError):
    """One thing in a declaration that cannot work."""

    def __init__(
        self, kind: str, name: str, what: str, *, where: str, allowed: str = "", got: str = "", do: str = ""
    ) -> None:
        super().__init__(f"{kind} '{name}': {what}", where=where, allowed=allowed, got=got, do=do)


class NotAProject(TrimtabError):
    """A command was run where no project is."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            "no Trimtab project here",
            where=folder,
            allowed="a folder with a trimtab.toml, or any folder below one",
            do="cd into the project, or make one with: trimtab init NAME",
        )


class ProjectInvalid(TrimtabError):
    """The project's own files cannot be used."""

    def __init__(self, what: str, *, where: str, got: str = "", allowed: str = "", do: str = "") -> None:
        super().__init__(what, where=where, got=got, allowed=allowed, do=do)


class Conflict(TrimtabError):
    """An immutable record was written a second time with other content."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(
            f"{kind} '{id}' exists already with other content",
            allowed="the identical content, or a new id",
            do="records are immutable: write a new one",
        )


class NoEvidence(TrimtabError):
    """A change of state was about to be committed without a ledger entry."""

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__(
            "a change of state has no ledger entry",
            allowed="at least one entry in the unit of work that moves, records or sends something",
            got=listed(changes),
            do="append the entry that says why, in the same unit of work",
        )


class Corrupt(TrimtabError):
    """Stored bytes are not what they were when they were written."""

    def __init__(self, what: str, *, where: str, allowed: str, got: str, do: str) -> None:
        super().__init__(f"{what} is corrupt", where=where, allowed=allowed, got=got, do=do)


class ContractBreach(TrimtabError):
    """A source broke its contract in a way that quarantine cannot mend."""

    def __init__(self, source: str, *, allowed: str, got: str, do: str) -> None:
        super().__init__(
            f"source '{source}' broke its contract", where=f"source {source}", allowed=allowed, got=got, do=do
        )


class SourceUnreadable(TrimtabError):
    """A source's data cannot be read at all."""

    def __init__(self, source: str, *, where: str, allowed: str = "", got: str, do: str) -> None:
        super().__init__(f"source '{source}' cannot be read", where=where, allowed=allowed, got=got, do=do)


class NotFound(TrimtabError):
    """Something that was asked for by id does not exist."""

    def __init__(self, kind: str, id: str, *, allowed: str = "", do: str = "") -> None:
        super().__init__(f"there is no {kind} '{id}'", allowed=allowed, got=id, do=do)


class NotKept(TrimtabError):
    """A prediction that was answered and recorded, and is not kept by the system's policy."""

    def __init__(self, id: str, *, where: str, policy: str, got: str) -> None:
        super().__init__(
            f"prediction '{id}' is not kept any more",
            where=where,
            allowed=f"predictions that the policy keeps: {policy}",
            got=got,
            do="ask about one that is kept, or look in a backup; System(log=…) says what is kept from now on",
        )


class Refused(TrimtabError):
    """An action that the evidence does not allow."""

    def __init__(self, action: str, *, because: str, allowed: str = "", do: str = "") -> None:
        super().__init__(f"{action} was refused", allowed=allowed, got=because, do=do)


class StepFailed(TrimtabError):
    """A durable step gave up after its retries."""

    def __init__(self, step: str, *, attempts: int, cause: str, log: str = "") -> None:
        super().__init__(
            f"step '{step}' failed after {attempts} attempt{'s' if attempts > 1 else ''}",
            where=log,
            got=cause,
            do="mend the cause and run the same command: finished steps are not run again",
        )


class StepTimedOut(TrimtabError):
    """A durable step ran past its time-out."""

    def __init__(self, step: str, timeout_s: float) -> None:
        super().__init__(
            f"step '{step}' ran past its time-out",
            allowed=f"at most {timeout_s:g} s",
            do="raise the step's timeout, or make it faster",
        )


class NotAcknowledged(TrimtabError):
    """Workers that did not take over a new route in time; they have been replaced."""

    def __init__(self, generation: int, workers: Sequence[int], within_s: float) -> None:
        super().__init__(
            f"route generation {generation} was not acknowledged by all workers",
            allowed=f"every live worker within {within_s:g} s",
            got=f"silent: process {listed(workers)}",
            do="silent workers are stopped and replaced by the supervisor; look at its log for the reason",
        )


class ServerUnavailable(TrimtabError):
    """The data plane does not answer."""

    def __init__(self, address: str, *, got: str, do: str = "") -> None:
        super().__init__(f"no answer from {address}", got=got, do=do or "start it with: trimtab up")


class AnswerOverdue(TrimtabError):
    """A request without an answer that may still be answered, and recorded, by a worker that comes late."""

    def __init__(self, address: str, *, within_s: float) -> None:
        super().__init__(
            f"no answer from {address} in time",
            allowed=f"an answer within {within_s:g} s",
            do="look at .trimtab/logs; run the same command again: it asks the log first what was answered",
        )


class TrackingFailed(TrimtabError):
    """The tracking server does not answer, or does not take a run."""

    def __init__(self, action: str, *, where: str, got: str) -> None:
        super().__init__(
            f"{action} failed",
            where=where,
            got=got,
            do="see that the tracking server answers (MLFLOW_TRACKING_URI), then run the same command again",
        )


class Busy(TrimtabError):
    """Another process does this already."""

    def __init__(self, what: str, *, where: str, do: str) -> None:
        super().__init__(f"{what} is in use by another process", where=where, do=do)


class RequestInvalid(TrimtabError):
    """A prediction request that cannot be answered; answered with status 400."""

    def __init__(self, what: str, *, where: str = "", allowed: str = "", got: str = "", do: str = "") -> None:
        super().__init__(what, where=where, allowed=allowed, got=got, do=do)


class LogUnwritable(TrimtabError):
    """The prediction log cannot take a record: nothing is answered without one; answered with status 503."""

    def __init__(self, where: str, *, got: str) -> None:
        super().__init__(
            "the prediction log cannot be written",
            where=where,
            allowed="an answer only after its record has been written",
            got=got,
            do="free space on that disk, then send the request again: nothing was answered or recorded as answered",
        )


class OnlineStoreUnavailable(TrimtabError):
    """The online store does not answer, or has lost what it held; answered with status 503, never with nulls."""

    def __init__(self, what: str, *, where: str, allowed: str = "", got: str, do: str) -> None:
        super().__init__(what, where=where, allowed=allowed, got=got, do=do)


class RowsRefused(TrimtabError):
    """Rows that a stream does not take, told by the first wrong one; none is accepted; answered with status 422."""

    def __init__(self, stream: str, what: str, *, where: str, allowed: str, got: str, do: str) -> None:
        super().__init__(f"stream '{stream}': {what}", where=where, allowed=allowed, got=got, do=do)


class NotAStream(TrimtabError):
    """Rows were sent to a source that is read from elsewhere; answered with status 409."""

    def __init__(self, source: str, streams: Iterable[str]) -> None:
        super().__init__(
            f"source '{source}' takes no rows",
            where=f"source {source}",
            allowed=f"streams: {listed(streams)}",
            got="a source that is read from where it was declared to lie",
            do="write the rows there, or declare the source with trimtab.stream",
        )


class InboxUnwritable(TrimtabError):
    """Rows of a stream that could not be made durable: none was accepted; answered with status 507 or 503."""

    def __init__(self, where: str, *, got: str, full: bool) -> None:
        self.full = full  # the disk; anything else may pass by itself
        super().__init__(
            "the rows could not be stored",
            where=where,
            allowed="an answer only after the rows have reached the disk",
            got=got,
            do=("free space on that disk, then send" if full else "send")
            + " the rows again: none of this request was accepted",
        )
