"""booktape from raw frames against peers: `python tests/benchmarks/bench_peers.py [replay|backtest]`.

The work of `replay`: from the raw frames of a synthetic `level2_batch` tape, compute best bid and ask with
sizes after every message, and count the relative spreads above 1 bp. Every peer is installed from PyPI into
an environment that is kept for later runs; one that cannot be installed is reported and skipped.

booktape reads the tape from disk, through bytewax, and computes its digest. Peers have the frames in memory
and do only the work; their replays of a prepared file read that file. Slow peers get the snapshot and the
first messages only. Each is a process that has done its imports and compilation before; processor time is
measured one after another in rounds, and ratios are taken within a round. The results are compared with a
replay by our plain engine.

The exit code is 1 if a result differs.

The work of `backtest`: run `QuoteWhenWide` over frames and trades, for one setting and for 20, or for as many
as `--settings` tells. Its peer is hftbacktest with the same rule in numba, from the raw frames, and from its
prepared file alone; booktape runs from raw frames, and from the prepared form of the same tape. Orders and
fills are printed and compared for booktape alone: the two exchanges have other rules.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyarrow as pa

from recorder.tape.reader import Tape
from replay.checking.prepare import prepare
from replay.running.api import run
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread, use_one_core
from tests.benchmarks.peers.work import WIDE
from tests.benchmarks.tapes import synthetic_tape, traded_tape
from tests.support.constants import ROOT
from tests.support.tool_environments import HFTBACKTEST, UnavailableError, interpreter

PRODUCT: Final = "BTC-USD"
OURS: Final = "booktape, compiled"
OURS_MAKER: Final = "booktape"
OURS_PREPARED: Final = "booktape, prepared"
MAX_MB: Final = 300
BARE = "from tests.benchmarks.peers.work import resident_mb; print(resident_mb())"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to measure.

    Attributes:
        name: as printed.
        module: name of its runner in `tests/benchmarks/peers/`.
        requirements: packages to install for it; without any, this interpreter runs it.
        arguments: of the runner, with the fields `{raw}`, `{tape}`, `{directory}` and `{prefix}`.
        has_result: whether it does all of the work; a conversion has no result to compare.
    """

    name: str
    module: str
    requirements: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ("{raw}",)
    has_result: bool = True

    @property
    def is_on_prefix(self) -> bool:
        """Whether it gets only the first messages."""
        return "{prefix}" in self.arguments


PEERS: Final = (
    Peer(OURS, "ours", (), ("{tape}", "compiled")),
    Peer("booktape, plain", "ours", (), ("{tape}", "plain")),
    Peer("nautilus_trader 1.221.0 OrderBook", "nautilus", ("nautilus_trader==1.221.0", "orjson")),
    Peer(
        "hftbacktest 2.4.4, conversion",
        "hft",
        HFTBACKTEST,
        ("convert", "{raw}", "{directory}"),
        has_result=False,
    ),
    Peer("hftbacktest, prepared file, HashMap", "hft", HFTBACKTEST, ("hashmap", "{raw}", "{directory}")),
    Peer("hftbacktest, prepared file, ROIVector", "hft", HFTBACKTEST, ("roivector", "{raw}", "{directory}")),
    Peer(
        "hftbacktest, prepared file, ROIVector, one side",
        "hft",
        HFTBACKTEST,
        ("local", "{raw}", "{directory}"),
    ),
    Peer("order-book 0.6.1", "orderbook_c", ("order-book==0.6.1", "orjson"), ("{raw}", "{prefix}")),
    Peer("the tutorial's way", "tutorial", (), ("{raw}", "{prefix}")),
)


def makers(settings: int) -> tuple[Peer, ...]:
    """Return the makers of a market with so many settings."""
    asked = "{raw}", "{directory}", str(settings)
    return (
        Peer(OURS_MAKER, "ours_maker", (), ("{tape}", str(settings))),
        Peer(OURS_PREPARED, "ours_maker", (), ("{prepared}", str(settings))),
        Peer("hftbacktest 2.4.4, from raw", "hft_maker", HFTBACKTEST, ("raw", *asked)),
        Peer("hftbacktest, prepared", "hft_maker", HFTBACKTEST, ("loop", *asked)),
    )


class Runner:
    """The process of a peer, ready to do the work."""

    def __init__(self, peer: Peer, process: "subprocess.Popen[str]") -> None:
        self.peer = peer
        self._process = process
        self.before_mb = float(self._line()["before_mb"])
        self.answers: list[dict[str, Any]] = []

    def work(self) -> float:
        """Do the work once; return the processor time of a message, in seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.answers.append(self._line())
        return float(self.answers[-1]["seconds"] / self.answers[-1]["messages"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise UnavailableError(f"its runner ended with exit code {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def running(peer: Peer, places: dict[str, object]) -> Iterator[Runner]:
    """Run a peer's process while the block runs."""
    command = [interpreter(peer.requirements), "-m", f"tests.benchmarks.peers.{peer.module}"]
    command += [argument.format(**places) for argument in peer.arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Runner(peer, process)  # leaving the block closes stdin, which ends the runner


def write_frames(tape: Path, path: Path) -> None:
    """Write the frames of a tape, one in a line."""
    with path.open("wb") as file:
        for batch in Tape.open(tape).product(PRODUCT).batches():
            is_frame = np.array(batch.column("kind").to_pylist()) == "frame"
            for payload in batch.column("payload").filter(pa.array(is_frame)).to_pylist():
                file.write(payload.encode() + b"\n")


def verdict(summaries: pa.Table, found: dict[str, Any]) -> str:
    """Return whether a peer's result equals our first summaries, with the differences."""
    ours = summaries.slice(0, found["messages"])
    wide = int(np.count_nonzero(ours["relative_spread"].to_numpy() > WIDE))
    expected = {name: ours[name][-1].as_py() for name in ("bid_price", "bid_size", "ask_price", "ask_size")}
    differs = [f"{found['wide']:,} wide, ours {wide:,}"] if found["wide"] != wide else []
    differs += [
        f"{name} {found[name]}, ours {value}"
        for name, value in expected.items()
        if found[name] is not None and found[name] != value
    ]
    if ours.num_rows != found["messages"]:
        differs.append(f"{found['messages']:,} messages, ours {ours.num_rows:,}")
    return f"NOT EQUAL: {'; '.join(differs)}" if differs else "equal"


def report(runner: Runner, costs: dict[str, list[float]], summaries: pa.Table) -> bool:
    """Print a peer's figures; return whether its result equals ours."""
    name = runner.peer.name
    rates = [1 / cost for cost in costs[name]]
    ratios = [cost / ours for cost, ours in zip(costs[name], costs[OURS], strict=True)]
    answer = runner.answers[-1]
    judged = verdict(summaries, answer) if runner.peer.has_result else "nothing to compare"
    print_line(f"{name} (first {answer['messages']:,} messages)" if runner.peer.is_on_prefix else name)
    print_line(f"  messages/s: {spread(rates, ',.0f')}")
    print_line(f"  its time / ours: {spread(ratios, '.2f')}")
    print_line(f"  peak {answer['peak_mb']:,.0f} MB, {runner.before_mb:,.0f} MB before the work; {judged}")
    return not judged.startswith("NOT")


def started(stack: ExitStack, peers: Sequence[Peer], places: dict[str, object]) -> list[Runner]:
    """Start all available peers, and report the others."""
    runners = []
    for peer in peers:
        try:
            runners.append(stack.enter_context(running(peer, places)))
        except UnavailableError as error:
            print_line(f"{peer.name}: skipped, not available ({error})")
    return runners


def measured(runners: Sequence[Runner], rounds: int) -> dict[str, list[float]]:
    """Let all do the work, in rounds; return their processor times of a message, in seconds."""
    costs: dict[str, list[float]] = {runner.peer.name: [] for runner in runners}
    for turn in range(rounds):
        for runner in runners if turn % 2 else reversed(runners):
            costs[runner.peer.name].append(runner.work())
    return costs


def compare_makers(asked: argparse.Namespace) -> int:
    """Measure and print backtests; return 1 if ours differ."""
    tape = traded_tape(asked.frames, asked.depth)
    differ = False
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory) / "frames.jsonl"
        write_frames(tape, raw)
        prepared = Path(shutil.copytree(tape, Path(directory) / "tape"))
        prepare(prepared)
        places = {"raw": raw, "tape": tape, "prepared": prepared, "directory": directory}
        for settings in asked.settings:
            with ExitStack() as stack:
                runners = started(stack, makers(settings), places)
                costs = measured(runners, asked.runs)
            print_line(f"settings: {settings}, {asked.runs} rounds")
            made = {}
            for runner in runners:
                name, answer = runner.peer.name, runner.answers[-1]
                made[name] = answer["orders"], answer["fills"]
                seconds = [cost * answer["messages"] for cost in costs[name]]
                print_line(f"{name}: {answer['orders']:,} orders, {answer['fills']:,} fills")
                print_line(f"  seconds: {spread(seconds, '.3f')}")
                each = [second / settings for second in seconds]
                print_line(f"  seconds for each setting: {spread(each, '.4f')}")
                for ours in (OURS_MAKER, OURS_PREPARED):
                    ratios = [cost / our for cost, our in zip(costs[name], costs[ours], strict=True)]
                    print_line(f"  its time / that of {ours}: {spread(ratios, '.2f')}")
            differ |= made[OURS_MAKER] != made[OURS_PREPARED]
    return int(differ)


def main() -> int:
    """Measure and print; return 1 if a result differs."""
    options = parser(__doc__.partition(":")[0], runs=5, frames=200_000)
    options.add_argument("--prefix", type=int, default=1_000, help="messages for the slow peers (1000)")
    options.add_argument("--settings", type=int, nargs="+", default=[1, 20], help="of a backtest (1 20)")
    options.add_argument("work", nargs="?", choices=("replay", "backtest"), default="replay")
    asked = options.parse_args()
    use_one_core()
    print_line(f"{describe_machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    return compare_makers(asked) if asked.work == "backtest" else compare_replays(asked)


def compare_replays(asked: argparse.Namespace) -> int:
    """Measure and print replays; return 1 if a result differs."""
    depth = max(asked.depth, 20_000)
    tape = synthetic_tape(asked.frames, depth)
    summaries = run(tape, engine="plain").summaries[PRODUCT]
    print_line(f"{asked.frames:,} frames, {depth:,} levels a side, {asked.runs} rounds")
    bare = subprocess.run(
        [sys.executable, "-c", BARE], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        raw = Path(directory) / "frames.jsonl"
        write_frames(tape, raw)
        places = {"raw": raw, "tape": tape, "directory": directory, "prefix": asked.prefix}
        runners = started(stack, PEERS, places)
        costs = measured(runners, asked.runs)
        are_equal = [report(runner, costs, summaries) for runner in runners]
        ours = next(runner for runner in runners if runner.peer.name == OURS)
    peak, empty = ours.answers[-1]["peak_mb"], float(bare.stdout)
    over = peak - ours.before_mb
    print_line(
        f"peak memory of our replay: {over:,.0f} MB over the process with everything imported and compiled, "
        f"{peak - empty:,.0f} MB over a bare interpreter ({empty:,.0f} MB); the bound is {MAX_MB} MB"
    )
    print_line(f"load at the end {os.getloadavg()[0]:.1f}")
    medians = {name: statistics.median(cost) for name, cost in costs.items()}
    ahead = [name for name, cost in medians.items() if cost < medians[OURS]]
    print_line(f"ahead of us: {', '.join(ahead) or 'none'}")
    return int(not all(are_equal))


if __name__ == "__main__":
    sys.exit(main())
