"""Frames a second that one `booktape record` takes: `python tests/benchmarks/bench_record.py`. Linux only.

A server in a process of its own (`tests/benchmarks/feed_server.py`) sends frames of a synthetic market at
an even pace, each millisecond what is due; a recorder in another puts them on a tape. Ten times a second its
metrics tell how many frames are through the book, and so how far it is behind what was due, wherever that
waits: in its queue or in the socket. It falls behind while it seals a segment, every 50,000 rows, and must
have caught up again before the end: it keeps up where it was less than `CAUGHT_UP_S` behind at some look in
the second half, or that late with the last frame. Rates go up until it is not. At every rate each frame that
was sent must be on the tape, in order, and no connection may have ended before we ended it; exit code 1 where
that is not so, or where a rate of `REQUIRED` is not kept up with.

The processor time of a frame is that of the whole recorder process from the first update to the last, with
socket, journal, book, segments and the metrics.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.marks import read_disconnected
from recorder.tape.reader import Tape
from tests.benchmarks.bench_peers import PRODUCT, write_frames
from tests.benchmarks.feed_server import HOST, acknowledgement
from tests.benchmarks.material import machine, parser, spread, synthetic_tape, tell
from tests.recorder.processes import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
REQUIRED: Final = 20_000
CAUGHT_UP_S: Final = 0.1
LOOK_S: Final = 0.1
PATIENCE_S: Final = 120.0
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One recording.

    Attributes:
        frames: updates that were sent.
        cpu_us: processor time of the recorder a frame, microseconds.
        cores: processor time over the time of the updates.
        behind_s: how far it was behind at most.
        caught_up_s: how far it was behind at least, from the middle to the last frame.
        sent_late_s: from when the last was due until the server got rid of it.
        queue_mb: most that was seen waiting inside the recorder.
        problem: what is wrong with the tape; empty where nothing is.
    """

    frames: int
    cpu_us: float
    cores: float
    behind_s: float
    caught_up_s: float
    sent_late_s: float
    queue_mb: float
    problem: str

    @property
    def keeps_up(self) -> bool:
        """Whether nothing was lost and no queue has grown."""
        return not self.problem and self.caught_up_s <= CAUGHT_UP_S


@dataclass(frozen=True, slots=True)
class Look:
    """What the metrics said: when (monotonic), frames that were through the book, bytes that waited."""

    time: float
    frames: float
    queue: float


@contextmanager
def process(*command: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python process while the block runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, text=True, **options
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def gauge(metrics: str, name: str) -> float:
    """Return the value of a metric; 0 where it is not told yet."""
    found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def metrics_of(port: int) -> str:
    """Return the metrics of a recorder; none while it does not listen yet."""
    try:
        with urlopen(f"http://{HOST}:{port}/metrics", timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text
    except URLError:
        return ""


def problem_of(tape: Path, sent: Sequence[str]) -> str:
    """Return what is wrong with a tape that must hold just these frames, on one connection."""
    rows: list[tuple[str, str]] = []
    for batch in Tape.open(tape).product(PRODUCT).batches():
        rows += zip(*(batch.column(name).to_pylist() for name in ("kind", "payload")), strict=True)
    kept = [payload for kind, payload in rows if kind == "frame"]
    ends = [read_disconnected(payload) for kind, payload in rows if kind == "disconnected"]
    if len(ends) != 1 or ends[0].reason != "stopped":
        return f"ended by {', '.join(end.reason for end in ends)}"
    return "" if kept == sent else f"{len(kept):,} of {len(sent):,} frames, or out of order"


def measure(frames: Path, rate: float, seconds: float, engine: str, home: Path) -> Measured:
    """Record one stream."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    tape = home / "tape"
    with process("-m", "tests.benchmarks.feed_server", frames, rate, seconds, **pipes) as server:
        assert server.stdout is not None
        url = f"ws://{HOST}:{json.loads(server.stdout.readline())['port']}"
        port = free_port()
        options = ("--url", url, "--engine", engine, "--metrics-port", port)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with process("-m", "booktape", "record", PRODUCT, "-o", tape, *options, **quiet) as recorder:
            updates = json.loads(server.stdout.readline())["updates"]
            before = cpu_s(recorder.pid)
            looks = watch(port, updates + 2)
            used = cpu_s(recorder.pid) - before
            sent = json.loads(server.stdout.readline())
            recorder.send_signal(signal.SIGTERM)
            recorder.wait(PATIENCE_S)
    lines = frames.read_text(encoding="utf-8").splitlines()[: updates + 1]
    began, took = sent["began"], sent["due"] - sent["began"]
    ended_late = looks[-1].time - began - took
    behind = [
        (look.time - began, look.time - began - (look.frames - 2) / rate)
        for look in looks
        if look.time < began + took
    ]
    return Measured(
        frames=updates,
        cpu_us=used / updates * 1e6,
        cores=used / (looks[-1].time - began),
        behind_s=max(ended_late, *(seconds for _, seconds in behind)),
        caught_up_s=min(ended_late, *(seconds for when, seconds in behind if when > took / 2)),
        sent_late_s=sent["sent"] - sent["due"],
        queue_mb=max(look.queue for look in looks) / 1e6,
        problem=problem_of(tape, [acknowledgement().decode(), *lines]),
    )


def watch(port: int, frames: int) -> list[Look]:
    """Look until so many frames are through the book."""
    looks: list[Look] = []
    patience = time.monotonic() + PATIENCE_S
    while not (looks and looks[-1].frames >= frames) and time.monotonic() < patience:
        time.sleep(LOOK_S)
        metrics = metrics_of(port)
        through, queue = gauge(metrics, "booktape_frames_total"), gauge(metrics, "booktape_queue_bytes")
        looks.append(Look(time.monotonic(), through, queue))
    return looks


def told(rate: int, found: Sequence[Measured]) -> str:
    """Return the line of a rate."""
    problems = {each.problem for each in found if each.problem}
    verdict = "keeps up" if all(each.keeps_up for each in found) else "DOES NOT KEEP UP"
    return (
        f"{rate:,} frames/s ({found[0].frames:,} frames)\n"
        f"  us a frame: {spread([each.cpu_us for each in found], '.1f')}\n"
        f"  cores: {spread([each.cores for each in found], '.2f')}\n"
        f"  behind by {max(each.behind_s for each in found):.2f} s at most, caught up to"
        f" {max(each.caught_up_s for each in found):.2f} s; sent late by"
        f" {max(each.sent_late_s for each in found):.2f} s; queue"
        f" {max(each.queue_mb for each in found):.2f} MB at most\n"
        f"  {'; '.join(problems) or 'all on the tape, in order'}: {verdict}"
    )


def main() -> int:
    """Measure, print, judge."""
    options = parser(__doc__.partition(":")[0], runs=3, frames=200_000)
    options.add_argument("--seconds", type=float, default=10.0, help="of each recording (default: 10)")
    options.add_argument("--engine", choices=("compiled", "plain"), default="compiled")
    options.add_argument(
        "--rates",
        type=int,
        nargs="+",
        default=[1_000, 5_000, 20_000, *range(30_000, 200_000, 10_000)],
        help="frames a second, until one is too much",
    )
    asked = options.parse_args()
    depth = max(asked.depth, 20_000)
    tell(f"{machine()}, load {os.getloadavg()[0]:.1f}, engine {asked.engine}")
    kept_up = 0
    is_whole = True
    with tempfile.TemporaryDirectory() as directory:
        frames = Path(directory) / "frames.jsonl"
        write_frames(synthetic_tape(asked.frames, depth), frames)
        for rate in asked.rates:
            found = []
            for _ in range(asked.runs):
                with tempfile.TemporaryDirectory(dir=directory) as home:
                    found.append(measure(frames, rate, asked.seconds, asked.engine, Path(home)))
            tell(told(rate, found))
            is_whole = is_whole and not any(each.problem for each in found)
            if not all(each.keeps_up for each in found):
                break
            kept_up = rate
    tell(f"keeps up with {kept_up:,} frames/s; {REQUIRED:,} asked for; load {os.getloadavg()[0]:.1f}")
    return int(not is_whole or kept_up < min(REQUIRED, max(asked.rates)))


if __name__ == "__main__":
    sys.exit(main())
