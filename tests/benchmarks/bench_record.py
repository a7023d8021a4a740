"""Frame rate with which `booktape record` keeps up: `python tests/benchmarks/bench_record.py`. Linux only.

A server process (`tests/benchmarks/feed_server.py`) sends the frames of a synthetic market at an even rate,
and a recorder process writes them to a tape. Ten times a second, the recorder's metrics show how many frames
the book has processed, and so how far it is behind the frames that were due, in its queue and in the socket
together. It falls behind while it seals a segment, every 50,000 rows, and must catch up before the end: it
keeps up with a rate if it was less than `CAUGHT_UP_S` behind at some sample in the second half or at the last
frame. Rates increase until it does not keep up. The exit code is 1 if at any rate a frame is missing on the
tape or out of order, if a connection ends early, or if it does not keep up with a rate of `REQUIRED`.

The processor time of a frame is that of the whole recorder process from the first update to the last: socket,
journal, book, segments and metrics.
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

from orderbook.connection_marks import read_disconnected
from recorder.tape.reader import Tape
from tests.benchmarks.bench_peers import PRODUCT, write_frames
from tests.benchmarks.feed_server import HOST, acknowledgement
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import synthetic_tape
from tests.support.commands import free_port
from tests.support.constants import ROOT

REQUIRED: Final = 20_000
CAUGHT_UP_S: Final = 0.1
SAMPLE_S: Final = 0.1
TIMEOUT_S: Final = 120.0
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One recording.

    Attributes:
        frames: number of updates that were sent.
        cpu_us: processor time of the recorder for a frame, in microseconds.
        cores: processor time divided by the duration of the updates.
        behind_s: most seconds that the recorder was behind.
        caught_up_s: fewest seconds that it was behind, from the middle to the last frame.
        sent_late_s: seconds from when the last update was due until the server had sent it.
        queue_mb: largest size of the recorder's queue that was seen, in MB.
        problem: what is wrong with the tape; empty if it is correct.
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
        """Whether the tape is correct and the recorder caught up."""
        return not self.problem and self.caught_up_s <= CAUGHT_UP_S


@dataclass(frozen=True, slots=True)
class Sample:
    """Metrics at a time of the monotonic clock: frames that the book has processed, bytes in the queue."""

    time: float
    frames: float
    queue: float


@contextmanager
def process(*command: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python process while the block runs."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, env=ENVIRONMENT, text=True, **options
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def cpu_s(pid: int) -> float:
    """Return the processor time of all threads of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def gauge(metrics: str, name: str) -> float:
    """Return the value of a metric, 0 if it is missing."""
    found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def metrics_of(port: int) -> str:
    """Return the metrics of a recorder, empty while it does not listen yet."""
    try:
        with urlopen(f"http://{HOST}:{port}/metrics", timeout=TIMEOUT_S) as answer:
            text: str = answer.read().decode()
            return text
    except URLError:
        return ""


def problem_of(tape: Path, sent: Sequence[str]) -> str:
    """Return what is wrong with a tape that must have exactly these frames, on one connection."""
    rows: list[tuple[str, str]] = []
    for batch in Tape.open(tape).product(PRODUCT).batches():
        rows += zip(*(batch.column(name).to_pylist() for name in ("kind", "payload")), strict=True)
    kept = [payload for kind, payload in rows if kind == "frame"]
    ends = [read_disconnected(payload) for kind, payload in rows if kind == "disconnected"]
    if len(ends) != 1 or ends[0].reason != "stopped":
        return f"ended by {', '.join(end.reason for end in ends)}"
    return "" if kept == sent else f"{len(kept):,} of {len(sent):,} frames, or out of order"


def measure(frames: Path, rate: float, seconds: float, engine: str, home: Path) -> Measured:
    """Record frames at a rate and return the measurement."""
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
            samples = watch(port, updates + 2)
            used = cpu_s(recorder.pid) - before
            sent = json.loads(server.stdout.readline())
            recorder.send_signal(signal.SIGTERM)
            recorder.wait(TIMEOUT_S)
    lines = frames.read_text(encoding="utf-8").splitlines()[: updates + 1]
    began, took = sent["began"], sent["due"] - sent["began"]
    ended_late = samples[-1].time - began - took
    behind = [
        (sample.time - began, sample.time - began - (sample.frames - 2) / rate)
        for sample in samples
        if sample.time < began + took
    ]
    return Measured(
        frames=updates,
        cpu_us=used / updates * 1e6,
        cores=used / (samples[-1].time - began),
        behind_s=max(ended_late, *(seconds for _, seconds in behind)),
        caught_up_s=min(ended_late, *(seconds for when, seconds in behind if when > took / 2)),
        sent_late_s=sent["sent"] - sent["due"],
        queue_mb=max(sample.queue for sample in samples) / 1e6,
        problem=problem_of(tape, [acknowledgement().decode(), *lines]),
    )


def watch(port: int, frames: int) -> list[Sample]:
    """Sample the metrics until the book has processed `frames` frames."""
    samples: list[Sample] = []
    deadline = time.monotonic() + TIMEOUT_S
    while not (samples and samples[-1].frames >= frames) and time.monotonic() < deadline:
        time.sleep(SAMPLE_S)
        metrics = metrics_of(port)
        processed, queue = gauge(metrics, "booktape_frames_total"), gauge(metrics, "booktape_queue_bytes")
        samples.append(Sample(time.monotonic(), processed, queue))
    return samples


def format_rate(rate: int, found: Sequence[Measured]) -> str:
    """Return the figures of a rate as text."""
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
    """Measure and print; return 1 if a tape is wrong or the required rate is missed."""
    options = parser(__doc__.partition(":")[0], runs=3, frames=200_000)
    options.add_argument("--seconds", type=float, default=10.0, help="of each recording (default: 10)")
    options.add_argument("--engine", choices=("compiled", "plain"), default="compiled")
    options.add_argument(
        "--rates",
        type=int,
        nargs="+",
        default=[1_000, 5_000, 20_000, *range(30_000, 200_000, 10_000)],
        help="frames a second, in increasing order",
    )
    asked = options.parse_args()
    depth = max(asked.depth, 20_000)
    print_line(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}, engine {asked.engine}")
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
            print_line(format_rate(rate, found))
            is_whole = is_whole and not any(each.problem for each in found)
            if not all(each.keeps_up for each in found):
                break
            kept_up = rate
    print_line(f"keeps up with {kept_up:,} frames/s; {REQUIRED:,} required; load {os.getloadavg()[0]:.1f}")
    return int(not is_whole or kept_up < min(REQUIRED, max(asked.rates)))


if __name__ == "__main__":
    sys.exit(main())
