"""booktape's replay from raw frames against peers: `python tests/benchmarks/bench_peers.py`.

The work: the raw frames of a synthetic `level2_batch` tape -> best bid and ask with sizes after every message
-> how many relative spreads are above 1 bp. Every peer is installed from PyPI into an environment of its own,
which is kept for the next run; one that cannot be installed is told and left out.

booktape reads the tape from disk, through bytewax, and computes its digest. Peers have the frames in memory,
one by one, and compute nothing but the work; their replays of a prepared file read that file. The slow ones
get the snapshot and the first messages only. All are processes of their own that did their importing and
compiling before, measured in processor time, one after another in rounds; ratios are taken within a round.
What each found is held against a replay by our plain engine.

Exit code 1 where one found something else.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pyarrow as pa

from recorder.tape.reader import Tape
from replay.running import run
from tests.benchmarks.material import home, machine, parser, spread, synthetic_tape, tell
from tests.benchmarks.peers.work import WIDE

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = "BTC-USD"
OURS: Final = "booktape, compiled"
MAX_MB: Final = 300
INSTALL_S: Final = 900
BARE = "from tests.benchmarks.peers.work import resident_mb; print(resident_mb())"


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table.

    Attributes:
        name: as it is told.
        module: its runner, below `tests/benchmarks/peers/`.
        needs: what pip installs for it; nothing runs it with this interpreter.
        arguments: of the runner; `{raw}`, `{tape}`, `{directory}` and `{prefix}` stand for what they say.
        finds: whether it does all of the work; a conversion has nothing to compare.
    """

    name: str
    module: str
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ("{raw}",)
    finds: bool = True

    @property
    def is_on_prefix(self) -> bool:
        """Whether it gets the first messages only."""
        return "{prefix}" in self.arguments


_HFT: Final = ("hftbacktest==2.4.4", "numpy<2.3", "orjson")  # with a later NumPy it does not import
PEERS: Final = (
    Peer(OURS, "ours", (), ("{tape}", "compiled")),
    Peer("booktape, plain", "ours", (), ("{tape}", "plain")),
    Peer("nautilus_trader 1.221.0 OrderBook", "nautilus", ("nautilus_trader==1.221.0", "orjson")),
    Peer("hftbacktest 2.4.4, conversion", "hft", _HFT, ("convert", "{raw}", "{directory}"), finds=False),
    Peer("hftbacktest, prepared file, HashMap", "hft", _HFT, ("hashmap", "{raw}", "{directory}")),
    Peer("hftbacktest, prepared file, ROIVector", "hft", _HFT, ("roivector", "{raw}", "{directory}")),
    Peer("hftbacktest, prepared file, ROIVector, one side", "hft", _HFT, ("local", "{raw}", "{directory}")),
    Peer("order-book 0.6.1", "orderbook_c", ("order-book==0.6.1", "orjson"), ("{raw}", "{prefix}")),
    Peer("the tutorial's way", "tutorial", (), ("{raw}", "{prefix}")),
)


class UnavailableError(Exception):
    """A peer cannot be had here, or does not run."""


def interpreter(needs: tuple[str, ...]) -> str:
    """Return a Python that has what a peer needs, made where it is not there yet.

    Raises:
        UnavailableError: where pip fails; it says why.
    """
    if not needs:
        return sys.executable
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = "-".join((*needs, version)).translate(str.maketrans("=<>", "___"))
    directory = home() / "peers" / name
    python, ready = directory / "bin" / "python", directory / "ready"
    if ready.exists():
        return str(python)
    tell(f"installing {', '.join(needs)}")
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(directory)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        raise UnavailableError((error.stderr.strip().splitlines() or ["pip failed"])[-1]) from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"pip took over {INSTALL_S} s") from None
    ready.touch()
    return str(python)


class Runner:
    """A peer's process, ready to do the work whenever it is asked."""

    def __init__(self, peer: Peer, process: "subprocess.Popen[str]") -> None:
        self.peer = peer
        self._process = process
        self.before_mb = float(self._line()["before_mb"])
        self.answers: list[dict[str, Any]] = []

    def work(self) -> float:
        """Do the work once; return processor seconds a message."""
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
    """Start a peer's runner; it ends with the block."""
    command = [interpreter(peer.needs), "-m", f"tests.benchmarks.peers.{peer.module}"]
    command += [argument.format(**places) for argument in peer.arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Runner(peer, process)  # leaving the block closes stdin: the runner's end


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def write_frames(tape: Path, path: Path) -> None:
    """Write the frames of a tape, one a line."""
    with path.open("wb") as file:
        for batch in Tape.open(tape).product(PRODUCT).batches():
            is_frame = np.array(batch.column("kind").to_pylist()) == "frame"
            for payload in batch.column("payload").filter(pa.array(is_frame)).to_pylist():
                file.write(payload.encode() + b"\n")


def verdict(summaries: pa.Table, found: dict[str, Any]) -> str:
    """Say whether what a peer found equals the first so many of our summaries."""
    ours = summaries.slice(0, found["messages"])
    wide = int(np.count_nonzero(ours["relative_spread"].to_numpy() > WIDE))
    told = {name: ours[name][-1].as_py() for name in ("bid_price", "bid_size", "ask_price", "ask_size")}
    differs = [f"{found['wide']:,} wide, ours {wide:,}"] if found["wide"] != wide else []
    differs += [
        f"{name} {found[name]}, ours {value}"
        for name, value in told.items()
        if found[name] is not None and found[name] != value
    ]
    if ours.num_rows != found["messages"]:
        differs.append(f"{found['messages']:,} messages, ours {ours.num_rows:,}")
    return f"NOT EQUAL: {'; '.join(differs)}" if differs else "equal"


def report(runner: Runner, costs: dict[str, list[float]], summaries: pa.Table) -> bool:
    """Tell a peer's figures; return whether it found what we did."""
    name = runner.peer.name
    rates = [1 / cost for cost in costs[name]]
    ratios = [cost / ours for cost, ours in zip(costs[name], costs[OURS], strict=True)]
    answer = runner.answers[-1]
    judged = verdict(summaries, answer) if runner.peer.finds else "nothing to compare"
    tell(f"{name} (first {answer['messages']:,} messages)" if runner.peer.is_on_prefix else name)
    tell(f"  messages/s: {spread(rates, ',.0f')}")
    tell(f"  its time / ours: {spread(ratios, '.2f')}")
    tell(f"  peak {answer['peak_mb']:,.0f} MB, {runner.before_mb:,.0f} MB before the work; {judged}")
    return not judged.startswith("NOT")


def started(stack: ExitStack, places: dict[str, object]) -> list[Runner]:
    """Start all peers that can be had, and tell of the others."""
    runners = []
    for peer in PEERS:
        try:
            runners.append(stack.enter_context(running(peer, places)))
        except UnavailableError as error:
            tell(f"{peer.name}: skipped, it cannot be had ({error})")
    return runners


def main() -> int:
    """Measure, print, judge."""
    options = parser(__doc__.partition(":")[0], runs=5, frames=200_000)
    options.add_argument("--prefix", type=int, default=1_000, help="messages for the slow ones (1000)")
    asked = options.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    depth = max(asked.depth, 20_000)
    tell(f"{machine()}, one of them used, load {os.getloadavg()[0]:.1f}")
    tape = synthetic_tape(asked.frames, depth)
    summaries = run(tape, engine="plain").summaries[PRODUCT]
    tell(f"{asked.frames:,} frames, {depth:,} levels a side, {asked.runs} rounds")
    bare = subprocess.run(
        [sys.executable, "-c", BARE], env=_environment(), check=True, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        raw = Path(directory) / "frames.jsonl"
        write_frames(tape, raw)
        runners = started(stack, {"raw": raw, "tape": tape, "directory": directory, "prefix": asked.prefix})
        costs: dict[str, list[float]] = {runner.peer.name: [] for runner in runners}
        for turn in range(asked.runs):
            for runner in runners if turn % 2 else reversed(runners):
                costs[runner.peer.name].append(runner.work())
        are_equal = [report(runner, costs, summaries) for runner in runners]
        ours = next(runner for runner in runners if runner.peer.name == OURS)
    peak, empty = ours.answers[-1]["peak_mb"], float(bare.stdout)
    over = peak - ours.before_mb
    tell(
        f"peak memory of our replay: {over:,.0f} MB over the process with everything imported and compiled, "
        f"{peak - empty:,.0f} MB over a bare interpreter ({empty:,.0f} MB); under {MAX_MB} MB asked for"
    )
    tell(f"load at the end {os.getloadavg()[0]:.1f}")
    medians = {name: statistics.median(cost) for name, cost in costs.items()}
    ahead = [name for name, cost in medians.items() if cost < medians[OURS]]
    tell(f"ahead of us: {', '.join(ahead) or 'none'}")
    return int(not all(are_equal))


if __name__ == "__main__":
    sys.exit(main())
