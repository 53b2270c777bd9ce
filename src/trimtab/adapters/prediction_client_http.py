"""The native JSON protocol over HTTP, on one kept-alive connection for each thread."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence

import msgspec

from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import AnswerOverdue, RequestInvalid, ServerUnavailable

_TIMEOUT_S = 120.0  # longer than a worker takes to start on a busy machine


class HttpPredictionClient:
    """Implements PredictionClient."""

    def __init__(self, host: str, port: int, system: str) -> None:
        self._host = host
        self._port = port
        self._path = f"/v1/systems/{system}/predict"
        self._local = threading.local()

    def predict(self, rows: Sequence[JsonMap]) -> list[JsonMap]:
        """One request. It is never sent twice: a lost answer may have been recorded.

        Raises:
            ServerUnavailable: the connection broke, and with it whatever had not been recorded.
            AnswerOverdue: the request may be waiting in the socket's queue for a worker that starts.
            RequestInvalid: the server refused the request.
        """
        connection = self._connection()
        try:
            body = msgspec.json.encode({"instances": rows})
            connection.request("POST", self._path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            data = response.read()
        except TimeoutError as error:
            connection.close()
            raise AnswerOverdue(f"{self._host}:{self._port}", within_s=_TIMEOUT_S) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            got = f"{type(error).__name__}: {error}"
            raise ServerUnavailable(f"{self._host}:{self._port}", got=got) from error
        if response.status >= 500:
            got = f"status {response.status}: {data[:200].decode(errors='replace')}"
            raise ServerUnavailable(f"{self._host}:{self._port}", got=got, do="look at .trimtab/logs")
        answer = msgspec.json.decode(data)
        if response.status != 200:
            raise RequestInvalid(**{name: str(text) for name, text in answer["error"].items()})
        predictions: list[JsonMap] = answer["predictions"]
        return predictions

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
            self._local.connection = connection
        return connection
