"""A real headless Chromium without a network but this machine, driven over its DevTools protocol."""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.support.constants import TIMEOUT_S

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Return the path of the program; None if it is not installed."""
    return os.environ.get("BOOKTAPE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page: makes calls in order and collects the events between them."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._is_loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=TIMEOUT_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _load(self, url: str) -> None:
        self._is_loaded = False
        self.call("Page.navigate", url=url)
        while not self._is_loaded:
            self._note(json.loads(self._socket.recv(timeout=TIMEOUT_S)))

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(parameters["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("data:", "blob:")):  # parts of the page itself
                self.requests.append(url)
        elif method == "Page.loadEventFired":
            self._is_loaded = True

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, awaited."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true, evaluated at each animation frame."""
        waiting = (
            "new Promise(done => { const look = () => "
            f"({expression}) ? done(true) : requestAnimationFrame(look); look(); }})"
        )
        assert self.value(waiting)

    def open(self, path: Path, *, width: int, height: int = 900, scheme: str = "light") -> Self:
        """Load a file without any network, and wait until it has drawn everything."""
        self._offline(is_offline=True)
        self.visit(path.as_uri(), width=width, height=height, scheme=scheme)
        self.until_drawn()
        return self

    def leave(self) -> None:
        """Show nothing."""
        self._load("about:blank")

    def _offline(self, *, is_offline: bool) -> None:
        self.call(
            "Network.emulateNetworkConditions",
            offline=is_offline,
            latency=0,
            downloadThroughput=0 if is_offline else -1,
            uploadThroughput=0 if is_offline else -1,
        )

    def visit(self, url: str, *, width: int, height: int = 900, scheme: str = "light") -> Self:
        """Load a page of this machine at a width in a colour scheme, and wait until it says it is ready."""
        if not url.startswith("file:"):
            self._offline(is_offline=False)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.leave()  # the page before may still ask a server that is gone
        self.complaints.clear()
        self.requests.clear()
        self._load(url)
        self.until("document.documentElement.dataset.ready === 'true'")
        return self

    def open_products(self, most: int = 1_000) -> Self:
        """Open the details of all products, or of the first, and wait until their figures are drawn."""
        products = f"[...document.querySelectorAll('.product')].slice(0, {most})"
        self.value(f"{products}.forEach(product => {{ product.open = true; }})")
        self.until_drawn()
        return self

    def until_drawn(self) -> None:
        """Wait until every figure that is visible is drawn."""
        drawn = "plot.dataset.drawn || !plot.checkVisibility()"
        self.until(f"[...document.querySelectorAll('.plot')].every(plot => {drawn})")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def screenshot(self, path: Path, height: int | None = None) -> None:
        """Save the page, or its top, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """Return the page as it prints on A4."""
        found = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        return base64.b64decode(found["data"])


@contextmanager
def browser(program: str, directory: Path) -> Iterator[Page]:
    """Yield a page of a new browser, which is terminated at the end of the block."""
    arguments = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0",
        f"--user-data-dir={directory}",
    ]
    with subprocess.Popen(
        [program, *arguments, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            address = _address(process)
            # A ping moves Python's random numbers from another thread, which property tests refuse.
            with connect(address, max_size=None, proxy=None, ping_interval=None) as socket:
                page = Page(socket)
                target = page.call("Target.createTarget", url="about:blank")["targetId"]
                page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                for domain in ("Page", "Runtime", "Log", "Network"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            process.terminate()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Read the browser's output up to the address it listens on; discard later output."""
    assert process.stderr is not None
    output = b""
    for line in process.stderr:
        if found := re.match(rb"DevTools listening on (ws://\S+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[1].decode()
        output += line
    raise AssertionError(f"the browser ended: {output.decode(errors='replace')}")
