"""Injected faults, and how our own recorder recovers from them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderbook.errors import OptionError
from replay.serving.faults import GARBAGE, Fault, PendingFaults, parse_fault
from tests.support.constants import BTC, MS
from tests.support.tape_server import closes_of, frames_of, record_served, serving
from tests.support.tapes import import_frames, snapshot, update

STEP_MS = 40


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape of one connection of two seconds."""
    texts = [snapshot(BTC), *(update(BTC, ("buy", "98", str(number + 1))) for number in range(50))]
    return import_frames(tmp_path, ((at * STEP_MS * MS, text) for at, text in enumerate(texts)))


def recorded(tape: Path, served: Path, *faults: Fault, connections: int) -> Iterator[list[str]]:
    """Serve a tape with faults, record it, and yield each connection's frames without acknowledgements."""
    with serving(tape, speed=1.0, faults=faults) as url:
        record_served(url, served, [BTC], "exchange", connections=connections, stale_after=3.0)
    yield from ([text for text in each if "subscriptions" not in text] for each in frames_of(served, BTC))


@pytest.mark.parametrize(("kind", "ending"), [("drop", (1006, "")), ("stall", (4000, "stale"))])
def test_a_failed_connection_is_served_again(
    tape: Path, tmp_path: Path, kind: str, ending: tuple[int, str]
) -> None:
    """The first connection breaks or falls silent halfway, the next one is complete; it happens once."""
    fault = parse_fault(f"{kind}@1")
    failed, whole = recorded(tape, tmp_path / "served", fault, connections=2)
    (said,) = frames_of(tape, BTC)
    assert failed == said[: len(failed)]
    assert 0 < len(failed) < len(said)
    assert whole == said
    assert closes_of(tmp_path / "served", BTC) == [ending, (1000, "the end of the tape")]


def test_garbage_is_one_additional_frame(tape: Path, tmp_path: Path) -> None:
    """A frame that is not JSON is sent among the others; the recorder gets a fresh snapshot after it."""
    received, whole = recorded(tape, tmp_path / "served", Fault("garbage", 1.0), connections=2)
    (said,) = frames_of(tape, BTC)
    assert received.index(GARBAGE) > 0
    received.remove(GARBAGE)
    assert received == said[: len(received)]
    assert whole == said
    assert closes_of(tmp_path / "served", BTC) == [(4000, "malformed"), (1000, "the end of the tape")]


def test_each_fault_happens_once() -> None:
    """A fault that is configured twice can be claimed twice, no more."""
    fault = Fault("drop", 1.0)
    faults = PendingFaults([fault, fault])
    assert [faults.claim(fault) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("text", ["drop", "drop@", "drop@-1", "burn@1", "drop@1s", "drop@1e3", "drop@nan"])
def test_invalid_faults(text: str) -> None:
    """Only a known kind with plain seconds is a fault."""
    with pytest.raises(OptionError, match="drop@SECONDS"):
        parse_fault(text)
