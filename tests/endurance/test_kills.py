"""kill -9 at random points of journal, seal, rotate, recover and compaction: nothing taken is lost.

A process of its own appends known rows and tells each batch that `append` has returned over a pipe. It dies
from outside, a random time after something it told, or by itself at its n-th call that changes a file,
also in the middle of a write. The next process goes on with the tape.
"""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest

from recorder.tape.compaction import compact
from recorder.tape.reader import Tape
from replay import running
from replay.verifying import verify
from tests.endurance.faults import dying_at, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, tell
from tests.endurance.machine import Machine, planned, planned_digest
from tests.recorder.rows import BTC, read_rows, segments

pytestmark = pytest.mark.timeout(TIMEOUT_S)

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["pytest", "recorder.record", "pyarrow.parquet", "tests.endurance.machine"])
KILLS = cases(1_000, 100)
KILLS_A_TAPE = 10
BATCHES = 12


def write_until_killed(tape: Path, taken: Connection, dies_at: int, seed: int) -> None:
    """Go on with a tape in batches of random length, and compact it now and then."""
    rng = Random(seed)
    tell_pipe = taken.fileno()
    write = os.write
    with intercepted(dying_at(dies_at)), Machine(tape) as machine:
        for number in range(BATCHES):
            parts = machine.append(rng.randint(1, 15))
            write(tell_pipe, machine.next_seq.to_bytes(8, "little"))
            machine.take_up(parts)
            if number % 4 == 1:
                machine.sync()
            if number % 6 == 3:
                compact(tape)
        machine.seal_all()
    taken.close()


def killed(tape: Path, rng: Random) -> tuple[int, bool]:
    """Run a writer and kill it; return up to which row it told to have taken, and whether it was killed."""
    from_outside = rng.random() < 0.5
    there, here = FORK.Pipe(duplex=False)
    arguments = (tape, here, 2**40 if from_outside else rng.randint(1, 110), rng.getrandbits(32))
    process = FORK.Process(target=write_until_killed, args=arguments)
    process.start()
    here.close()
    told = bytearray()
    wanted = 8 * rng.randint(0, BATCHES - 1) if from_outside else 2**40
    while len(told) < wanted and (piece := os.read(there.fileno(), 8)):
        told += piece
    if from_outside:
        process.join(rng.random() * 0.01)
        process.kill()
    while piece := os.read(there.fileno(), 4096):
        told += piece
    there.close()
    process.join(60)
    assert process.exitcode in {0, -9}
    return int.from_bytes(told[-8:], "little"), process.exitcode == -9


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """Every row that the journal had taken before SIGKILL is there, once, in order, byte for byte."""
    rng = Random(9)
    kills = lost = wrong = rows_taken = 0
    while kills < KILLS:
        tape = tmp_path / f"tape-{kills}-{rows_taken}"
        taken = 0
        for _ in range(KILLS_A_TAPE):
            told, was_killed = killed(tape, rng)
            kills += was_killed
            taken = max(taken, told)
            rows = read_rows(tape) if (tape / f"product={BTC}").exists() else []
            lost += max(0, taken - len(rows))
            wrong += rows != planned(0, len(rows))
        with Machine(tape) as machine:
            machine.take(1)
            machine.seal_all()
            total = machine.next_seq
        rows_taken += total
        assert total > taken
        assert read_rows(tape) == planned(0, total)
        found = verify(tape)
        assert not found.damage
        assert found.checked_digests == len(segments(tape))
        assert running.run(tape, keep=False).tallies[BTC].digest.hexdigest() == planned_digest(total)
        assert Tape.open(tape).product(BTC).segments()[-1].digest == planned_digest(total)
    tell("kill -9", kills=kills, rows=rows_taken, lost=lost, twice_or_out_of_order=wrong)
    assert (lost, wrong) == (0, 0)


def test_a_kill_at_every_call_loses_nothing(tmp_path: Path) -> None:
    """A writer that dies at its n-th call leaves a whole tape, for every n until it ends by itself."""
    for number in range(1, 1_000, cases(1, 9)):
        tape = tmp_path / f"tape-{number}"
        there, here = FORK.Pipe(duplex=False)
        process = FORK.Process(target=write_until_killed, args=(tape, here, number, 1))
        process.start()
        here.close()
        told = bytearray()
        while piece := os.read(there.fileno(), 4096):
            told += piece
        there.close()
        process.join(60)
        taken = int.from_bytes(told[-8:], "little")
        rows = read_rows(tape) if (tape / f"product={BTC}").exists() else []
        assert len(rows) >= taken
        with Machine(tape) as machine:
            assert machine.next_seq >= taken
            machine.take(1)
            machine.seal_all()
            total = machine.next_seq
        assert read_rows(tape) == planned(0, total)
        assert not verify(tape).damage
        if process.exitcode == 0:
            break
    else:
        pytest.fail("the writer never came to its end")
    tell("kill -9 at every call", calls=number, lost=0)
