"""A recording continues a recording of the same kind; any other tape needs an option."""

import json
from pathlib import Path

import pytest

from recorder.recording import check_kind
from recorder.tape.errors import TapeError
from recorder.tape.format.manifest import mark_synthetic
from tests.support.constants import BTC, START
from tests.support.oracle import Row
from tests.support.rows import open_writer, to_batch
from tests.support.tapes import import_frames, snapshot

HERE = "ws://127.0.0.1:8765"
EXCHANGE = "wss://ws-feed.exchange.coinbase.com"


def recorded_from(directory: Path, url: str) -> Path:
    """Return a tape of a connection to an address."""
    opened = json.dumps({"id": "a", "url": url, "products": [BTC], "subscribe": ["{}"]})
    with open_writer(directory / "tape") as writer:
        writer.products[BTC].append(to_batch([Row(0, START, 0, "connected", opened)]))
    return directory / "tape"


def test_a_recording_goes_on(tmp_path: Path) -> None:
    """A new tape, an empty one, and a recording from the same place may be continued."""
    check_kind(tmp_path / "new", EXCHANGE)
    check_kind(recorded_from(tmp_path, "wss://ws-direct.exchange.coinbase.com"), EXCHANGE)
    (tmp_path / "here").mkdir()
    check_kind(recorded_from(tmp_path / "here", "ws://localhost:1"), HERE)


@pytest.mark.parametrize(("url", "to"), [(HERE, EXCHANGE), (EXCHANGE, HERE)])
def test_a_recording_from_elsewhere_is_refused(tmp_path: Path, url: str, to: str) -> None:
    """Rows of a server on this machine, a test or a replay, are not mixed with the exchange's."""
    with pytest.raises(TapeError, match=r"a recording from .*--append"):
        check_kind(recorded_from(tmp_path, url), to)


@pytest.mark.parametrize("url", [HERE, EXCHANGE])
def test_an_import_and_a_synthetic_tape_are_refused(tmp_path: Path, url: str) -> None:
    """The error names what the tape holds, and the option."""
    tape = import_frames(tmp_path, [(0, snapshot(BTC))])
    with pytest.raises(TapeError, match=r"tape: an import of capture\.jsonl, .*--append"):
        check_kind(tape, url)
    mark_synthetic(tape)
    with pytest.raises(TapeError, match=r"(a synthetic market|an import of).*--append"):
        check_kind(tape, url)


def test_a_synthetic_tape_takes_only_more_from_this_machine(tmp_path: Path) -> None:
    """A test server may be recorded again; the exchange is not mixed in."""
    tape = recorded_from(tmp_path, HERE)
    mark_synthetic(tape)
    check_kind(tape, HERE)
    with pytest.raises(TapeError, match=r"a synthetic market.*--append"):
        check_kind(tape, EXCHANGE)
