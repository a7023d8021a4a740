"""What the panel shows of a recording, a live feed and a replay; where there is no terminal, nothing does."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from booktape.console import terminal
from booktape.console.panel import LOADING, OPENING, WAITING, Panel, PanelContent
from booktape.paths import tape_path
from orderbook import display
from orderbook.engine import Step, Watch
from orderbook.tally import Tally
from recorder.installed import tape_name
from recorder.monitor.log_lines import status_lines
from recorder.monitor.status import FeedView, ProductStatus, RecordingView, RowStatus
from recorder.tape.reader import Tape
from recorder.tape.store.local import free_bytes


def recording(view: RecordingView, log_every: float | None) -> AbstractContextManager[None]:
    """Report on a recording: by the panel on a terminal, else by a status line every `log_every` seconds."""
    console = terminal.stderr()
    if not console.is_terminal:
        return nullcontext() if log_every is None else status_lines(view, log_every)
    writer = view.writer

    def foot() -> str:
        journal, sealed = writer.sizes()
        shipped = "" if view.shipper is None else f"{view.shipper.status.line()}  "
        return (
            f"journal {display.size(journal)}  sealed {display.size(sealed)}  "
            f"queue {display.size(view.reader.queue.queued_bytes)}  "
            f"disk left {display.size(free_bytes(writer.path))}  {shipped}Ctrl-C ends"
        )

    return _shown(_feed_content(view, f"record {writer.path}", foot))


def live(view: FeedView) -> AbstractContextManager[None]:
    """Show the panel of a live feed, on a terminal."""
    if not has_panel():
        return nullcontext()
    return _shown(_feed_content(view, "live", lambda: "nothing is kept  Ctrl-C ends"))


def has_panel() -> bool:
    """Return whether there is a terminal for the panel."""
    return terminal.stderr().is_terminal


@contextmanager
def replay(
    tape: Path, products: tuple[str, ...], speed: float, above: float, *, is_followed: bool
) -> Iterator[Watch | None]:
    """Show the panel of a replay that takes its time; yield what takes every step, if there is a terminal."""
    if not has_panel():
        yield None
        return
    opened = Tape.open(tape_path(tape))
    title = f"{'follow' if is_followed else 'replay'} {tape_name(opened.path)}"
    if math.isfinite(speed):
        title = f"{title} at speed {speed:g}"
    names = opened.select(products)
    tallies = {product: Tally(above) for product in names}
    status = RowStatus(tallies)
    total = opened.sealed_rows(names)
    last: dict[str, float | None] = dict.fromkeys(names)

    def watch(product: str, step: Step) -> None:
        tallies[product].add(step)
        status.update(product, step)
        if step.trades is not None and step.trades.trades.num_rows:
            last[product] = step.trades.trades.column("price")[-1].as_py()

    def traded(product: str) -> tuple[int, float | None]:
        counts = tallies[product].trades
        return (0 if counts is None else counts.trades), last[product]

    def foot() -> str:
        rows = sum(tally.rows for tally in tallies.values())
        times = [tally.last_time for tally in tallies.values() if tally.last_time is not None]
        where = f"at {display.time_of_day(max(times))} UTC" if times else "no row yet"
        of = "" if is_followed else f" of {total:,}"
        return f"row {rows:,}{of}  {where}  Ctrl-C ends{' and shows the result' if is_followed else ''}"

    is_over = threading.Event()

    def state(_product: str, state: ProductStatus) -> str:
        return "ended" if is_over.is_set() else "open" if state.has_book else "no book"

    with _shown(PanelContent(title=title, status=status, state=state, foot=foot, trades=traded)):
        try:
            yield watch
        finally:
            is_over.set()  # most tapes end with a disconnect: the last picture must not tell of a lost book


def _feed_content(view: FeedView, command: str, foot: Callable[[], str]) -> PanelContent:
    return PanelContent(
        title=f"{command}  {view.reader.endpoint.public_url}",
        status=view.status,
        state=partial(_connection_state, view),
        foot=foot,
        notes=partial(_notes, view),
        trades=view.reader.trades if view.reader.reads_trades else None,
        standing=view.standing if view.trades_on_paper else None,
    )


def _notes(view: FeedView) -> list[str]:
    trouble = view.trouble() if view.reader.has_begun else None  # no frame comes while an engine is loaded
    given_up = [f"{product} given up: {reason}" for product, reason in view.reader.given_up.items()]
    return given_up if trouble is None else [*given_up, trouble]


def _connection_state(view: FeedView, product: str, state: ProductStatus) -> str:
    if product in view.reader.given_up:
        return "given up"
    if state.has_book:
        return "open"
    if view.reader.is_connected(product):
        return WAITING
    if view.reader.is_ending or product in view.reader.problems:
        return "ended"
    return OPENING if view.reader.has_begun else LOADING


def _shown(content: PanelContent) -> AbstractContextManager[None]:
    return terminal.panel(Panel(terminal.stderr(), content).render)
