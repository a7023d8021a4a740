"""What stays after a seal is what a process of months grows by; what a worker returns it gets again."""

import platform
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.commands import clean_environment

_SEAL = """
import sys
from pathlib import Path
from recorder.runtime.memory import use_one_heap
use_one_heap()
import pyarrow as pa
from recorder.tape.format.segment import open_parquet, read_row_groups
from recorder.tape.format.segment_writer import write_segment
from orderbook.schema import TAPE_SCHEMA
frame = {"recv_time": 0, "connection": 0, "kind": "frame", "payload": "x" * 999}
rows = pa.RecordBatch.from_pylist([{"seq": seq, **frame} for seq in range(9_999)], TAPE_SCHEMA)
path = Path(sys.argv[1]) / "0.parquet"
size = write_segment(path, "BTC-USD", 0, rows.num_rows, [rows]).bytes
with open_parquet(path, size) as file:
    assert sum(batch.num_rows for batch in read_row_groups(file, path, 1_000, [0])) == rows.num_rows
print(pa.default_memory_pool().backend_name, pa.mimalloc_memory_pool().max_memory())
"""


@pytest.mark.skipif(
    "mimalloc" not in pa.supported_memory_backends(), reason="this build of Arrow has no pool of its own"
)
def test_sealing_takes_nothing_from_arrows_own_pool(tmp_path: Path) -> None:
    """That pool keeps some of the pages of each seal: a recorder's memory swung by megabytes."""
    command = [sys.executable, "-c", _SEAL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    assert said.stdout.split() == ["system", "0"], said.stderr


_FREED = """
import resource
import numpy as np
from recorder.runtime.memory import keeping_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        np.ones(100_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = faults()
with keeping_freed_memory():
    faults()
    kept = faults()
print(before, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other variables")
def test_a_worker_of_a_cluster_keeps_what_is_freed() -> None:
    """With the variable that Dask sets, each array would come page by page; after the block it does again."""
    environment = clean_environment() | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", _FREED]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    before, kept, after = map(int, said.stdout.split())
    assert kept * 10 < min(before, after), said.stderr
