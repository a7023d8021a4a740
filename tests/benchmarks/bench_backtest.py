"""A backtest of up to 500 lanes beside a replay: `python tests/benchmarks/bench_backtest.py`.

Processor time of one process on one core, all in one run, so the ratios hold on a busy machine.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import booktape as bt
from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes
from recorder.settings import EngineName
from tests.benchmarks.measuring import describe_machine, parser, print_line, use_one_core
from tests.benchmarks.tapes import traded_tape
from tests.support.commands import invoke
from tests.support.tool_environments import cache_dir

LANES = (1, 12, 100)
SETTINGS = 500
"""Settings of a whole command: with its statistics, tables and text."""


class Asleep:
    """A strategy that nothing wakes."""

    wakes = Wakes()
    woken = 0

    def __init__(self, product: str, number: int) -> None:
        pass

    def on_event(self, m: MarketView) -> None:
        """Never called."""


class Awake(Asleep):
    """A strategy that is woken by every change at the top of the book, looks, and does nothing."""

    wakes = Wakes(top=True)

    def on_event(self, m: MarketView) -> None:
        """Look."""
        Awake.woken += m.relative_spread > 0


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def thresholds(lanes: int) -> list[str]:
    """Return thresholds from 1 to 50 bps: few of them trade often, as in a sweep."""
    return [f"{1 + 49 * place / max(1, lanes - 1):.3f}bps" for place in range(lanes)]


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__.partition(":")[0], runs=3, frames=50_000)
    arguments.add_argument("--tape", type=Path, help="a tape of one product; default: a synthetic one")
    options = arguments.parse_args()
    use_one_core()
    print_line(describe_machine())
    tape = bt.open(options.tape or traded_tape(options.frames, options.depth))
    (product,) = tape.products
    rows = len(tape.rows(product))
    print_line(f"{rows:,} rows, {options.depth:,} levels a side; {options.runs} runs, medians of CPU time")

    def strategies(kind: type[Asleep], lanes: int, engine: EngineName) -> Callable[[], object]:
        numbers: Sequence[int] = range(lanes)
        return lambda: tape.backtest(kind, sweep={"number": numbers}, keep=False, engine=engine)

    def sweep(
        lanes: int, engine: EngineName, queue: str = "share", html: Path | None = None
    ) -> Callable[[], object]:
        def run() -> None:
            if html is not None:
                html.unlink(missing_ok=True)
            swept = {"threshold": thresholds(lanes)}
            tape.backtest(sweep=swept, keep=False, engine=engine, queue=queue, html=html)

        return run

    page = cache_dir() / "report.html"
    bounds = "back,share,front"
    works: dict[str, Callable[[], object]] = {
        "replay": lambda: tape.replay(keep=False, engine="compiled"),
        "replay, plain engine": lambda: tape.replay(keep=False, engine="plain"),
        "asleep, 1 lane": strategies(Asleep, 1, "compiled"),
        "awake, 1 lane": strategies(Awake, 1, "compiled"),
        "awake, 1 lane, plain engine": strategies(Awake, 1, "plain"),
        **{f"QuoteWhenWide, lanes: {lanes}": sweep(lanes, "compiled") for lanes in LANES},
        "QuoteWhenWide, lanes: 1, at 10 bps": lambda: tape.backtest(
            settings={"threshold": "10bps"}, keep=False, engine="compiled"
        ),
        "100 settings, all queue models": sweep(100, "compiled", bounds),
        "the same, with a report": sweep(100, "compiled", bounds, page),
        "QuoteWhenWide, lanes: 100, with a report": sweep(100, "compiled", html=page),
        "QuoteWhenWide, lanes: 1, plain engine": sweep(1, "plain"),
        f"command, {SETTINGS} settings": whole_command(tape),
        f"command, {SETTINGS} settings, by hour": whole_command(tape, "--by", "hour"),
    }
    for name in ("replay", "asleep, 1 lane"):
        works[name]()  # compiles
    print_line(f"memory of a lane: {lane_bytes(tape) / 1024:.0f} KiB")
    runs: dict[str, list[float]] = {name: [] for name in works}
    wakes: dict[str, list[int]] = {name: [] for name in works}
    for _ in range(options.runs):
        for name, work in works.items():
            Awake.woken = 0
            runs[name].append(seconds(work))
            wakes[name].append(Awake.woken)
    found = {name: statistics.median(times) for name, times in runs.items()}
    for name, cost in found.items():
        ratio = cost / found["replay"]
        print_line(f"{name:38} {cost:7.3f} s, {cost / rows * 1e6:7.2f} us a row, {ratio:6.1f} x replay")
    print_reports(found, page)
    one, many = (found[f"QuoteWhenWide, lanes: {lanes}"] for lanes in (1, 100))
    print_line(f"each further lane: {(many - one) / 99 / rows * 1e9:,.0f} ns a row")
    print_line(f"100 lanes over 1,000,000 such rows: {many / rows * 1e6:.1f} s")
    lanes = one + (SETTINGS - 1) * (many - one) / 99
    for name in (f"command, {SETTINGS} settings", f"command, {SETTINGS} settings, by hour"):
        whole = found[name]
        print_line(f"{name}: {whole:.1f} s for {rows:,} rows, {whole / lanes:.2f} x its lanes")
    woken = statistics.median(wakes["awake, 1 lane"])
    each = (found["awake, 1 lane"] - found["asleep, 1 lane"]) / woken
    print_line(
        f"a wake of a strategy in Python that only looks: {each * 1e6:.2f} us ({woken / rows:.0%} of rows)"
    )


def print_reports(found: dict[str, float], page: Path) -> None:
    """Print what a report adds."""
    for plain, drawn in (
        ("100 settings, all queue models", "the same, with a report"),
        ("QuoteWhenWide, lanes: 100", "QuoteWhenWide, lanes: 100, with a report"),
    ):
        adds = found[drawn] / found[plain] - 1
        print_line(f"{plain}: a report adds {adds:.0%}; its file has {page.stat().st_size / 1e6:.2f} MB")


def whole_command(tape: bt.Tape, *words: str) -> Callable[[], object]:
    """Return a command with many settings, run in this process: all but the start of Python."""
    sweep = f"threshold={','.join(thresholds(SETTINGS))}"
    return lambda: invoke("backtest", str(tape.path), "--sweep", sweep, "--engine", "compiled", *words)


def lane_bytes(tape: bt.Tape) -> float:
    """Return by how much the peak of memory grows with each further lane."""
    peaks = []
    for lanes in (1, 1001):
        tape.backtest(sweep={"threshold": thresholds(lanes)}, keep=False, engine="compiled")
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return (peaks[1] - peaks[0]) / 1000


if __name__ == "__main__":
    main()
