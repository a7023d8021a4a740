"""Unit costs of a long recording, for docs/scale.md: `python tests/benchmarks/bench_units.py`.

Of each capture that is given (`--captures FILE...`), by product: bytes of sealed segments a day without the
snapshot that it begins with, and of the sidecar of its book. Of a synthetic tape of `--frames` frames, 20 a
second: processor time (user and system) of `verify`, `compact`, `replay` and `compare` for a million rows. Of
a tape of 10,001 segments of 15 minutes, of one of 1,000 products, and of one whose snapshot has 100 MB: that
of `inspect` and of `replay --from` near its end, and their largest resident sets.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.times import format_time
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line
from tests.benchmarks.tapes import add_segment, synthetic_tape
from tests.support.constants import BTC, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import to_batch
from tests.support.tapes import copy_of, import_frames, snapshot, update

DAY_S = 86_400
SPACING_NS = 50_000_000
SEGMENT_NS = 900 * SECOND


def without_snapshots(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a capture that are no snapshot."""
    for line in lines:
        frame = json.loads(line)["frame"]
        if '"snapshot"' not in frame[:2_000] and '"type":"snapshot"' not in frame:
            yield line


def sealed(lines: Sequence[str], directory: Path, policy: SealPolicy) -> Tape:
    """Return the tape of some lines of a capture."""
    directory.mkdir()
    capture = directory / "capture.jsonl"
    capture.write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_captures([capture], directory / "tape", ImportSettings(seal=policy))
    return Tape.open(directory / "tape")


def print_bytes(path: Path, home: Path) -> None:
    """Print the bytes a day, and of a sidecar, of each product of a capture."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    seconds = (json.loads(lines[-1])["recv_ns"] - json.loads(lines[0])["recv_ns"]) / 1e9
    updates = sealed(list(without_snapshots(lines)), home / f"{path.stem}-updates", SealPolicy())
    whole = sealed(lines, home / f"{path.stem}-whole", SealPolicy(rows=50, book_rows=1))
    total = 0.0
    for product in updates.select(()):
        rows = updates.product(product)
        daily = sum(entry.bytes for entry in rows.segments()) / seconds * DAY_S
        total += daily
        books = sorted(whole.product(product).directory.glob("_index/*.book"))
        print_line(
            f"{path.name}: {product}: {rows.sealed_rows() / seconds:.0f} rows/s, {daily / 1e6:.0f} MB a day, "
            f"sidecar {books[-1].stat().st_size / 1e3:.1f} kB"
        )
    print_line(f"{path.name}: {total / 1e6 / len(updates.select(())):.0f} MB a day and product")


# A process between this one and the command: a new process begins with the resident set of its parent.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def used(*arguments: object) -> tuple[float, float]:
    """Return the processor time of a command in seconds, and its largest resident set in MB."""
    command = [
        sys.executable,
        "-c",
        MEASURE,
        sys.executable,
        "-m",
        "booktape",
        *map(str, arguments),
        "--json",
    ]
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes * 1024 / 1e6


def cpu_s(*arguments: object) -> float:
    """Return the processor time of a command in seconds."""
    return used(*arguments)[0]


def long_tape(path: Path, segments: int) -> Path:
    """Return a tape of so many segments of 15 minutes and two rows."""
    TapeWriter.open(path, "exchange", [BTC], "bench").close()
    for number in range(segments):
        begins = START + number * SEGMENT_NS
        rows = [Row(2 * number + place, begins + place, 0, "frame", "{}") for place in range(2)]
        first = rows[0] if number else rows[0]._replace(kind="connected")
        add_segment(path, BTC, to_batch([first, rows[1]]))
    return path


def wide_tape(home: Path, products: int) -> Path:
    """Return a tape of so many products, of a snapshot and an update each."""
    names = [f"P{number}-USD" for number in range(products)]
    sent = [(0, snapshot(name)) for name in names] + [(1, update(name)) for name in names]
    home.mkdir()
    return import_frames(home, sent)


def deep_tape(home: Path, megabytes: int) -> Path:
    """Return a tape of a snapshot of so many bytes and some updates."""
    levels = megabytes * 10**6 // 2 // 30
    bids = [[f"{90_000 - place * 0.01:.2f}", "0.12345678"] for place in range(levels)]
    asks = [[f"{90_001 + place * 0.01:.2f}", "0.12345678"] for place in range(levels)]
    home.mkdir()
    changes = [(number, update(BTC, ("buy", "89000.00", str(number)))) for number in range(1, 1_000)]
    return import_frames(home, [(0, snapshot(BTC, bids, asks)), *changes])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parser("Unit costs of a long recording.", runs=1, frames=200_000)
    options.add_argument("--captures", type=Path, nargs="*", default=[], help="captures, gzip")
    asked = options.parse_args(arguments)
    print_line(describe_machine())
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        for capture in asked.captures:
            print_bytes(capture, home)
        made = synthetic_tape(asked.frames, asked.depth, SPACING_NS)
        tape = copy_of(made, home)
        rows = Tape.open(tape).sealed_rows()
        cpu_s("inspect", tape)
        start = cpu_s("inspect", tape)
        for name, command in {
            "verify": ("verify", tape),
            "compact": ("compact", tape),
            "replay": ("replay", tape),
            "compare": ("compare", tape, "--sweep", "1bps", "20bps", "0.5bps"),
        }.items():
            print_line(f"{name}: {(cpu_s(*command) - start) / rows * 1e6:.2f} s a million rows")
        last = format_time(START + 10_000 * SEGMENT_NS)
        long: list[tuple[str, Callable[[], Path], str]] = [
            ("10,001 segments", lambda: long_tape(home / "long", 10_001), last),
            ("1,000 products", lambda: wide_tape(home / "wide", 1_000), format_time(START + 1)),
            ("a snapshot of 100 MB", lambda: deep_tape(home / "deep", 100), format_time(START + 500)),
        ]
        for name, make, start_at in long:
            path = make()
            for words in (("inspect", path), ("replay", path, "--from", start_at)):
                seconds, megabytes = used(*words)
                print_line(f"{name}: {words[0]}: {seconds:.2f} s, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
