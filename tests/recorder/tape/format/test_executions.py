"""What strategies traded, as it is noted on a tape: continued, cut short by a crash, damaged."""

from pathlib import Path

import msgspec
import pytest

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.executions import Checkpoint, ExecutionLog, Session, read_executions

NAME = "_executions.jsonl"
SESSION = Session(
    5,
    "module:Name",
    {"size": "0.1", "inside": 1},
    ("back", "share"),
    (4000, 6000),
    (1, 2),
    *(0, 7, "taken", "end", None, 1, None, 10**18),
    software="booktape 1",
)


def checkpoint(next_seq: int) -> Checkpoint:
    """Return a checkpoint."""
    return Checkpoint(next_seq, {"back": "0" * 64, "share": f"{next_seq:064x}"})


def test_a_session_goes_on_if_nothing_has_changed(tmp_path: Path) -> None:
    """The same at a later row, by whichever version, continues it; anything else begins another."""
    log = ExecutionLog(tmp_path, SESSION)
    for next_seq in (5, 9, 9, 7, 12):  # rows that are covered already are passed over
        log.note(checkpoint(next_seq))
    later = msgspec.structs.replace(SESSION, first_seq=12, software="booktape 2")
    again = ExecutionLog(tmp_path, later)
    assert again.traded.session == SESSION
    again.note(checkpoint(20))
    for change in ({"seed": 8}, {"settings": {"size": "0.1", "inside": 2}}, {"latency": "1ns"}, {"tick": 1}):
        ExecutionLog(tmp_path, msgspec.structs.replace(later, first_seq=20, **change))
    first, *others = read_executions(tmp_path)
    assert first.session == SESSION
    assert [each.next_seq for each in first.checkpoints] == [9, 12, 20]
    assert [(each.session.first_seq, each.checkpoints) for each in others] == [(20, [])] * 4
    assert read_executions(tmp_path / "none") == []


def test_what_a_crash_cut_short_is_passed_over(tmp_path: Path) -> None:
    """At every byte of the last line; the next line takes its place."""
    log = ExecutionLog(tmp_path, SESSION)
    log.note(checkpoint(9))
    kept = (tmp_path / NAME).read_bytes()
    log.note(checkpoint(12))
    whole = (tmp_path / NAME).read_bytes()
    for length in range(len(kept), len(whole)):
        (tmp_path / NAME).write_bytes(whole[:length])
        (traded,) = read_executions(tmp_path)
        assert traded.last_seq == 9
    ExecutionLog(tmp_path, msgspec.structs.replace(SESSION, first_seq=9)).note(checkpoint(12))
    assert (tmp_path / NAME).read_bytes() == whole


def test_rows_that_the_tape_does_not_have(tmp_path: Path) -> None:
    """A copy may end before what is noted: those lines are cut, whatever runs next, and stay readable."""
    log = ExecutionLog(tmp_path, SESSION)
    for next_seq in (9, 12, 20):
        log.note(checkpoint(next_seq))
    ExecutionLog(tmp_path, msgspec.structs.replace(SESSION, first_seq=20, seed=8))
    whole = (tmp_path / NAME).read_bytes()
    for position, kept in ((20, [9, 12, 20]), (19, [9, 12]), (9, [9]), (5, [])):
        (tmp_path / NAME).write_bytes(whole)
        other = msgspec.structs.replace(SESSION, first_seq=position, seed=9)
        ExecutionLog(tmp_path, other).note(checkpoint(position + 1))
        first, *_, last = read_executions(tmp_path)
        assert [each.next_seq for each in first.checkpoints] == kept
        assert (last.session, last.last_seq) == (other, position + 1)
    (tmp_path / NAME).write_bytes(whole)
    again = ExecutionLog(tmp_path, msgspec.structs.replace(SESSION, first_seq=13))
    again.note(checkpoint(14))
    (traded,) = read_executions(tmp_path)
    assert [each.next_seq for each in traded.checkpoints] == [9, 12, 14]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"\xff",
        b'{"line":"other"}',
        msgspec.json.encode(checkpoint(9)),
        msgspec.json.encode(msgspec.structs.replace(SESSION, first_seq=3)),
        msgspec.json.encode(msgspec.structs.replace(SESSION, first_seq=9)).replace(b"taken", b"given"),
        b'{"line":"checkpoint","next_seq":10,"digests":{"back":"xyz"}}',
        *(
            msgspec.json.encode(msgspec.structs.replace(SESSION, first_seq=9, **change))
            for change in ({"tick": 0}, {"lot": -1}, {"latency": ()}, {"queues": ()}, {"fees": (10**7, 0)})
        ),
    ],
)
def test_damage(tmp_path: Path, line: bytes) -> None:
    """A line that is none, or that does not follow, is named; nothing is added behind it."""
    log = ExecutionLog(tmp_path, SESSION)
    log.note(checkpoint(9))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(DamagedTapeError, match=f"{path}: line 3: "):
        read_executions(tmp_path)
    with pytest.raises(DamagedTapeError):
        ExecutionLog(tmp_path, SESSION)
