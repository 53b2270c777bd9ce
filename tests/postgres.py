"""A real Postgres server for tests, in a temporary folder, reached by a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_START_S = 30.0


def find_binaries() -> Path | None:
    """The newest server's programs: Debian keeps them outside of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[-3]))
    on_path = shutil.which("postgres")
    found = debian[-1] if debian else Path(on_path) if on_path else None
    return None if found is None else found.parent


class PostgresServer:
    """One server; each test makes its own database in it. Commits need not reach the disk unless asked for."""

    def __init__(self, binaries: Path, *, fsync: bool = False) -> None:
        # Short, because a socket's path may have 107 characters; below /tmp, because `postgres` must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="trimtab-pg-", dir="/tmp"))
        self._made = 0
        user = _unprivileged()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.folder.chmod(0o755)
        data = self.folder / "data"
        locale = ["--no-locale", "--encoding=UTF8"]
        subprocess.run(
            [*_as(user), binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", *locale],
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        settings += [] if fsync else ["-c", "fsync=off", "-c", "synchronous_commit=off"]
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*_as(user), binaries / "postgres", "-D", data, *settings],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        self._wait()

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._made += 1
        name = f"test_{self._made}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=_START_S)
        shutil.rmtree(self.folder)

    def _address(self, name: str) -> str:
        return f"host={self.folder} user=postgres dbname={name}"

    def _wait(self) -> None:
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self._address("postgres")).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError((self.folder / "server.log").read_text()) from None
                time.sleep(0.05)


def _unprivileged() -> pwd.struct_passwd | None:
    """Root must not run the server."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def _as(user: pwd.struct_passwd | None) -> list[str]:
    """Run as `user`, and end when the tests are killed."""
    who = [] if user is None else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *who, "--pdeathsig=INT", "--"]
