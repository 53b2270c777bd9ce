"""What must hold before the data plane listens: keys where others can reach it; TLS and traces, if asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from trimtab.governance.keys import Keys
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import Refused
from trimtab.project import Project
from trimtab.serving.access import is_loopback
from trimtab.wiring.serving import keys_required, tls_files
from trimtab.wiring.tracing import check_tracing


def check_exposed(project: Project, keys: Keys, now: datetime) -> list[str]:
    """What to say of how the server can be reached, once that is safe.

    Raises:
        Refused: requests must bring a key, and there is none that is valid.
        ProjectInvalid: TLS or traces are asked for, and what they need is not there.
        InvalidValue: traces are asked for that are not offered.
    """
    host = project.settings["host"]
    files = tls_files(project)
    if files is not None:
        files.context()
    check_tracing(os.environ)
    if not keys_required(project):
        return []
    held, valid = keys.all(), keys.valid(now)
    if not valid:
        raise Refused(
            f"listening on {host} without a key" if not is_loopback(host) else "asking for keys without a key",
            because=f"{counted(len(held), 'key')}, all expired" if held else "no key has been made",
            allowed="at least one valid key, or a loopback address without require_keys",
            do="make one: trimtab keys add NAME --scope predict",
        )
    keys.publish()
    said = [f"keys:     every request but /healthz and /readyz needs one of {counted(len(valid), 'valid key')}"]
    return [*said, *_in_the_clear(host, encrypted=files is not None)]


def _in_the_clear(host: str, *, encrypted: bool) -> Sequence[str]:
    if encrypted or is_loopback(host):
        return []
    return [
        "not encrypted: keys and rows can be read on the way; set tls_certificate and tls_key, "
        "or put a proxy with TLS in front"
    ]
