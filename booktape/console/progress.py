"""Progress bars for a pass over a tape and for the steps of a walk: on stderr, and only on a terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from booktape.console.terminal import stderr
from booktape.paths import tape_path
from orderbook.engine import Step, Watch
from orderbook.errors import BooktapeError
from recorder.tape.reader import Tape


@contextmanager
def progress_bar(tape: Path | Sequence[Path], products: tuple[str, ...], what: str) -> Iterator[Watch | None]:
    """Yield a function to call with every step; None if stderr is not a terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    try:
        opened = [Tape.open(tape_path(each)) for each in ([tape] if isinstance(tape, Path) else tape)]
        total = sum(each.sealed_rows(products) for each in opened)
    except BooktapeError:
        yield None  # the pass itself will report the error
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total or None, rate="")

        def advance(_product: str, step: Step) -> None:
            speed = progress.tasks[0].speed
            rate = "" if speed is None else f"{speed:,.0f}/s"
            progress.update(task, advance=step.span.rows, rate=rate)

        yield advance


@contextmanager
def steps_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function to call with the number of a step and of all; None if stderr is not a terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda step, steps: progress.update(task, completed=step, total=steps)
