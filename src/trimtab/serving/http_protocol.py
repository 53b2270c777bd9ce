"""uvicorn's HTTP protocol, with errors of HTTP itself answered in the words of every other error."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trimtab.serving.problem import Problem


class JsonErrors(HttpToolsProtocol):
    """Bytes that are no HTTP request get a Problem instead of plain text."""

    def send_400_response(self, msg: str) -> None:
        """Answer and close; the connection's state is unknown."""
        problem = Problem(400, "this is no HTTP request", "the connection", "HTTP/1.1", msg, "send a valid request")
        body = problem.encode()
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()
