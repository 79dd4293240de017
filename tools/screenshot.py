"""Takes pictures of pages with Chromium, without a screen.

The pages may draw with WebGL and need time: a picture is taken when a page says that it is ready.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
READY_SECONDS = 120.0


class Page:
    """A page of a browser, by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls = 0

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """What the browser answers to a method of the protocol.

        Raises:
            RuntimeError: it answers with an error.
        """
        self._calls += 1
        request = {"id": self._calls, "method": method, "params": parameters}
        self._connection.send(json.dumps(request))
        while True:
            answer = json.loads(self._connection.recv(timeout=READY_SECONDS))
            if answer.get("id") == self._calls:
                break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def open(self, address: str, ready: str) -> None:
        """Opens an address and waits until an expression is true there.

        Raises:
            TimeoutError: it does not become true.
        """
        self.call("Page.navigate", url=address)
        self.wait(ready)

    def wait(self, ready: str) -> None:
        """Waits until an expression is true.

        Raises:
            TimeoutError: it does not become true.
        """
        end = time.monotonic() + READY_SECONDS
        while not self.value(ready):
            if time.monotonic() > end:
                raise TimeoutError(f"the page never came to: {ready}")
            time.sleep(0.2)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Moves the mouse with its left button held."""
        for kind, (x, y) in (
            ("mousePressed", start),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=int(kind != "mouseReleased"),
                clickCount=1,
            )

    def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


def browser_path() -> str | None:
    """The browser that is installed, if any is."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def open_page(width: int, height: int) -> Iterator[Page]:
    """An empty page of a browser that is started for it, of this size in pixels.

    Raises:
        RuntimeError: there is no Chromium, or it does not start.
    """
    path = browser_path()
    if path is None:
        raise RuntimeError("no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(path, "--headless=new", "--no-sandbox", "--no-first-run"),
                *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(Path(profile)), max_size=None) as connection:
                page = Page(connection)
                page.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=height,
                    deviceScaleFactor=1,
                    mobile=False,
                )
                yield page
        finally:
            process.terminate()
            process.wait()


def _address(profile: Path) -> str:
    """The address of the first page's debugger, once the browser has written its port."""
    file = profile / "DevToolsActivePort"
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if file.is_file() and (lines := file.read_text().splitlines()):
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                pages = [entry for entry in json.load(answer) if entry["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.2)
    raise RuntimeError("Chromium does not start")
