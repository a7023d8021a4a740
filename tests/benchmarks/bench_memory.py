"""Memory of a replay while its tape grows: `python tests/benchmarks/bench_memory.py`.

One tape is extended step by step. At each size, `replay`, `replay -o RUN` and `compare` read all of it, each
in a process whose largest resident set is measured. Sizes are those of the files: every frame is padded with
random text in a field that the book skips, so that about 1,000 bytes of it remain in Parquet. Segments of
50,000 rows and one connection each are written without recording them, so they have no valid digests, which
`verify` would report. `--gigabytes 10` takes some minutes for each command and needs 10 GB in the temporary
directory.

The exit code is 1 if a command needs more than 400 MB. Memory does not depend on the length of the tape:
`compare` keeps the durations of at most 100,000 episodes, and a histogram of more.
"""

import base64
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa

from orderbook.schema import TAPE_SCHEMA, TIME
from recorder.tape.reader import Tape
from recorder.tape.writer import TapeWriter
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line
from tests.benchmarks.tapes import SPACING_NS, START_NS, add_segment, frames

PRODUCT = "BTC-USD"
MAX_MB = 400
MB = 10**6
FRAME_BYTES = 1_300
SEGMENT_ROWS = 50_000
SWEEP = ("--sweep", "1bps", "20bps", "0.5bps")

# A process between this one and the command: a new process begins with the resident set of its parent.
MEASURE = """
import resource, subprocess, sys
with open(sys.argv[1], "wb") as output:
    subprocess.run(sys.argv[2:], stdout=output, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(slots=True)
class LongTape:
    """A tape that grows by whole segments.

    Attributes:
        path: directory of the tape.
        texts: frames of each connection: a snapshot and its updates.
        segments: number of segments so far.
    """

    path: Path
    texts: list[str]
    segments: int = 0

    def grow(self, size: int) -> int:
        """Add segments until their files have at least `size` bytes; return the size of all files."""
        while (
            found := sum(entry.bytes for entry in Tape.open(self.path).product(PRODUCT).segments())
        ) < size:
            self._add_segment()
        return found

    def _add_segment(self) -> None:
        connected = json.dumps({"url": "wss://bench.invalid", "feed": "exchange", "products": [PRODUCT]})
        payloads = [connected, *map(_padded, self.texts), json.dumps({"code": 1000, "reason": "bench"})]
        rows = len(payloads)
        kinds = ["connected", *["frame"] * len(self.texts), "disconnected"]
        first_seq = self.segments * rows
        times = [START_NS + (first_seq + place) * SPACING_NS for place in range(rows)]
        columns = [
            pa.array(range(first_seq, first_seq + rows), pa.int64()),
            pa.array(times, pa.int64()).view(TIME),
            pa.array([self.segments] * rows, pa.int32()),
            pa.array(kinds, pa.string()),
            pa.array(payloads, pa.string()),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=TAPE_SCHEMA)
        add_segment(self.path, PRODUCT, batch)
        self.segments += 1


def _padded(text: str) -> str:
    """Return a frame with a field of random text, `FRAME_BYTES` long."""
    missing = max(FRAME_BYTES - len(text) - len(',"padding":""'), 0)
    padding = base64.b64encode(random.randbytes(missing * 3 // 4)).decode()
    return f'{text[:-1]},"padding":"{padding}"}}'


def peak_mb(*arguments: object) -> tuple[float, int]:
    """Run `booktape ... --json` to its end; return its largest resident set in MB and its number of rows."""
    command = [sys.executable, "-m", "booktape", *map(str, arguments), "--json"]
    with tempfile.NamedTemporaryFile() as output:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, output.name, *command],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            check=True,
        )
        document = json.load(output)
    return int(done.stdout) * 1024 / MB, document["products"][PRODUCT]["rows"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a command needs too much memory."""
    options = parser("Memory of a replay while its tape grows.", runs=1, frames=SEGMENT_ROWS - 3)
    options.add_argument(
        "--gigabytes", type=float, nargs="+", default=[0.1, 0.5, 2.0], help="sizes (default: %(default)s)"
    )
    asked = options.parse_args(arguments)
    print_line(describe_machine())
    largest = 0.0
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        TapeWriter.open(home / "tape", "exchange", (PRODUCT,), "bench").close()
        tape = LongTape(home / "tape", list(frames(asked.frames, asked.depth, SPACING_NS)))
        for gigabytes in sorted(asked.gigabytes):
            size = tape.grow(int(gigabytes * 1e9))
            commands = {
                "replay": ("replay", tape.path),
                "replay -o RUN": ("replay", tape.path, "-o", home / f"run-{size}"),
                "compare, 39 thresholds": ("compare", tape.path, *SWEEP),
            }
            for name, command in commands.items():
                peak, rows = peak_mb(*command)
                print_line(f"{size / 1e9:.2f} GB, {rows:,} rows: {name}: {peak:,.0f} MB at most")
                largest = max(largest, peak)
    print_line(f"at most {largest:,.0f} MB; {MAX_MB} MB allowed")
    return int(largest > MAX_MB)


if __name__ == "__main__":
    sys.exit(main())
