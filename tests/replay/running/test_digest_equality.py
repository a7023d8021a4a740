"""One tape, one digest: live and replayed, at any speed and batch size, in any number of processes."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from booktape.examples.episode_alert import EpisodeAlert
from orderbook.dataflow.workers import balanced_keys
from orderbook.tally import Tally, tally_documents
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.dataflow.running import run_to_end
from recorder.tape.reader import Tape
from recorder.tape.row_batches import BATCH_ROWS
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import Item, State, TapeSource
from replay.running import api as running
from replay.running.pacing import MAX_SPEED
from replay.running.settings import ReplaySettings
from tests.support import oracle, tapes
from tests.support.clusters import run_cluster
from tests.support.commands import json_of
from tests.support.constants import MS
from tests.support.tapes import Recording, digests_of


def oracle_digests(runs: dict[str, oracle.OracleRun]) -> dict[str, str]:
    """Return the digests that a document should have."""
    products = {product: oracle.product_digest(run.summaries) for product, run in runs.items()}
    return {"run": oracle.run_digest(products), **products}


@pytest.fixture(scope="module")
def short_digests(short_tape: Path) -> tuple[dict[str, str], Any]:
    """Return the oracle's digests of the short tape, and the strategy part of its document."""
    result = running.run(short_tape, strategy=EpisodeAlert).document()
    return oracle_digests(tapes.oracle_runs(short_tape)), (result["strategy"], result["strategy_digest"])


def test_live_equals_oracle(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """The digests that a live recording prints are the oracle's of the rows on its tape."""
    assert digests_of(recording.document) == oracle_digests(recorded_oracle)


@pytest.mark.parametrize(
    ("speed", "batch_rows"), [(MAX_SPEED, 7), (MAX_SPEED, 10_000), (50.0, 7), (50.0, 8192)]
)
def test_replay_equals_live(recording: Recording, speed: float, batch_rows: int) -> None:
    """The digests are those of the live recording at any speed and batch size."""
    result = running.run(
        recording.tape, ReplaySettings(speed=speed, batch_rows=batch_rows), keep=False
    ).document()
    assert digests_of(result) == digests_of(recording.document)
    assert (result["pacing"] is None) == (speed == MAX_SPEED)


@pytest.mark.parametrize("speed", ["max", "50"])
def test_command_equals_live(recording: Recording, speed: str) -> None:
    """The command `replay --speed` prints the digests of the live recording."""
    assert digests_of(json_of("replay", recording.tape, "--speed", speed)) == digests_of(recording.document)


def test_captures(capture_tape: Path) -> None:
    """An imported real capture replays to the digests with which its segments were sealed."""
    document = running.run(capture_tape, ReplaySettings(batch_rows=97), keep=False).document()
    sealed = {
        product: tapes.catalog(capture_tape, product)[-1]["digest"]
        for product in tapes.products_of(capture_tape)
    }
    assert digests_of(document) == {"run": oracle.run_digest(sealed), **sealed}


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_captures_equal_oracle(
    import_capture: Callable[[str], Path],
    capture_oracle: Callable[[str], dict[str, oracle.OracleRun]],
    name: str,
) -> None:
    """A many-product capture has the digests that the oracle computes from the rows of its tape."""
    document = running.run(import_capture(name), keep=False).document()
    assert digests_of(document) == oracle_digests(capture_oracle(name))


@pytest.mark.parametrize(
    ("speed", "batch_rows"),
    [
        *((speed, BATCH_ROWS) for speed in (1.0, 7.5, 100.0)),
        *((MAX_SPEED, batch_rows) for batch_rows in (1, 3, 64, 1000, 16_384)),
    ],
)
def test_speeds_and_batches(
    short_tape: Path, short_digests: tuple[dict[str, str], Any], speed: float, batch_rows: int
) -> None:
    """At any speed, and for batches from 1 to 16,384 rows, the digests are the same, a strategy's as well."""
    result = running.run(
        short_tape, ReplaySettings(speed=speed, batch_rows=batch_rows), keep=False, strategy=EpisodeAlert
    )
    document = result.document()
    assert digests_of(document) == short_digests[0]
    assert (document["strategy"], document["strategy_digest"]) == short_digests[1]


# A cluster


def test_cluster_equals_live(recording: Recording, tmp_path: Path) -> None:
    """A cluster of three processes ends with the digests and counts of the live recording."""
    output = tmp_path / "out"
    run_cluster("build", recording.tape, output, 3)
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in output.iterdir()}
    for tally in found.values():
        del tally["process"]
    assert found == recording.document["products"]


def test_no_worker_of_a_cluster_is_empty(tmp_path: Path) -> None:
    """Four products whose hashes name one of four processes have one each, and the digests of a replay."""
    products = ("P0-USD", "P1-USD", "P2-USD", "P6-USD")
    frames = [(0, tapes.snapshot(product)) for product in products]
    frames += [
        (n * MS, tapes.update(products[n % 4], ("buy", f"{90 + n % 9}.00", f"{1 + n % 3}")))
        for n in range(1, 900)
    ]
    tape = tapes.import_frames(tmp_path, frames)
    run_cluster("build_balanced", tape, tmp_path / "out", 4)
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out").iterdir()}
    assert len({each.pop("process") for each in found.values()}) == 4
    replayed = running.run(tape, keep=False, strategy=EpisodeAlert)
    assert replayed.strategy is not None
    strategy = replayed.strategy.document().products
    tallies = cast("dict[str, Any]", replayed.document()["products"])
    assert found == {
        product: {"digest": tallies[product]["digest"], "strategy": strategy[product].digest}
        for product in products
    }


# Recovery


class AbortingSource(FixedPartitionedSource[Item, State]):
    """A tape that ends like a killed process after some batches, over all products."""

    def __init__(self, tape: TapeSource, abort_after: int | None) -> None:
        self._tape = tape
        self._left = abort_after
        self.books = tape.books
        self.keys = tape.keys

    def count_down(self) -> None:
        """Count a batch, and abort after the last one."""
        if self._left is not None:
            if not self._left:
                raise AbortExecution
            self._left -= 1

    def list_parts(self) -> list[str]:
        """Return the products."""
        return self._tape.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: State | None) -> "AbortingPartition":
        """Return the partition of a product, whose batches are counted."""
        return AbortingPartition(self, self._tape.build_part(step_id, for_part, resume_state))


class AbortingPartition(StatefulSourcePartition[Item, State]):
    """A partition of a tape whose batches are counted."""

    def __init__(self, source: AbortingSource, reel: StatefulSourcePartition[Item, State]) -> None:
        self._source = source
        self._reel = reel

    def next_batch(self) -> list[Item]:
        """Return the next batch of the tape."""
        self._source.count_down()
        return list(self._reel.next_batch())

    def next_awake(self) -> datetime | None:
        """Return what the tape does."""
        return self._reel.next_awake()

    def snapshot(self) -> State:
        """Return what the tape does."""
        return self._reel.snapshot()


def new_store(directory: Path) -> Path:
    """Return an empty recovery store in a directory."""
    store = directory / "store"
    store.mkdir()
    init_db_dir(store, 1)  # type: ignore[no-untyped-call]
    return store


def replay_until_aborted(
    tape: Path, store: Path, abort_after: int | None, workers: int = 1
) -> dict[str, Any]:
    """Replay a tape with a recovery store, written at every epoch; return the counts of ended products."""
    opened = Tape.open(tape)
    source = TapeSource(opened, opened.select(()), batch_rows=100)
    source.keys = balanced_keys(opened.select(()), workers)
    aborting = cast("TapeSource", AbortingSource(source, abort_after))
    streams = replay_flow(aborting, opened.feed)
    found: dict[str, Any] = {}
    streams.into(
        "result",
        streams.total("tally", lambda: Tally(DEFAULT_THRESHOLD)),
        lambda product, tally: found.__setitem__(product, msgspec.to_builtins(tally.document())),
    )
    recovery = RecoveryConfig(store)  # type: ignore[no-untyped-call]
    run_main(streams.flow, epoch_interval=timedelta(0), recovery_config=recovery)  # type: ignore[no-untyped-call]
    source.failure.reraise()
    return found


@pytest.mark.parametrize("aborts", [[20], [0, 0, 20, 0, 1, 0], [25, 3, 3]])
def test_recovery_equals_live(recording: Recording, tmp_path: Path, aborts: list[int]) -> None:
    """A replay that is aborted, once or often, resumes and ends with the live digests and counts."""
    store = new_store(tmp_path)
    for abort_after in aborts:
        assert not replay_until_aborted(recording.tape, store, abort_after)
    assert replay_until_aborted(recording.tape, store, None) == recording.document["products"]


def test_recovery_with_balanced_keys(recording: Recording, tmp_path: Path) -> None:
    """A flow for three workers resumes where it was; for others it is refused, as a book would be missing."""
    store = new_store(tmp_path)
    for abort_after in (20, 3):
        assert not replay_until_aborted(recording.tape, store, abort_after, 3)
    for workers in (1, 2):
        with pytest.raises(BytewaxRuntimeError) as told:
            replay_until_aborted(recording.tape, store, None, workers)
        assert "other workers" in str(told.value.__cause__)
    assert replay_until_aborted(recording.tape, store, None, 3) == recording.document["products"]


def test_recovery_with_a_product_that_ended_long_before(tmp_path: Path) -> None:
    """A product that ended before two aborts is not replayed again after the second."""
    frames = [(0, tapes.snapshot(product)) for product in ("LONG-USD", "SHORT-USD")]
    frames += [(n * MS, tapes.update("LONG-USD")) for n in range(3000)]
    frames.sort(key=lambda frame: frame[0])
    tape = tapes.import_frames(tmp_path, frames)
    store = new_store(tmp_path)
    for abort_after in (12, 3, 3):
        assert not replay_until_aborted(tape, store, abort_after)
    expected = running.run(tape, keep=False).document()["products"]
    assert replay_until_aborted(tape, store, None) == expected


def test_run_to_end_needs_no_recovery(recording: Recording) -> None:
    """A flow built for recovery has the same digests without a store."""
    opened = Tape.open(recording.tape)
    source = TapeSource(opened, opened.select(()), batch_rows=100)
    streams = replay_flow(source, opened.feed, recoverable=True)
    found: dict[str, Any] = {}
    streams.into("result", streams.total("tally", lambda: Tally(DEFAULT_THRESHOLD)), found.__setitem__)
    run_to_end(streams.flow, source.failure)
    assert msgspec.to_builtins(tally_documents(found)) == recording.document["products"]
