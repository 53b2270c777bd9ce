"""The online store by its setting."""

from __future__ import annotations

from typing import Any

from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter
from trimtab.kernel.errors import ProjectInvalid
from trimtab.ports.online_store import OnlineReader, OwnedStore
from trimtab.project import Project
from trimtab.wiring.late import adapter


def open_writer(project: Project) -> OwnedStore:
    """For the one process that writes it."""
    if not (url := project.settings["online_url"]):
        return LmdbWriter(project.home / "online")
    redis = _redis()
    writer: OwnedStore = redis.RedisWriter(url, redis.made_prefix(project.home))
    return writer


def open_reader(project: Project) -> OnlineReader:
    """For all others."""
    if not (url := project.settings["online_url"]):
        return LmdbReader(project.home / "online")
    redis = _redis()
    reader: OnlineReader = redis.RedisReader(url, redis.known_prefix(project.home))
    return reader


def _redis() -> Any:
    try:
        return adapter("online_redis")
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ProjectInvalid(
            "the online store needs a package that is not installed",
            where="online_url",
            allowed="empty (LMDB), or with the extra 'redis'",
            got=f"a URL, without the package '{error.name}'",
            do="pip install 'trimtab[redis]'",
        ) from error
