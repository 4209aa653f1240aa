"""One local HTTP origin: a function from requests to answers behind a real socket."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What goes back; `cut_after` hangs up after so many bytes of the body.

    The body goes out `repeat` times, `pause` seconds apart: more than memory holds, or a trickle.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    repeat: int = 1
    pause: float = 0.0


class Origin:
    """Listens on 127.0.0.1 until `stop`, which ends every thread and connection."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


def ranged(request: Request, content: bytes, headers: Mapping[str, str]) -> Answer:
    """The part of `content` that the request's Range header names, or all of it."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    if asked is None:
        return Answer(200, content, headers)
    start, stop = int(asked[1]), min(int(asked[2]) + 1, len(content))
    if start >= stop:
        return Answer(416, headers={"Content-Range": f"bytes */{len(content)}"})
    place = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return Answer(206, content[start:stop], {**headers, **place})


class _Server(ThreadingHTTPServer):
    """Remembers its connections: clients keep them open, so its threads would never end."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Callable[[Request], Answer]

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        self._send(self.answer(request))

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 — the base's names

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        length = str(len(answer.body) * answer.repeat)
        for name, value in {"Content-Length": length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection |= answer.cut_after is not None
        if self.command != "HEAD":
            self._write(answer.body[: answer.cut_after], answer.repeat, answer.pause)

    def _write(self, body: bytes, repeat: int, pause: float) -> None:
        try:
            for _ in range(repeat):
                self.wfile.write(body)
                time.sleep(pause)
        except ConnectionError:
            self.close_connection = True  # a client that refuses an answer need not read it

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base's name
        """Tests look at requests; standard error stays clean."""
