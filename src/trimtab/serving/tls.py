"""TLS by certificate files, as a PEM certificate with its chain and a PEM key that needs no passphrase.

The files are tried before any worker starts. A renewed certificate needs no restart: each worker looks at the files
once a second and takes a new pair for its next connections, and a worker that starts reads them anew; connections
that are open keep the certificate they began with. A pair that does not fit together (one of the two files is
written, the other is not yet) is left alone, and the one before stays in use.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trimtab.kernel.errors import ProjectInvalid, TrimtabError

_LOOK_S = 1.0
_DO = "give a PEM certificate and its own PEM key: tls_certificate and tls_key in trimtab.toml, or options of up"


@dataclass(frozen=True)
class TlsFiles:
    """A certificate with its chain, and its private key."""

    certificate: Path
    key: Path

    def load(self, context: ssl.SSLContext) -> None:
        """Have a context use them.

        Raises:
            ProjectInvalid: a file is missing or is not what it should be, or the two do not belong together.
        """
        for name, path in (("tls_certificate", self.certificate), ("tls_key", self.key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise _wrong(f"{name} cannot be read", path, "a PEM file", error.strerror or str(error)) from error
        try:
            # A passphrase would be asked for at a terminal that no worker has.
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except ssl.SSLError as error:
            raise self._told(error) from error
        except ValueError as error:  # an encrypted key and no passphrase
            raise _wrong("tls_key has a passphrase", self.key, "a key without one", str(error)) from error

    def context(self) -> ssl.SSLContext:
        """A server's context, TLS 1.2 or newer.

        Raises:
            ProjectInvalid: as `load`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.load(context)
        return context

    def _told(self, error: ssl.SSLError) -> ProjectInvalid:
        got = error.reason or str(error)
        if error.reason == "KEY_VALUES_MISMATCH":
            return _wrong("tls_key is not the certificate's key", self.key, f"the key of {self.certificate}", got)
        if _loads_alone(self.certificate):
            return _wrong("tls_key is no private key", self.key, "a PEM key without a passphrase", got)
        return _wrong("tls_certificate is no certificate", self.certificate, "PEM certificates", got)


class RenewingTls:
    """The context of a running server, which follows its files.

    Args:
        report: told when a pair is taken, and when one cannot be.
    """

    def __init__(self, files: TlsFiles, report: Callable[[str], None]) -> None:
        self._files = files
        self._report = report
        self._seen = self._mark()
        self._look_s = time.monotonic() + _LOOK_S
        self.context = files.context()

    def turn(self) -> None:
        """Called every few hundredths of a second."""
        now_s = time.monotonic()
        if now_s < self._look_s:
            return
        self._look_s = now_s + _LOOK_S
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._files.context()  # a pair that does not fit would leave the live context with half of it
            self._files.load(self.context)
        except TrimtabError as error:
            self._report(f"the certificate files have changed, the pair before stays in use: {error}")
        else:
            self._report("the certificate files have changed: new connections get the new certificate")

    def _mark(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_mark(path) for path in (self._files.certificate, self._files.key))


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _loads_alone(certificate: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except ssl.SSLError:
        return False
    return True


def _wrong(what: str, path: Path, allowed: str, got: str) -> ProjectInvalid:
    return ProjectInvalid(what, where=str(path), allowed=allowed, got=got, do=_DO)
