"""The web server of `booktape view`: the page, its scripts, and answers as JSON and Arrow.

It reads and never writes. Everything is under a random token, which is the first part of each path, so that
nobody but who was given the address can read the tape; all other paths are answered with 403.
"""

import hmac
import json
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl

from orderbook.errors import BooktapeError, explain
from recorder.runtime.local_server import LocalHandler, LocalServer
from replay import palette
from replay.viewing.library import Library, Moment, Span
from replay.viewing.reading import ViewError

MOST_CONNECTIONS: Final = 256

_ARROW: Final = "application/vnd.apache.arrow.stream"
_JSON: Final = "application/json"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ViewServer(LocalServer):
    """Serves the page until `shutdown`; close it, or use `with`.

    Memory: what `Library` keeps, and for each connection the answer that it is being sent.

    Args:
        library: what is asked.
        host: address to bind.
        port: port to bind; 0 is any free one.

    Attributes:
        token: the first part of every path that is answered.

    Raises:
        OSError: if the address cannot be bound.
    """

    def __init__(self, library: Library, host: str = "127.0.0.1", port: int = 0) -> None:
        self.library = library
        self.token = secrets.token_urlsafe(24)
        self.files = _static_files()
        super().__init__(host, port, _Handler, MOST_CONNECTIONS)

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}/{self.token}/"


def _static_files() -> dict[str, bytes]:
    """Return the files of the page by their path."""
    folder = resources.files(__package__) / "static"
    found = {each.name: each for each in folder.iterdir()}
    found |= {f"vendor/{each.name}": each for each in (folder / "vendor").iterdir()}
    files = {name: each.read_bytes() for name, each in found.items() if name.endswith(tuple(_KINDS))}
    return files | {"palette.css": palette.css().encode()}


class _GoneError(Exception):
    """The client has closed its connection before its question was answered."""


class _Handler(LocalHandler):
    server: ViewServer
    server_version = "booktape"
    sys_version = ""

    def end_headers(self) -> None:
        """Send the headers that every answer has, a refusal too."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def respond(self) -> None:
        """Answer a file of the page, or a question."""
        path, _, query = self.path.partition("?")
        _, token, name, *_ = [*path.split("/", 2), "", ""]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self.send_error(403, explain="the address has another token: open the one that booktape printed")
            return
        name = name or "index.html"
        if (content := self.server.files.get(name)) is not None:
            kind = next(kind for ending, kind in _KINDS.items() if name.endswith(ending))
            self.answer(content, kind)
            return
        self._answer_question(name, dict(parse_qsl(query)))

    def _answer_question(self, name: str, values: Mapping[str, str]) -> None:
        question = _QUESTIONS.get(name)
        if question is None:
            self.send_error(404)
            return
        library = self.server.library

        def asked() -> bytes | dict[str, Any]:
            self._check()
            return question(library, values, self._check)

        try:
            found = library.ask(asked)
        except _GoneError:
            return
        except (KeyError, ValueError, OverflowError):
            self._refuse(HTTPStatus.BAD_REQUEST, "the request lacks a number, or has one that cannot be read")
        except ViewError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # noqa: BLE001  a tape that is damaged or gone is told to the page
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, _line(error))
        else:
            if isinstance(found, bytes):
                self.answer(found, _ARROW)
            else:
                self.answer(json.dumps(found).encode(), _JSON)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.answer(json.dumps({"error": reason}).encode(), _JSON, status)

    def _check(self) -> None:
        """Raise if the client has gone, as a page that has moved on: then nobody waits for the answer."""
        poll = select.poll()  # unlike select, it takes descriptors of any number
        poll.register(self.connection, select.POLLIN)
        if poll.poll(0) and not self.connection.recv(1, socket.MSG_PEEK):
            raise _GoneError


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, BooktapeError) else explain(error)


def _span(values: Mapping[str, str]) -> Span:
    source, start, end = (int(values[name]) for name in ("source", "start", "end"))
    return Span(source, start, end, float(values.get("step", "0")))


def _moment(values: Mapping[str, str]) -> Moment | None:
    if "time" not in values:
        return None
    return Moment(int(values["time"]), int(values["seq"]) if "seq" in values else None)


_Question = Callable[[Library, Mapping[str, str], Callable[[], None]], bytes | dict[str, Any]]
_QUESTIONS: Final[dict[str, _Question]] = {
    "sources": lambda library, *_: library.sources(),
    "source": lambda library, values, _: library.source(int(values["source"])).described(),
    "now": lambda library, values, _: library.source(int(values["source"])).now(),
    "moment": lambda library, values, _: library.moment(int(values["source"]), int(values["seq"])),
    "segments": lambda library, values, _: library.segments(int(values["source"])),
    "mids": lambda library, values, _: library.mids(int(values["source"])),
    "pictures": lambda library, values, check: library.pictures(
        _span(values), int(values["number"]), _moment(values), check
    ),
    "block": lambda library, values, _: library.block(_span(values), int(values["block"])),
    "own": lambda library, values, _: library.own(_span(values), int(values["lane"])),
}


@contextmanager
def running(server: ViewServer) -> Iterator[None]:
    """Answer requests, on threads, while the block runs."""
    thread = threading.Thread(target=server.serve_forever, name="view", kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
