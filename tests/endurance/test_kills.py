"""kill -9 at random points of journal, seal, rotate, recover and compaction: no accepted row is lost.

A process appends known rows and reports each batch over a pipe when `append` has returned. It is killed from
outside, a random time after a report, or kills itself at its n-th call that changes a file, also in the
middle of a write. The next process continues the tape.
"""

import os
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest

from recorder.tape.compaction import compact
from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.running import api as running
from tests.endurance.faults import dying_at, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.endurance.planned_recorder import PlannedRecorder, begin_format_1, planned, planned_digest
from tests.support.constants import BTC
from tests.support.fork import FORK
from tests.support.rows import read_rows
from tests.support.tapes import segment_paths

pytestmark = pytest.mark.timeout(TIMEOUT_S)

KILLS = cases(1_000, 20)
KILLS_A_TAPE = 10
BATCHES = 12


def write_until_killed(tape: Path, reports: Connection, dies_at: int, seed: int) -> None:
    """Continue a tape in batches of random length, and compact it now and then, and at the end."""
    rng = Random(seed)
    report_pipe = reports.fileno()
    write = os.write
    with intercepted(dying_at(dies_at)):
        with PlannedRecorder(tape) as recorder:
            for number in range(BATCHES):
                parts = recorder.append(rng.randint(1, 15))
                write(report_pipe, recorder.next_seq.to_bytes(8, "little"))
                recorder.process(parts)
                if number % 4 == 1:
                    recorder.sync()
                if number % 6 == 3:
                    compact(tape)
            recorder.seal_all()
        compact(tape)
    reports.close()


def killed(tape: Path, rng: Random) -> tuple[int, bool]:
    """Run a writer and kill it; return the number of rows it reported, and whether it was killed."""
    from_outside = rng.random() < 0.5
    there, here = FORK.Pipe(duplex=False)
    arguments = (tape, here, 2**40 if from_outside else rng.randint(1, 110), rng.getrandbits(32))
    process = FORK.Process(target=write_until_killed, args=arguments)
    process.start()
    here.close()
    reported = bytearray()
    wanted = 8 * rng.randint(0, BATCHES - 1) if from_outside else 2**40
    while len(reported) < wanted and (piece := os.read(there.fileno(), 8)):
        reported += piece
    if from_outside:
        process.join(rng.random() * 0.01)
        process.kill()
    while piece := os.read(there.fileno(), 4096):
        reported += piece
    there.close()
    process.join(60)
    assert process.exitcode in {0, -9}
    return int.from_bytes(reported[-8:], "little"), process.exitcode == -9


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """Every row that was appended before SIGKILL is there, once, in order, byte for byte."""
    rng = Random(9)
    kills = lost = wrong = total_rows = 0
    while kills < KILLS:
        tape = tmp_path / f"tape-{kills}-{total_rows}"
        accepted = 0
        if kills // KILLS_A_TAPE % 2:
            begin_format_1(tape)
        for _ in range(KILLS_A_TAPE):
            reported, was_killed = killed(tape, rng)
            kills += was_killed
            accepted = max(accepted, reported)
            rows = read_rows(tape) if (tape / "_tape.json").exists() else []
            lost += max(0, accepted - len(rows))
            wrong += rows != planned(0, len(rows))
        with PlannedRecorder(tape) as recorder:
            recorder.record(1)
            recorder.seal_all()
            total = recorder.next_seq
        total_rows += total
        assert total > accepted
        assert read_rows(tape) == planned(0, total)
        found = verify(tape)
        assert not found.damage
        assert found.checked_digests == len(segment_paths(tape))
        assert running.run(tape, keep=False).tallies[BTC].digest.hexdigest() == planned_digest(total)
        assert Tape.open(tape).product(BTC).segments()[-1].digest == planned_digest(total)
    report("kill -9", kills=kills, rows=total_rows, lost=lost, twice_or_out_of_order=wrong)
    assert (lost, wrong) == (0, 0)


def test_a_kill_at_every_call_loses_nothing(tmp_path: Path) -> None:
    """A writer that dies at its n-th call leaves a valid tape, for every n until it ends by itself."""
    for number in range(1, 1_000, cases(1, 17)):
        tape = tmp_path / f"tape-{number}"
        if number % 2 == 0:
            begin_format_1(tape)
        there, here = FORK.Pipe(duplex=False)
        process = FORK.Process(target=write_until_killed, args=(tape, here, number, 1))
        process.start()
        here.close()
        reported = bytearray()
        while piece := os.read(there.fileno(), 4096):
            reported += piece
        there.close()
        process.join(60)
        accepted = int.from_bytes(reported[-8:], "little")
        rows = read_rows(tape) if (tape / "_tape.json").exists() else []
        assert len(rows) >= accepted
        with PlannedRecorder(tape) as recorder:
            assert recorder.next_seq >= accepted
            recorder.record(1)
            recorder.seal_all()
            total = recorder.next_seq
        assert read_rows(tape) == planned(0, total)
        assert not verify(tape).damage
        if process.exitcode == 0:
            break
    else:
        pytest.fail("the writer never came to its end")
    report("kill -9 at every call", calls=number, lost=0)
