"""What `verify` finds, and that it finds nothing in a good tape."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orderbook.display import printable_lines
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support import tapes
from tests.support.commands import invoke, record_process
from tests.support.constants import BTC, ETH, MS, TIMEOUT_S
from tests.support.tapes import Recording
from tests.support.verified import assert_damaged, assert_whole

BLOCK = 4096


# Good tapes


def test_recording(recording: Recording) -> None:
    """A live recording with interruptions and several segments is whole."""
    assert_whole(recording.tape)


def test_capture(capture_tape: Path, request: pytest.FixtureRequest) -> None:
    """An imported real capture is whole, and its feed has no faults but the trade numbers of one capture."""
    # Its trade numbers are spelled "41766820.0".
    faults = {"exchange-2018-04-btc-ten-minutes": ["BTC-USD: no trades; 257 could not be read"]}
    document = assert_whole(capture_tape)
    assert document["feed_faults"] == faults.get(request.node.callspec.params["capture_tape"], [])


def test_imported(imported: Path) -> None:
    """An import of several segments is whole."""
    document = assert_whole(imported)
    assert document["checked_digests"] == 6


@pytest.mark.parametrize("segment_rows", [1, 7, 1024, BLOCK - 1, BLOCK, BLOCK + 1])
def test_segments_of_any_length(tmp_path: Path, segment_rows: int) -> None:
    """Segments of any length are sealed with the digest after their last row."""
    number = 40 if segment_rows < 10 else BLOCK + 100
    frames = [(0, tapes.snapshot(BTC)), *((n * MS, tapes.update(BTC)) for n in range(1, number))]
    assert_whole(tapes.import_frames(tmp_path, frames, segment_rows=segment_rows))


@pytest.mark.parametrize(
    "options",
    [("--segment-bytes", "5000"), ("--segment-time", "100ms")],  # by rows: `recording`
    ids=lambda options: options[0],
)
def test_live_segments(tmp_path: Path, options: tuple[str, ...]) -> None:
    """A live segment is sealed with the digest after its last row, whatever ended it."""
    settings = ExchangeSettings(rate=300.0, frames=250, keep_sent=False)
    tape = tmp_path / "tape"
    with SyntheticExchange([MarketSettings(BTC, depth=20)], settings) as exchange:

        def until() -> None:
            exchange.wait_for_done(timeout=TIMEOUT_S)

        record_process(tape, [BTC], exchange.url, until, *options)
    assert len(tapes.catalog(tape, BTC)) > 3
    assert_whole(tape)


def test_appended_tape(tmp_path: Path) -> None:
    """A tape that grew by further imports is whole."""
    for number in range(3):
        frames = [(number * 1000 * MS + n * MS, tapes.snapshot(BTC)) for n in range(50)]
        tape = tapes.import_frames(tmp_path, frames, segment_rows=20)
    assert_whole(tape)


# Damage


def test_findings_on_screen(imported: Path) -> None:
    """Every finding is printed as a line, and the verdict says that the tape is not whole."""
    tapes.edit_catalog(imported, ETH, 0, digest="0" * 64)
    path = tapes.segment_paths(imported, BTC)[2]
    tapes.flip_byte(path, -9)
    done = invoke("verify", imported)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "NOT whole" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("damage: ")]
    assert lines == [f"damage: {printable_lines(each)}" for each in assert_damaged(imported, path)]


def test_damage_of_one_product_hides_no_other(tape: Path) -> None:
    """Damage of one product does not end the check of the others."""
    paths = [tapes.segment_paths(tape, product)[0] for product in (BTC, ETH)]
    for path in paths:
        path.unlink()
    lines = assert_damaged(tape, paths[0])
    assert any(str(paths[1]) in line for line in lines)


# What the feed did wrong


def advanced_frames(numbers: list[int]) -> list[tuple[int, str]]:
    """Return Advanced frames of two products on one connection, with these numbers."""
    frames = []
    for place, number in enumerate(numbers):
        event = {
            "type": "snapshot" if place < 2 else "update",
            "product_id": (BTC, ETH)[place % 2],
            "updates": [
                {"side": "bid", "event_time": "", "price_level": "99", "new_quantity": "1"},
                {"side": "offer", "event_time": "", "price_level": "100", "new_quantity": "1"},
            ],
        }
        frame = {"channel": "l2_data", "timestamp": "", "sequence_num": number, "events": [event]}
        frames.append((place * MS, json.dumps(frame)))
    return frames


def test_numbers_of_a_shared_connection(tmp_path: Path) -> None:
    """sequence_num that is contiguous over all products has no gap."""
    tape = tapes.import_frames(tmp_path, advanced_frames(list(range(20))))
    assert assert_whole(tape)["feed_faults"] == []
    assert invoke("verify", tape, "--strict").exit_code == 0


def test_gap_of_a_shared_connection(tmp_path: Path) -> None:
    """Numbers that no product of the connection has are reported, and fail only with --strict."""
    numbers = [*range(9), *range(12, 20)]
    tape = tapes.import_frames(tmp_path, advanced_frames(numbers))
    (fault,) = assert_whole(tape)["feed_faults"]
    assert "3 sequence numbers" in fault
    done = invoke("verify", tape, "--strict")
    assert done.exit_code == 1
    assert "NOT whole" in done.stdout
    assert f"feed: {fault}" in done.stdout


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        ("crossed", tapes.update(BTC, ("buy", "101", "1"))),
        ("malformed", tapes.update(BTC, ("buy", "1e5", "1"))),
    ],
)
def test_faults_of_the_feed(tmp_path: Path, kind: str, frame: str) -> None:
    """Crossed books and malformed frames are reported, and fail only with --strict."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC)), (MS, frame)])
    assert assert_whole(tape)["feed_faults"] == [f"{BTC}: 1 {kind}"]
    assert invoke("verify", tape, "--strict").exit_code == 1


def test_early_update(tmp_path: Path) -> None:
    """An update before the first snapshot is reported, and fails only with --strict."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.update(BTC)), (MS, tapes.snapshot(BTC))])
    assert assert_whole(tape)["feed_faults"] == [f"{BTC}: 1 early_update"]
    assert invoke("verify", tape, "--strict").exit_code == 1


def test_harmless_oddities_pass(import_capture: Callable[[str], Path]) -> None:
    """The absent deletes of the Advanced capture do not fail even with --strict."""
    done = invoke("verify", import_capture("advanced-2026-08-btc-eth"), "--strict", "--json")
    assert done.exit_code == 0, done.stdout
    products = json.loads(done.stdout)["products"]
    assert sum(found["absent_deletes"] for found in products.values()) == 52


def test_missing_trades_are_a_fault_of_the_feed(tmp_path: Path) -> None:
    """A jump of the trade number is told, and fails with --strict alone; complete trades are told too."""
    for name, numbers in (("complete", (5, 6, 7)), ("missing", (5, 7, 8))):
        matches = [
            {"type": "match", "trade_id": number, "side": "buy", "size": "1", "price": "100"}
            | {"product_id": BTC, "time": "2026-01-01T00:00:00Z"}
            for number in numbers
        ]
        texts = [tapes.snapshot(BTC), *map(json.dumps, matches)]
        (tmp_path / name).mkdir()
        tapes.import_frames(tmp_path / name, list(enumerate(texts)))
    places = [tmp_path / "complete" / "tape", tmp_path / "missing" / "tape"]
    done = [invoke("verify", place) for place in places]
    assert "BTC-USD: 3 trades, none missing" in done[0].stdout
    assert "feed: BTC-USD: 3 trades, some missing at 1 place" in done[1].stdout
    assert [each.exit_code for each in done] == [0, 0]
    assert [invoke("verify", "--strict", place).exit_code for place in places] == [0, 1]
