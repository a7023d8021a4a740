"""The rows of lanes that several workers run: taken step by step, and put together in the order of one."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orderbook.engine import Step
from orderbook.execution.codes import QueueModel
from recorder.tape.store.files import rename_file
from recorder.tape.store.writing import arrow_sink
from replay.run_dir.unfinished import aside
from replay.run_dir.writer import RunWriter

Rows: TypeAlias = list[pa.RecordBatch] | Path
"""The rows of a stream, a batch for each step that has some; or the Arrow file that has them."""

_STEP: Final = "step"
_DIRECTORY: Final = "_shares"
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd")


class ShareRows:
    """Takes the rows of the lanes of a share, as `replay.simulation.passes.Write`.

    Args:
        run: the RUN in whose directory they wait to be put together; None to keep them.
        name: of the share.
    """

    def __init__(self, run: RunWriter | None, name: str) -> None:
        self._directory = None if run is None else run.directory / _DIRECTORY / name
        self._step = 0
        self._taken: dict[str, list[pa.RecordBatch]] = {}
        self._kept: dict[str, Rows] = {}
        self._files: dict[str, _File] = {}

    def __call__(self, stream: str, _product: str, batch: pa.RecordBatch) -> None:
        """Take rows of a lane."""
        self._taken.setdefault(stream, []).append(batch)

    def end_step(self, _product: str, _step: Step) -> None:
        """Note that all rows of a step were taken."""
        self._end_step()

    def _end_step(self) -> None:
        for stream, batches in self._taken.items():
            rows = pa.concat_batches(batches)
            numbers = pa.array(np.full(rows.num_rows, self._step))
            self._add(stream, rows.append_column(_STEP, numbers))
        self._taken = {}
        self._step += 1

    def _add(self, stream: str, rows: pa.RecordBatch) -> None:
        if self._directory is None:
            kept = self._kept.setdefault(stream, [])
            assert isinstance(kept, list)  # noqa: S101  only files have paths
            kept.append(rows)
            return
        if stream not in self._files:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._files[stream] = _File(self._directory / f"{stream}.arrow", rows.schema)
        self._files[stream].write(rows)

    def finish(self) -> dict[str, Rows]:
        """Return the rows by stream; files are complete."""
        self._end_step()
        return self._kept | {stream: file.close() for stream, file in self._files.items()}


class _File:
    """An Arrow file that gets its name when it is whole: a worker that was lost may still write one."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._aside = path, aside(path)
        self._sink = arrow_sink(self._aside)
        self._writer = pa.ipc.new_stream(self._sink, schema, options=_OPTIONS)
        self.write = self._writer.write_batch

    def close(self) -> Path:
        self._writer.close()
        self._sink.close()
        rename_file(self._aside, self._path)
        return self._path


def together(shares: Sequence[Rows], queues: Sequence[QueueModel]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a stream of several shares, step by step and in each by lane, as of one process."""
    with ExitStack() as stack:
        each = merge(*(_batches(rows, stack) for rows in shares), key=_step_of)
        for _, batches in groupby(each, key=_step_of):
            rows = pa.concat_batches(list(batches)).drop_columns(_STEP)
            queue = pc.index_in(rows.column("queue"), pa.array(queues))
            lane = rows.column("setting").to_numpy() * len(queues) + queue.to_numpy()
            yield rows.take(pa.array(np.argsort(lane, kind="stable")))


def remove_shares(run: RunWriter) -> None:
    """Remove the files of all shares, which were put together."""
    shutil.rmtree(run.directory / _DIRECTORY, ignore_errors=True)


def _batches(rows: Rows, stack: ExitStack) -> Iterable[pa.RecordBatch]:
    if not isinstance(rows, Path):
        return rows
    return stack.enter_context(pa.ipc.open_stream(stack.enter_context(rows.open("rb"))))


def _step_of(rows: pa.RecordBatch) -> int:
    step: int = rows.column(_STEP)[0].as_py()
    return step
