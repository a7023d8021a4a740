"""Memory of a recording process while compressed frames inflate: `python tests/benchmarks/bench_bombs.py`.

An exchange on loopback sends a book and then frames that deflate packs to a thousandth: of a type that nobody
knows, or whole snapshots. `record` with the default `--queue-bytes 256MiB` is measured from its first row to
its end. The frames go to the journal as they are received, so a run needs about the bytes of its frames in
the temporary directory.

The exit code is 1 if the process needs more than four times the bound.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from websockets.asyncio.server import ServerConnection

from orderbook.display import plural
from tests.benchmarks.bench_memory import MEASURE
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line
from tests.support.constants import BTC
from tests.support.scripted_server import ScriptedServer
from tests.support.tapes import snapshot

BOUND_MIB = 256
MAX_MIB = 4 * BOUND_MIB
MIB = 2**20


def bomb(kind: str, size: int) -> str:
    """Return a frame of about so many bytes."""
    if kind == "unknown":
        return json.dumps({"type": "unknown", "filling": "x" * size})
    levels = [[str(10_000 - place % 9_000), "1"] for place in range(size // 14)]
    return snapshot(BTC, levels)


def peak_mib(kind: str, size: int, number: int, seconds: int) -> tuple[float, int]:
    """Record bombs; return the largest resident set of the recorder in MiB, and its number of frames."""
    text = bomb(kind, size)

    async def script(_number: int, connection: ServerConnection) -> None:
        await connection.send(snapshot(BTC))
        for _ in range(number):
            await connection.send(text)
        await connection.wait_closed()

    with ScriptedServer(script, deflate=True) as exchange, tempfile.TemporaryDirectory() as directory:
        command = (sys.executable, "-m", "booktape", "record", BTC, "-o", f"{directory}/tape", "--no-trades")
        options = ("--url", exchange.url, "--json", "--duration", f"{seconds}s")
        output = Path(directory, "output")
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, output, *command, *options],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        frames = json.loads(output.read_bytes())["products"][BTC]["frames"]
    return int(done.stdout) / 1024, frames


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if the recorder needs too much memory."""
    options = parser("Memory of a recorder under compressed frames.", runs=1, frames=30)
    options.add_argument("--mebibytes", type=int, default=60, help="size of a frame (default: %(default)s)")
    options.add_argument(
        "--seconds", type=int, default=60, help="length of a recording (default: %(default)s)"
    )
    asked = options.parse_args(arguments)
    print_line(describe_machine())
    largest = 0.0
    for kind in ("unknown", "snapshot"):
        peak, frames = peak_mib(kind, asked.mebibytes * MIB, asked.frames, asked.seconds)
        print_line(f"{plural(frames, 'frame')} of {asked.mebibytes} MiB, {kind}: {peak:,.0f} MiB at most")
        largest = max(largest, peak)
    print_line(f"at most {largest:,.0f} MiB at a bound of {BOUND_MIB} MiB; {MAX_MIB:,} MiB allowed")
    return int(largest > MAX_MIB)


if __name__ == "__main__":
    sys.exit(main())
