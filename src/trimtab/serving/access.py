"""Who may ask what: the keys in force, and the check of a request against them.

A key comes as `Authorization: Bearer SECRET` (RFC 6750) or as `x-api-key: SECRET`. Missing, unknown, revoked and
expired keys are answered with 401, keys without the scope that an address asks for with 403. Keys are followed
within half a second; the last ones that were read stay in force when they cannot be read any more.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable
from hashlib import sha256

from trimtab.kernel.access_key import SCOPES, AccessKey, Scope
from trimtab.kernel.errors import TrimtabError, listed
from trimtab.kernel.moment import from_us, to_us
from trimtab.ports.clock import Clock
from trimtab.ports.key_board import KeyFollower
from trimtab.serving.problem import Problem
from trimtab.serving.wire import Headers

# Asked by load balancers, which hold no key.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/ping", "/health", "/v2/health/live", "/v2/health/ready"})
_LOOK_S = 0.5
_NAME_BYTES = 8  # of a digest: by these a key is found, the rest is compared in constant time
_WHERE = "header authorization or x-api-key"
_WAYS = "Authorization: Bearer KEY, or x-api-key: KEY"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Belongs to one event loop.

    Args:
        follower: where the keys in force are read; None: no keys are asked.
        clock: keys expire by it.
        report: told when the keys cannot be read.
    """

    def __init__(self, follower: KeyFollower | None, *, clock: Clock, report: Callable[[str], None]) -> None:
        self.open = follower is None
        self._follower = follower
        self._clock = clock
        self._report = report
        self._keys: dict[bytes, tuple[bytes, AccessKey]] = {}  # by the first bytes of the digest
        self._expired: set[str] = set()  # digests, by the clock of the last look
        self._look_s = 0.0
        self._unread = ""
        self.turn()

    def check(self, headers: Headers, scope: Scope | None) -> Problem | None:
        """What a request is refused with; None if it may pass. It costs about a microsecond.

        Args:
            headers: of the request, names in lower case.
            scope: that its address asks for; None: any valid key.
        """
        if self.open:
            return None
        secret = presented(headers)
        if not secret:
            return _refused("no key came with the request", "none", "make one: trimtab keys add NAME --scope SCOPE")
        digest = sha256(secret).digest()
        found = self._keys.get(digest[:_NAME_BYTES])
        if found is None or not hmac.compare_digest(found[0], digest):
            return _refused(
                "the key is not known", "a key that was never made, or was revoked", "trimtab keys ls", invalid=True
            )
        key = found[1]
        if key.digest in self._expired:
            ended = "" if key.expires_us is None else from_us(key.expires_us).isoformat()
            do = f"trimtab keys revoke {key.name}, then trimtab keys add {key.name}"
            return _refused("the key has expired", f"key '{key.name}', valid until {ended}", do, invalid=True)
        if scope is None or scope in key.scopes or (scope == "metrics" and "control" in key.scopes):
            return None
        return _wrong_scope(key, scope)

    def turn(self) -> None:
        """Called every few hundredths of a second: follow the keys, and let them expire."""
        now_s = time.monotonic()
        if self._follower is None or now_s < self._look_s:
            return
        self._look_s = now_s + _LOOK_S
        try:
            if self._follower.changed():
                read = ((bytes.fromhex(one.digest), one) for one in self._follower.current())
                self._keys = {digest[:_NAME_BYTES]: (digest, key) for digest, key in read}
                self._unread = ""
        except (TrimtabError, OSError, ValueError) as error:
            if self._unread != str(error):
                self._unread = str(error)
                self._report(f"the keys cannot be read, those before stay in force: {error}")
        now_us = to_us(self._clock.now())
        keys = (key for _, key in self._keys.values())
        self._expired = {key.digest for key in keys if key.expires_us is not None and key.expires_us <= now_us}


def presented(headers: Headers) -> bytes:
    """The secret that a request brings; empty if it brings none."""
    found = b""
    for name, value in headers:
        if name == b"authorization":
            kind, _, secret = value.strip().partition(b" ")
            if kind.lower() == b"bearer":
                return secret.strip()
        elif name == b"x-api-key":
            found = value.strip()
    return found


def _refused(what: str, got: str, do: str, *, invalid: bool = False) -> Problem:
    """401. A request that tried no key is told how, without an error code (RFC 6750, 3.1)."""
    error = f', error="invalid_token", error_description="{what}"' if invalid else ""
    return Problem(401, what, _WHERE, _WAYS, got, do, challenge=f'Bearer realm="trimtab"{error}')


def _wrong_scope(key: AccessKey, scope: Scope) -> Problem:
    """403."""
    return Problem(
        403,
        f"the key may not do this: it has no scope '{scope}'",
        _WHERE,
        f"a key with scope {scope}" + (" or control" if scope == "metrics" else ""),
        f"key '{key.name}' with scope {listed(key.scopes)}",
        f"make one: trimtab keys add NAME --scope {scope} (scopes: {listed(SCOPES)})",
        challenge=f'Bearer realm="trimtab", error="insufficient_scope", scope="{scope}"',
    )
