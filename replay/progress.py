"""Progress of a pass over a tape: on a terminal only, on stderr."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orderbook.engine import Step
from recorder.tape.errors import TapeError
from recorder.tape.overview import row_count
from recorder.tape.reader import Tape
from recorder.terminal import stderr

Advance = Callable[[str, Step], None]


@contextmanager
def showing(tape: Path | Sequence[Path], products: tuple[str, ...], what: str) -> Iterator[Advance | None]:
    """Yield what to call with every step; None where nobody watches."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    try:
        opened = [Tape.open(each) for each in ([tape] if isinstance(tape, Path) else tape)]
        total = sum(row_count(each.product(product)) for each in opened for product in each.select(products))
    except TapeError:
        yield None  # the pass itself will say what is wrong
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


def both(first: Advance | None, second: Advance | None) -> Advance | None:
    """Return what tells two of every step; None where there is none."""
    if first is None or second is None:
        return first or second

    def tell(product: str, step: Step) -> None:
        first(product, step)
        second(product, step)

    return tell
