"""`Tape.verify`, `inspect`, `index`, `prepare` and `compact`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.paths import PathLike, tape_path, written_tape
from booktape.traders import trader_factory
from booktape.workers import workers_of
from orderbook.errors import reason_of
from recorder.settings import EngineName

if TYPE_CHECKING:
    from booktape.workers import ClientLike
    from orderbook.engine import Engine
    from recorder.tape.compaction import Compacted
    from replay.checking.index import Indexed
    from replay.checking.inspect import Inspection
    from replay.checking.prepare import Prepared
    from replay.checking.verification import Verification
    from replay.simulation.settings import TraderFactory


def verify(
    tape: PathLike,
    *,
    engine: Engine | EngineName = "auto",
    strategy: TraderFactory | str | None = None,
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
) -> Verification:
    """Check the whole tape: files, numbering, order of time, sequence numbers, and live = replay.

    Args:
        tape: the tape.
        engine: what runs the books; all give the same verdicts.
        strategy: a strategy that has traded while the tape was recorded, to be run again, in this process:
            what it does must be what is noted.
        processes: number of processes that share the work; no finding depends on it.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. It needs the tape at the same path.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.

    Raises:
        OptionError: if this strategy has not traded on the tape.
        TapeError: if the tape is gone; damage is part of the result.
    """
    processes = arguments.whole_number(processes, "processes", 1, 64)
    engine = arguments.engine_of(engine)
    with workers_of(processes, cluster, client, engine, "replay.checking.pieces") as workers:
        from replay.checking.executions import NamedTrader
        from replay.checking.verify import verify as run

        trader = None
        if strategy is not None:
            make, name = trader_factory(strategy)
            trader = NamedTrader(name, make)
        return run(tape_path(tape), engine, trader, workers=workers)


def inspect(tape: PathLike, *, trades: bool = False) -> Inspection:
    """Return what the tape holds, without reading its frames: products, span, rows, interruptions.

    Args:
        tape: the tape.
        trades: read the frames, too: count the trades, and the places at which some are missing.

    Raises:
        TapeError: if the tape cannot be read.
    """
    from replay.checking.inspect import inspect as run

    return run(tape_path(tape), trades=arguments.flag(trades, "trades"))


def index(
    tape: PathLike, *, rebuild: bool = False, engine: Engine | EngineName = "auto"
) -> dict[str, Indexed]:
    """Write the sidecars that are missing or damaged: with them a read from a time starts near it.

    Args:
        tape: the tape.
        rebuild: write all of them again.
        engine: what runs the books; all write the same sidecars.

    Returns:
        By product, how many sidecars were kept and how many were made.

    Raises:
        TapeError: if the tape cannot be read or written, or is being indexed or compacted.
    """
    from replay.checking.index import index as run

    engine = arguments.engine_of(engine)
    arguments.flag(rebuild, "rebuild")
    path = written_tape(tape)
    with _writing(path, "indexed"):
        return run(path, rebuild=rebuild, engine=engine)


def prepare(tape: PathLike, *, rebuild: bool = False) -> dict[str, Prepared]:
    """Write the rows of the sealed segments once more as integers, with which all later runs are faster.

    `replay`, `compare` and `backtest` read them instead of the frames, with equal results. They are derived:
    what is missing, damaged or of another version is read from the frames, and made by the next call.

    Args:
        tape: the tape.
        rebuild: write all of them again.

    Returns:
        By product, how many segments were prepared already and how many are now, and their sizes.

    Raises:
        EngineError: if the compiled engine is not installed or does not work.
        TapeError: if the tape cannot be read or written, or is being prepared, indexed or compacted.
    """
    from replay.checking.prepare import prepare as run

    arguments.flag(rebuild, "rebuild")
    path = written_tape(tape)
    with _writing(path, "prepared"):
        return run(path, rebuild=rebuild)


def compact(tape: PathLike) -> dict[str, Compacted]:
    """Merge the small segments of each day into one; rows and digest stay the same.

    What no compaction has merged yet is checked first, as `verify` does.

    Args:
        tape: the tape.

    Returns:
        By product, the number of segments before and after.

    Raises:
        TapeError: if the tape cannot be read or written, is being indexed or compacted, or if `verify`
            finds damage in what would be merged; then nothing is changed.
    """
    from replay.checking.files import checked_compact

    path = written_tape(tape)
    with _writing(path, "compacted"):
        return checked_compact(path)


@contextmanager
def _writing(tape: Path, done: str) -> Iterator[None]:
    """Turn what the disk refuses into an error that says what the tape holds now."""
    from recorder.tape.errors import TapeError

    try:
        yield
    except OSError as error:
        raise TapeError(
            f"{tape}: cannot be {done} ({reason_of(error)}); its rows are as they were", tape
        ) from None
