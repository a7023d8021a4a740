"""Audits of interruptions: levels that differ between the book before and the snapshot after."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.engine import PlainEngine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.api import import_captures
from replay.checking.reconnects import AuditedBook, differing
from tests.endurance.forms import cases
from tests.support import oracle, tapes
from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, MS, SECOND, START
from tests.support.depth_oracle import best_first
from tests.support.rows import to_batch
from tests.support.tapes import snapshot, update

Sides = tuple[dict[int, str], dict[int, str]]
SIDE = st.dictionaries(st.integers(1, 30), st.sampled_from("123"), max_size=20)
Level = tuple[str, str]


def naive(before: Sides, after: Sides, depth: int) -> int:
    """Count level by level: a price counts if it is among the best of either book and not equal in both."""
    count = 0
    for side, is_bid in ((0, True), (1, False)):
        for price in range(32):
            near = False
            for held in (before[side], after[side]):
                better = sum(1 for other in held if (other > price if is_bid else other < price))
                near |= price in held and better < depth
            count += near and before[side].get(price) != after[side].get(price)
    return count


@given(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE), st.integers(1, 25))
def test_differing_against_brute_force(before: Sides, after: Sides, depth: int) -> None:
    """The count of differing levels is that of a check of every price, in both directions."""
    old, new = best_first(*before), best_first(*after)
    assert differing(old, new, depth) == differing(new, old, depth) == naive(before, after, depth)
    assert differing(old, new, None) == naive(before, after, 99)
    assert differing(old, old, depth) == 0


def levels(first: int, step: int, number: int, size: str = "1") -> list[Level]:
    """Return levels from a best price outwards."""
    return [(str(first + step * place), size) for place in range(number)]


def with_changes(held: Sequence[Level], changes: dict[int, str | None]) -> list[Level]:
    """Return levels with other sizes at some places; None removes the level."""
    made = []
    for place, (price, size) in enumerate(held):
        new = changes.get(place, size)
        made += [(price, new)] if new is not None else []
    return made


def interrupted_tape(directory: Path, *connections: Sequence[str]) -> Path:
    """Return a tape with a connection for each list of frames."""
    for number, frames in enumerate(connections):
        timed = [(number * SECOND + place * MS, text) for place, text in enumerate(frames)]
        capture = tapes.write_capture(directory / f"{number}.jsonl", timed)
        import_captures([capture], directory / "tape")
    return directory / "tape"


def audits(tape: Path) -> list[Json]:
    """Return the audits of BTC-USD in `verify --json`."""
    found: list[Json] = json_of("verify", tape)["products"][BTC]["audits"]
    return found


def test_an_interruption_with_known_differences(tmp_path: Path) -> None:
    """The differing levels among the best 10, the best 100 and all are those of `verify --json`."""
    bids, asks = levels(10_000, -1, 150), levels(10_001, 1, 150)
    # Bids: one size among the best 10, two beyond. Asks: a level lost at place 50, another at 140.
    after_bids = with_changes(bids, {3: "2", 20: "2", 120: "2"})
    after_asks = with_changes(asks, {50: None, 140: None})
    before = [snapshot(BTC, bids, asks)]
    tape = interrupted_tape(tmp_path, before, ["no JSON", snapshot(BTC, after_bids, after_asks), update(BTC)])
    (found,) = audits(tape)
    assert found.pop("time").startswith("2026-08-09T21:05:49.00")
    assert found == {
        "connection": 1,
        "levels_before": 300,
        "levels_after": 298,
        "differ_10": 1,
        "differ_100": 3,
        "differ_all": 5,
    }
    human = invoke("verify", tape)
    assert human.exit_code == 0
    line = next(line for line in human.stdout.splitlines() if "connection 1" in line and "level" in line)
    assert all(number in line for number in ("1", "3", "5"))


def test_the_book_before_is_that_after_all_updates(tmp_path: Path) -> None:
    """The book just before the interruption is compared, with updates applied."""
    before = [
        snapshot(BTC, [("99", "1")], [("100", "1")]),
        update(BTC, ("buy", "98", "2"), ("sell", "100", "0")),
    ]
    same = snapshot(BTC, [("99", "1"), ("98", "2")], [])
    (found,) = audits(interrupted_tape(tmp_path, before, [same]))
    assert (found["levels_before"], found["levels_after"], found["differ_all"]) == (2, 2, 0)


def test_two_spellings_of_a_size_are_no_difference(tmp_path: Path) -> None:
    """A level whose price or size only has another spelling has not changed."""
    one = snapshot(BTC, [("99.00", "1.50000000")], [("100", "2")])
    two = snapshot(BTC, [("99", "1.5")], [("100.0", "2.000")])
    (found,) = audits(interrupted_tape(tmp_path, [one], [two]))
    assert found["differ_all"] == 0


def test_a_snapshot_before_updates_of_its_connection(tmp_path: Path) -> None:
    """The snapshot itself is compared, not the book after later updates in the same batch."""
    held = snapshot(BTC, [("99", "1")], [("100", "1")])
    (found,) = audits(interrupted_tape(tmp_path, [held], [held, update(BTC, ("buy", "99", "7"))]))
    assert found["differ_all"] == 0


def test_connections_without_a_snapshot(tmp_path: Path) -> None:
    """After a connection without a snapshot, the next snapshot is compared."""
    held, moved = snapshot(BTC), snapshot(BTC, [("98", "1")])
    early = update(BTC, ("buy", "97", "1"))
    found = audits(interrupted_tape(tmp_path, [held], [early], ["no JSON", moved], [moved]))
    assert [(each["connection"], each["differ_all"]) for each in found] == [(2, 2), (3, 0)]


def test_a_second_snapshot_is_no_interruption(tmp_path: Path) -> None:
    """A snapshot within a connection, and the first of a tape, are not audited."""
    assert audits(interrupted_tape(tmp_path, [snapshot(BTC), snapshot(BTC, [("1", "1")])])) == []


OPENED = json.dumps({"id": "", "url": "", "products": [BTC], "subscribe": []})
FRAME = st.one_of(
    st.just(("connected", OPENED)),
    st.just(("disconnected", '{"code":1006,"reason":""}')),
    st.lists(
        st.tuples(st.sampled_from(["97", "98", "99"]), st.sampled_from(["1", "2.0", "2"])), max_size=3
    ).map(lambda bids: ("frame", snapshot(BTC, bids, [("100", "1")]))),
    st.tuples(st.sampled_from(["97", "98", "99"]), st.sampled_from(["0", "1", "2"])).map(
        lambda change: ("frame", update(BTC, ("buy", *change)))
    ),
)


def naive_audits(rows: Sequence[oracle.Row]) -> list[int]:
    """Return how many levels differ after each interruption, from plain dicts."""
    book: dict[str, Decimal] | None = None
    held: dict[str, Decimal] | None = None
    found = []
    for row in rows:
        if row.kind != "frame":
            held, book = book if book is not None else held, None
            continue
        message = json.loads(row.payload)
        if message["type"] == "snapshot":
            fresh = {price: Decimal(size) for price, size in message["bids"]}
            if book is None and held is not None:
                prices = held.keys() | fresh.keys()
                found.append(sum(held.get(price) != fresh.get(price) for price in prices))
            book, held = fresh, None
        elif book is not None:
            for _, price, size in message["changes"]:
                book[price] = Decimal(size)
                if not book[price]:
                    del book[price]
    return found


@settings(max_examples=cases(100, 30))
@given(st.lists(FRAME, max_size=25), st.integers(1, 9))
def test_any_tape_against_plain_dicts(frames: list[tuple[str, str]], size: int) -> None:
    """In any batches, audits are those of plain dicts and all summaries stay the same."""
    rows, connection = [], 0
    for seq, (kind, text) in enumerate(frames):
        connection += kind == "connected"
        rows.append(oracle.Row(seq, START + seq * MS, connection, kind, text))
    book, tally, whole = (
        AuditedBook(PlainEngine(), BTC, "exchange"),
        Tally(DEFAULT_THRESHOLD),
        Tally(DEFAULT_THRESHOLD),
    )
    for start in range(0, len(rows), size):
        for step in book.steps(to_batch(rows[start : start + size])):
            tally.add(step)
    if rows:
        whole.add(PlainEngine().step(PlainEngine().start(BTC, "exchange"), to_batch(rows))[1])
    assert [audit.differ_all for audit in book.audits] == naive_audits(rows)
    assert tally.digest.hexdigest() == whole.digest.hexdigest()
