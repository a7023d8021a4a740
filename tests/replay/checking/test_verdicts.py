"""The verdict on each connection: verified, unverifiable or broken, and why."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from orderbook.schema import TAPE_SCHEMA
from orderbook.times import format_time
from orderbook.venues.registry import venue
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.writer import TapeWriter
from replay.checking.verdicts import SharedSequences
from tests.support import tapes
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC, ETH, MS, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import SOFTWARE, to_batch
from tests.support.tapes import list_path, snapshot, update

Verdicts = list[tuple[str, str]]
"""Verdict and reason of each connection."""


def frame(number: int | None, product: str = BTC, ask: str = "100", kind: str = "update") -> str:
    """Return an Advanced frame: a book of 99 against an ask."""
    changes = [
        {"side": "bid", "price_level": "99", "new_quantity": "1"},
        {"side": "offer", "price_level": ask, "new_quantity": "1"},
    ]
    event = {"type": kind, "product_id": product, "updates": changes}
    numbered = {} if number is None else {"sequence_num": number}
    return json.dumps({"channel": "l2_data", **numbered, "events": [event]})


def numbered(*numbers: int | None) -> list[str]:
    """Return a snapshot and updates with these numbers."""
    return [frame(number, kind="update" if place else "snapshot") for place, number in enumerate(numbers)]


LATER = {
    "exchange": [(7200 * SECOND, snapshot(BTC))],
    "advanced": [(7200 * SECOND, frame(0, kind="snapshot"))],
}
CROSSED = [*numbered(0, 1), frame(2, ask="98")]


def sealed(directory: Path, *connections: Sequence[str], rows: int = 50_000) -> Path:
    """Return a sealed tape with a connection for each list of frames."""
    for number, frames in enumerate(connections):
        timed = [(number * SECOND + place * MS, text) for place, text in enumerate(frames)]
        capture = tapes.write_capture(directory / f"{number}.jsonl", timed)
        import_captures([capture], directory / "tape", ImportSettings(seal=SealPolicy(rows=rows)))
    return directory / "tape"


def unsealed(
    directory: Path, feed: str, *connections: Sequence[str], ending: str | None = "stopped", first: int = 0
) -> Path:
    """Return a tape whose last connections lie in the journal as a dead recorder leaves them.

    Args:
        directory: where.
        feed: the dialect.
        connections: a list of frames each; the last one is open where `ending` is None.
        ending: why each ended.
        first: number of the first of them.
    """
    with TapeWriter.open(directory / "tape", feed, [BTC], SOFTWARE, SealPolicy(), lambda: START) as writer:
        product = writer.products[BTC]
        rows: list[Row] = []
        seq = product.position.seq

        def add(connection: int, kind: str, payload: str) -> None:
            number = seq + len(rows)
            rows.append(Row(number, START + 3600 * SECOND + number * MS, connection, kind, payload))

        for place, frames in enumerate(connections):
            opened = {"id": f"c{place}", "url": "", "products": [BTC], "subscribe": []}
            add(first + place, "connected", json.dumps(opened))
            for text in frames:
                add(first + place, "frame", text)
            if ending is not None or place < len(connections) - 1:
                add(first + place, "disconnected", json.dumps({"code": 4000, "reason": ending or "stale"}))
        for part in product.append(to_batch(rows)):
            assert part.num_rows
    return directory / "tape"


def verdicts_of(command: str, tape: Path, product: str = BTC) -> Verdicts:
    """Return the verdicts of a command's JSON document; assert the numbers of the connections."""
    found = json_of(command, tape)["products"][product]["verdicts"]
    assert [each["connection"] for each in found] == list(range(len(found)))
    return [(each["verdict"], each["reason"]) for each in found]


def both(tape: Path) -> Verdicts:
    """Return the verdicts; assert that `inspect` and `verify` agree."""
    assert verdicts_of("inspect", tape) == verdicts_of("verify", tape)
    return verdicts_of("verify", tape)


# Sealed


def test_the_exchange_feed_is_unverifiable(tmp_path: Path) -> None:
    """The Exchange feed has no sequence numbers: people read what is known, not a defect."""
    tape = sealed(tmp_path, [snapshot(BTC), update(BTC)])
    assert both(tape) == [("unverifiable", "no gaps seen; this feed has no sequence numbers")]
    for command in ("inspect", "verify", ("compare", "--threshold", "1bps")):
        printed = invoke(*([command] if isinstance(command, str) else command), tape).stdout
        assert "no gaps seen" in printed
        assert "unverifiable" not in printed


def test_contiguous_numbers_are_verified(tmp_path: Path) -> None:
    """A connection with contiguous numbers is verified, in any segments."""
    tape = sealed(tmp_path, numbered(*range(20)), numbered(*range(5, 9)), rows=7)
    assert [verdict for verdict, _ in both(tape)] == ["verified", "verified"]


def test_a_gap_breaks_its_connection(tmp_path: Path) -> None:
    """A jump breaks its connection and no other, wherever segments end."""
    tape = sealed(tmp_path, numbered(0, 1), numbered(0, 1, 5, 6, 9), numbered(0, 1), rows=2)
    found = both(tape)
    assert [verdict for verdict, _ in found] == ["verified", "broken", "verified"]
    assert found[1][1] == "2 gap"


def test_a_crossed_book_breaks_its_connection(tmp_path: Path) -> None:
    """A crossed book breaks a connection of either feed."""
    found = both(sealed(tmp_path, numbered(0), CROSSED))
    assert [verdict for verdict, _ in found] == ["verified", "broken"]
    assert "crossed" in found[1][1]
    (tmp_path / "exchange").mkdir()
    crossed = [snapshot(BTC), update(BTC, ("buy", "101", "1"))]
    assert both(sealed(tmp_path / "exchange", crossed)) == [("broken", "1 crossed")]


def test_a_connection_without_numbers_is_not_verified(tmp_path: Path) -> None:
    """An Advanced connection without any sequence number is not verified."""
    found = both(sealed(tmp_path, numbered(0, 1), numbered(None, None, None)))
    assert [verdict for verdict, _ in found] == ["verified", "unverifiable"]


# Unsealed


def test_unsealed_rows_are_counted_by_verify_only(tmp_path: Path) -> None:
    """`inspect` reads no frames and says that rows are not sealed; `verify` counts them."""
    sealed(tmp_path, numbered(0, 1), CROSSED)
    tape = unsealed(tmp_path, "advanced", numbered(0, 1, 2), numbered(0, 7), first=2)
    assert [verdict for verdict, _ in verdicts_of("verify", tape)] == [
        "verified",
        "broken",
        "verified",
        "broken",
    ]
    inspected = verdicts_of("inspect", tape)
    assert [verdict for verdict, _ in inspected] == ["verified", "broken", "unverifiable", "unverifiable"]
    assert all("not sealed" in reason for _, reason in inspected[2:])
    rows = json_of("compare", tape, "--threshold", "1bps", "--by", "connection")["rows"]
    compared = [row["verdict"] for row in rows if row["connection"] is not None]
    assert compared == ["verified", "broken", "unverifiable", "broken"]


@pytest.mark.parametrize("ending", ["overflow", "gap"])
@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_overflow_and_gap_break_a_connection(tmp_path: Path, feed: str, ending: str) -> None:
    """A connection that the recorder ended by overflow or gap is broken, on either feed, sealed or not."""
    frames = numbered(0, 1) if feed == "advanced" else [snapshot(BTC)]
    tape = unsealed(tmp_path, feed, frames, ending=ending)
    (found,) = both(tape)
    assert found[0] == "broken"
    assert ending in found[1]
    capture = tapes.write_capture(tmp_path / "more.jsonl", [(7200 * SECOND, text) for text in frames])
    import_captures([capture], tape)
    first, second = both(tape)
    assert first == found
    assert second[0] == ("verified" if feed == "advanced" else "unverifiable")


@pytest.mark.parametrize("ending", ["stale", "stopped", "binary frame"])
def test_another_end_breaks_nothing(tmp_path: Path, ending: str) -> None:
    """Any other reason for its end does not change the verdict."""
    tape = unsealed(tmp_path, "advanced", numbered(0, 1), ending=ending)
    assert [verdict for verdict, _ in verdicts_of("verify", tape)] == ["verified"]


def test_a_connection_without_a_book_is_called_so(tmp_path: Path) -> None:
    """A connection that its recorder ended for want of a snapshot says nothing of gaps."""
    tape = unsealed(tmp_path, "exchange", ['{"type":"heartbeat"}'], ending="no snapshot")
    assert both(tape) == [("unverifiable", "it had no book (no snapshot)")]


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
@pytest.mark.parametrize("ending", ["stopped", "no snapshot", None])
def test_a_connection_without_a_frame_is_called_so(tmp_path: Path, feed: str, ending: str | None) -> None:
    """Nothing is said of the gaps or the numbers of a connection on which nothing came, sealed or not."""
    tape = unsealed(tmp_path, feed, [], ending=ending)
    assert both(tape) == [("unverifiable", "no frame came")]
    import_captures([tapes.write_capture(tmp_path / "more.jsonl", LATER[feed])], tape)
    assert both(tape)[0] == ("unverifiable", "no frame came")


def test_an_open_connection_has_a_verdict(tmp_path: Path) -> None:
    """A connection without an end is judged by its rows."""
    tape = unsealed(tmp_path, "advanced", numbered(0, 1), numbered(0, 1, 2), ending=None)
    assert [verdict for verdict, _ in verdicts_of("verify", tape)] == ["verified", "verified"]


# Shared


def shared(directory: Path, *numbers: int) -> Path:
    """Return a tape of two products that take turns on one connection, with these numbers."""
    frames = [
        frame(number, (BTC, ETH)[place % 2], kind="update" if place > 1 else "snapshot")
        for place, number in enumerate(numbers)
    ]
    return sealed(directory, frames)


def test_a_shared_connection_is_verified_together(tmp_path: Path) -> None:
    """The recorder of a shared connection counts over all products, so that no command needs the frames."""
    tape = shared(tmp_path, *range(10))
    for product in (BTC, ETH):
        for command in ("inspect", "verify"):
            assert verdicts_of(command, tape, product) == [("verified", "sequence numbers are contiguous")]
    document = json_of("compare", tape, "--threshold", "1bps")
    assert {row["verdict"] for row in document["rows"]} == {"verified"}


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((0, 1, 2, 3, 6, 7, 9), id="missing"),
        pytest.param((0, 1, 2, 3, 5, 4), id="swapped between products"),
        pytest.param((0, 1, 2, 3, 6, 5, 4, 7), id="swapped within a product"),
        pytest.param((0, 1, 2, 3, 4, 2, 5), id="repeated"),
        pytest.param((0, 1, 2, 2, 3), id="repeated in another product with another text"),
        pytest.param((0, 1, 2, 3, 4, 0, 1, 2), id="begun again"),
    ],
)
def test_a_shared_connection_with_wrong_numbers(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    """Numbers that are not one by one in the order received break the connection for all products."""
    tape = shared(tmp_path, *numbers)
    jumps = sum(after != before + 1 for before, after in pairwise(numbers))
    for product in (BTC, ETH):
        for command in ("inspect", "verify"):
            assert verdicts_of(command, tape, product) == [("broken", f"{jumps} gap")]
    assert invoke("verify", tape).exit_code == 0
    assert invoke("verify", tape, "--strict").exit_code == 1
    document = json_of("compare", tape, "--threshold", "1bps")
    assert {row["verdict"] for row in document["rows"]} == {"broken"}


def test_a_shared_connection_of_another_recorder(tmp_path: Path) -> None:
    """If no mark has the count, `verify` counts what the rows of all products tell."""
    with TapeWriter.open(tmp_path / "tape", "advanced", [BTC, ETH], SOFTWARE) as writer:
        for product, numbers in ((BTC, [0, 2, 5]), (ETH, [1, 3, 3])):
            opened = {"id": "c", "url": "", "products": [BTC, ETH], "subscribe": []}
            frames = [frame(number, product, kind="snapshot") for number in numbers]
            payloads = [json.dumps(opened), *frames]
            kinds = ["connected", *["frame"] * 3]
            rows = zip(kinds, payloads, strict=True)
            writer.products[product].append(
                to_batch(
                    [Row(seq, START + seq, 0, kind, payload) for seq, (kind, payload) in enumerate(rows)]
                )
            )
    for product in (BTC, ETH):
        ((verdict, reason),) = verdicts_of("inspect", tmp_path / "tape", product)
        assert verdict == "unverifiable"
        assert "share" in reason
        expected = "1 sequence numbers are missing, 1 repeat or go back"
        assert verdicts_of("verify", tmp_path / "tape", product) == [("broken", expected)]


# What a frame tells of itself


def test_a_frame_that_was_thrown_away_breaks_its_connection(tmp_path: Path) -> None:
    """After a malformed frame the book is known to differ, on either feed."""
    bad = frame(1).replace('"new_quantity": "1"', '"new_quantity": "0.-1"')
    assert both(sealed(tmp_path, [frame(0, kind="snapshot"), bad, frame(2)])) == [("broken", "1 malformed")]
    (tmp_path / "exchange").mkdir()
    cut = update(BTC)[:-9]
    assert both(sealed(tmp_path / "exchange", [snapshot(BTC), cut, cut])) == [("broken", "2 malformed")]


def at(seconds: float, text: str) -> str:
    """Return an Exchange frame with its time, so many seconds after the tests' beginning."""
    return json.dumps({**json.loads(text), "time": format_time(START + int(seconds * SECOND))})


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((0, -59, 60), []),
        ((-3600, -3599.5, -3605), ["recv_time is 60.0 min after the frames' own time"]),
        ((90, 91), ["recv_time is 90 s before the frames' own time"]),
        ((0, 0, -28800), ["recv_time is up to 8.0 h after the frames' own time"]),
        ((0, 600, -600), ["recv_time is from 10.0 min before to 10.0 min after the frames' own time"]),
    ],
)
def test_a_wrong_clock_is_told(tmp_path: Path, times: tuple[float, ...], expected: list[str]) -> None:
    """The frames' own times are a second opinion on recv_time, in all commands, however it is cut."""
    frames = [at(seconds, update(BTC) if place else snapshot(BTC)) for place, seconds in enumerate(times)]
    capture = tapes.write_capture(tmp_path / "capture.jsonl", [(0, text) for text in frames])
    tape = tmp_path / "tape"
    import_captures([capture], tape, ImportSettings(seal=SealPolicy(rows=2)))
    for command in ("inspect", "verify"):
        (verdict,) = json_of(command, tape)["products"][BTC]["verdicts"]
        assert verdict["notes"] == expected
        assert "; ".join([verdict["reason"], *expected]) in " ".join(invoke(command, tape).stdout.split())
    compact(tape)
    assert json_of("inspect", tape)["products"][BTC]["verdicts"] == [verdict]


def test_a_list_of_an_earlier_version(tmp_path: Path) -> None:
    """A tape whose list tells neither malformed frames nor lags is whole; `verify` counts them."""
    tape = sealed(tmp_path, [frame(0, kind="snapshot"), "no JSON", frame(1)])
    segments = list_path(tape)
    entry = json.loads(segments.read_text())
    assert (entry.pop("faults"), entry.pop("malformed")) == ({}, {"0": 1})
    del entry["lags"]
    segments.write_text(json.dumps({**entry, "faults": {}}) + "\n")
    assert verdicts_of("inspect", tape)[0][0] == "verified"
    assert verdicts_of("verify", tape) == [("broken", "1 malformed")]
    assert invoke("verify", tape).exit_code == 0


def test_verdicts_for_people(tmp_path: Path) -> None:
    """Both commands print a broken connection and the reason without --json too."""
    tape = sealed(tmp_path, numbered(0, 1), numbered(0, 5))
    for command in ("inspect", "verify"):
        done = invoke(command, tape)
        assert done.exit_code == 0
        assert "broken" in done.stdout
        assert "gap" in done.stdout


# Shared connections

PRODUCTS = ("A-USD", "B-USD", "C-USD")


def rows_of(name: str, numbers: list[object], products: tuple[str, ...] = PRODUCTS) -> list[Row]:
    """Return the rows of a product on a connection: frames with these numbers between its two ends."""
    opened = {"id": name, "url": "", "products": products, "subscribe": []}
    payloads = [json.dumps(opened), *(json.dumps({"sequence_num": number}) for number in numbers), "{}"]
    kinds = ["connected", *["frame"] * len(numbers), "disconnected"]
    return [
        Row(seq, seq, 0, kind, text) for seq, (kind, text) in enumerate(zip(kinds, payloads, strict=True))
    ]


def add(sequences: SharedSequences, product: str, rows: list[Row], size: int = 3) -> None:
    """Add rows in small batches."""
    for start in range(0, len(rows), size):
        part = [row._asdict() for row in rows[start : start + size]]
        sequences.add(product, pa.RecordBatch.from_pylist(part, schema=TAPE_SCHEMA))


def test_connections_of_one_product_are_not_counted() -> None:
    """The books check a connection of one product; rows before any connection are ignored."""
    sequences = SharedSequences(venue("advanced"))
    add(sequences, "A-USD", rows_of("alone", [1, 9], ("A-USD",)))
    add(sequences, "B-USD", rows_of("x", [1, 9])[1:])
    assert sequences.faults() == {}


def test_other_values_are_not_numbers() -> None:
    """Texts and fractions are ignored."""
    sequences = SharedSequences(venue("advanced"))
    odd: list[object] = [5, "7", 1.5, None, True, [6], 7]
    add(sequences, "A-USD", rows_of("shared", odd))
    assert sequences.faults() == {"shared": (1, 0)}


def test_a_connection_ends_with_its_rows() -> None:
    """Frames after a `disconnected` row do not count."""
    sequences = SharedSequences(venue("advanced"))
    stray = rows_of("other", [50])[1]
    add(sequences, "A-USD", [*rows_of("shared", [1, 2]), stray])
    assert sequences.faults() == {"shared": (0, 0)}
