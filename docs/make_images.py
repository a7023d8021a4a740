"""Draw docs/images: a report, the page of `view`, and the panel of a recording on a terminal.

    python -m docs.make_images

It needs Chromium, and takes half a minute. The prices are those of the sample and of the synthetic exchange.
"""

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.text import Text

from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.browser import Page, browser, chromium

IMAGES: Final = Path(__file__).parent / "images"
COMPARE: Final = "compare sample: -p ETH-USD --sweep 4bps 16bps 2bps --fee 5bps --html"
BACKTEST: Final = "backtest sample: -p ETH-USD --set size=0.05 --set limit=1 -o"
RECORD: Final = "record BTC-USD ETH-USD -o tape"
COLUMNS: Final = 120
DRAWINGS: Final = 40
"""The panel is shown as it is drawn for this time: twice a second."""

TERMINAL: Final = """<!DOCTYPE html>
<html data-ready="true"><meta charset="utf-8">
<body style="margin: 0; padding: 16px; background: #1e1e2e; color: #e4e4f4; width: max-content">
<pre style="font: 15px/1.35 'DejaVu Sans Mono', monospace; margin: 0"><b>$ booktape {command}</b>
{code}</pre>
"""


def draw_report(page: Page, directory: Path) -> None:
    """Draw the top of a report."""
    path = directory / "report.html"
    subprocess.run(
        [sys.executable, "-m", "booktape", *COMPARE.split(), path], check=True, capture_output=True
    )
    page.open(path, width=1120).screenshot(IMAGES / "report.png", height=1400)


def draw_view(page: Page, directory: Path) -> None:
    """Draw the page of a RUN, some seconds after its first order."""
    run = directory / "run"
    subprocess.run(
        [sys.executable, "-m", "booktape", *BACKTEST.split(), run], check=True, capture_output=True
    )
    command = [sys.executable, "-m", "booktape", "view", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        url = process.stdout.readline().strip()
        page.visit(f"{url}?product=ETH-USD&span=30&seq=150", width=1280, height=960)
        page.until("document.documentElement.dataset.seq === '150'")
        page.until("document.documentElement.dataset.strip === 'done'")
        page.screenshot(IMAGES / "view.png", height=960)
        process.terminate()


def draw_panel(page: Page, directory: Path) -> None:
    """Draw the panel of a recording."""
    console = Console(record=True, width=COLUMNS, file=(directory / "printed").open("w"))
    console.print(Text.from_ansi(panel(directory)))
    path = directory / "panel.html"
    code = console.export_html(inline_styles=True, code_format="{code}")
    path.write_text(TERMINAL.format(command=RECORD, code=code), encoding="utf-8")
    page.open(path, width=COLUMNS * 9, height=100).screenshot(IMAGES / "panel.png")


def panel(directory: Path) -> str:
    """Record two products, and return the panel with its colours."""
    markets = [MarketSettings("BTC-USD"), MarketSettings("ETH-USD", mid="1900.00", tick="0.01")]
    master, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "40"}
    with SyntheticExchange(markets, ExchangeSettings(rate=20.0)) as exchange:
        command = [sys.executable, "-m", "booktape", *RECORD.split(), "--url", exchange.url]
        with subprocess.Popen(
            command, cwd=directory, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
        ) as process:
            output = ""
            while output.count("product") < DRAWINGS:
                output += os.read(master, 65536).decode()
            process.send_signal(signal.SIGINT)
            os.close(terminal)
            with suppress(OSError):  # which Linux raises at the end
                while os.read(master, 65536):
                    pass
    os.close(master)
    drawn = output.split("\x1b[2K")[-2 if output.endswith("K") else -1]
    return drawn.replace("\r", "").strip("\n")


def main() -> None:
    """Draw all of them."""
    program = chromium()
    if program is None:
        sys.exit("install chromium, or name one: BOOKTAPE_CHROMIUM=/path python -m docs.make_images")
    with TemporaryDirectory() as name, browser(program, Path(name) / "profile") as page:
        page.call("Emulation.setScrollbarsHidden", hidden=True)
        draw_report(page, Path(name))
        draw_view(page, Path(name))
        draw_panel(page, Path(name))


if __name__ == "__main__":
    main()
