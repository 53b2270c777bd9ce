"""skops' bytes without what changes from one writing to the next: addresses in memory, times, unused memory.

skops names each object by its address, its files too, dates the archive, and stores the padding of structured
arrays as it finds it. None of that is the model.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

SCHEMA = "schema.json"
_SOME_DAY = (1980, 1, 1, 0, 0, 0)  # the first one that the format can tell


def canonical_archive(data: bytes) -> bytes:
    """The same objects; the same model gives the same bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        names = _renamed(schema)
        files = {names[one]: _clean(one, archive.read(one)) for one in archive.namelist() if one in names}
    files[SCHEMA] = json.dumps(schema, sort_keys=True, indent=1).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _SOME_DAY), files[name])
    return out.getvalue()


def _renamed(schema: Any) -> dict[str, str]:
    """Number objects in the order in which they appear, in place; the new name of each file."""
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    count = 0
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += reversed(node)
            continue
        if not isinstance(node, dict):
            continue
        if "__id__" in node:
            # Whether two equal numbers are one object is chance; whether two arrays are, is not.
            known = None if node.get("is_json") else numbers.get(node["__id__"])
            if known is None:
                count += 1
                known = numbers[node["__id__"]] = count
            node["__id__"] = known
        file = node.get("file")
        if isinstance(file, str):
            if file not in files:
                files[file] = f"{len(files) + 1:06d}.{file.rpartition('.')[2]}"
            node["file"] = files[file]
        waiting += [node[name] for name in sorted(node, reverse=True)]
    return files


def _clean(name: str, data: bytes) -> bytes:
    if not name.endswith(".npy"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.fields is None:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.fields:
        clean[field] = array[field]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()
