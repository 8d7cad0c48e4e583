"""The page of a training that goes on, served on this machine alone.

A thread answers a browser that polls; as long as none asks, nothing is made. The page
is made of what lies in the folder of the run, as the finished one is.
"""

import json
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

from throughtime.errors import CannotServe, ThroughtimeError
from throughtime.report.extra import check_extra
from throughtime.report.page import main_part, page
from throughtime.report.reading import read_run
from throughtime.train.showing.progress import Moment, Reporter, Row

_HOST: Final = "127.0.0.1"
# Seconds: how long ago a browser that still watches has asked, and how long the end
# waits for it to ask once more.
_WATCHES: Final = 5.0
_LAST_LOOK: Final = 3.0
# To make the page takes a twentieth of the time at most: the rest is the training's.
_SPARED: Final = 20.0


class LivePage:
    """Serves the page from the first moment of a training to its end.

    Its `beside` is what `throughtime.fit` takes as `reporter`.

    Raises
    ------
    ReportExtraMissing
        The packages of ``throughtime[report]`` are not installed.
    """

    def __init__(self) -> None:
        check_extra("--watch live")
        self._served: _Served | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._served is not None:
            self._served.end()

    @property
    def address(self) -> str | None:
        """Where the page is; None before the training begins."""
        return None if self._served is None else self._served.address

    def beside(self, other: Reporter, folder: Path) -> Reporter:
        """Serve the page of a training, and tell another reporter, too.

        Raises
        ------
        CannotServe
            The system does not let us.
        """
        self._served = _Served(folder)
        return _Told(other, self._served)


class _Told:
    """Keeps where the training is, and tells another reporter."""

    def __init__(self, other: Reporter, served: "_Served") -> None:
        self.other, self._served = other, served

    def __enter__(self) -> Self:
        self.other.__enter__()
        self.other.say(f"live page: {self._served.address}")
        return self

    def __exit__(self, *details: object) -> None:
        self.other.__exit__(*details)

    def say(self, text: str) -> None:
        self.other.say(text)

    def batch(self, now: Moment) -> None:
        self._served.now = now
        self.other.batch(now)

    def epoch(self, row: Row) -> None:
        self._served.epochs = row["epoch"]
        self.other.epoch(row)


class _Served:
    """A server in a thread of its own, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now: Moment | None = None
        self.epochs = 0
        self.ended = False
        self._asked, self._told_the_end = 0.0, threading.Event()
        self._shown, self._cost, self._made_at = 0, 0.0, 0.0
        self._made: dict[str, tuple[object, str]] = {}
        self._making = threading.Lock()
        try:
            self._server = ThreadingHTTPServer((_HOST, 0), _handler(self))
        except OSError as error:
            raise CannotServe(host=_HOST, reason=error.strerror or error) from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{_HOST}:{self._server.server_port}/"

    def end(self) -> None:
        """Let a browser that watches see the end, then serve no longer."""
        self.ended = True
        if time.monotonic() - self._asked < _WATCHES:
            self._told_the_end.wait(_LAST_LOOK)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[str, str] | None:
        """Give content and kind of what is asked for; None: there is no such thing."""
        self._asked = time.monotonic()
        if path == "/state":
            return self._state(), "application/json"
        if path == "/":
            return self._once(path, lambda run: page([run], live=True)), "text/html"
        if path == "/main":
            ended = self.ended
            content = self._once(path, lambda run: main_part([run]))
            if ended:  # the last that a browser asks for
                self._told_the_end.set()
            return content, "text/html"
        return None

    def _state(self) -> str:
        spared = time.monotonic() - self._made_at
        if self.ended or spared >= _SPARED * self._cost:
            self._shown = self.epochs
        state = {"epochs": self._shown, "ended": self.ended, "words": self._words()}
        return json.dumps(state)

    def _words(self) -> str:
        if self.ended:
            return (
                "The training has ended. `throughtime report RUN` writes this page to "
                "a file."
            )
        now = self.now
        if now is None:
            return "The training has begun."
        return f"Epoch {now.epoch}, update {now.done} of {now.of}: loss {now.loss:.4g}."

    def _once(self, path: str, make: Callable[[Any], str]) -> str:
        """Make it if there is something to show since it was made."""
        with self._making:
            key = self._shown, self.ended
            known = self._made.get(path)
            if known is None or known[0] != key:
                begun = time.monotonic()
                known = self._made[path] = key, make(read_run(self.folder))
                self._made_at = time.monotonic()
                self._cost = self._made_at - begun
            return known[1]


def _handler(served: _Served) -> type[BaseHTTPRequestHandler]:
    """Answer for a page; what cannot be made is said, and the training goes on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page of the network that lets its own name lead here gets nothing.
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host not in {_HOST, "localhost"}:
                self.send_error(HTTPStatus.FORBIDDEN)
                return
            try:
                found = served.answer(self.path)
            except ThroughtimeError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            content, kind = found[0].encode(), found[1]
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: standard error is the training's."""

    return Handler
