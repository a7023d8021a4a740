"""What can be said of each connection: verified, unverifiable or broken, and why."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from orderbook.feeds import Feed
from recorder.record import import_captures
from recorder.tape.policy import SealPolicy
from recorder.tape.writer import TapeWriter
from tests.oracle import Row
from tests.recorder.rows import SOFTWARE, batch
from tests.replay import tapes
from tests.replay.tapes import MS, SECOND, START, snapshot, update

BTC, ETH = "BTC-USD", "ETH-USD"
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


CROSSED = [*numbered(0, 1), frame(2, ask="98")]


def sealed(directory: Path, *connections: Sequence[str], rows: int = 50_000) -> Path:
    """Return a sealed tape with a connection for each list of frames."""
    for number, frames in enumerate(connections):
        timed = [(number * SECOND + place * MS, text) for place, text in enumerate(frames)]
        capture = tapes.write_capture(directory / f"{number}.jsonl", timed)
        import_captures([capture], directory / "tape", "jsonl", policy=SealPolicy(rows=rows))
    return directory / "tape"


def unsealed(
    directory: Path, feed: Feed, *connections: Sequence[str], ending: str | None = "stopped", first: int = 0
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
        for part in product.append(batch(rows)):
            assert part.num_rows
    return directory / "tape"


def told(command: str, tape: Path, product: str = BTC) -> Verdicts:
    """Return the verdicts that a command's JSON document tells, and insist on the numbers of connections."""
    found = tapes.json_of(command, tape)["products"][product]["verdicts"]
    assert [each["connection"] for each in found] == list(range(len(found)))
    return [(each["verdict"], each["reason"]) for each in found]


def both(tape: Path) -> Verdicts:
    """Return the verdicts, which `inspect` and `verify` must agree on."""
    assert told("inspect", tape) == told("verify", tape)
    return told("verify", tape)


# Sealed


def test_the_exchange_feed_is_unverifiable(tmp_path: Path) -> None:
    """The Exchange feed has no counter, and that is the reason told."""
    ((verdict, reason),) = both(sealed(tmp_path, [snapshot(BTC), update(BTC)]))
    assert verdict == "unverifiable"
    assert "no sequence numbers" in reason


def test_contiguous_numbers_are_verified(tmp_path: Path) -> None:
    """A connection whose numbers count on is verified, however its rows lie in segments."""
    tape = sealed(tmp_path, numbered(*range(20)), numbered(*range(5, 9)), rows=7)
    assert [verdict for verdict, _ in both(tape)] == ["verified", "verified"]


def test_a_gap_breaks_its_connection(tmp_path: Path) -> None:
    """A jump breaks the connection it is on and no other, also where segments end all around it."""
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
    """Where no frame of an Advanced connection has a number, nothing was counted and nothing is verified."""
    found = both(sealed(tmp_path, numbered(0, 1), numbered(None, None, None)))
    assert [verdict for verdict, _ in found] == ["verified", "unverifiable"]


# Unsealed


def test_unsealed_rows_are_counted_by_verify_only(tmp_path: Path) -> None:
    """What is in the journal is told as such by `inspect`, which reads no frames, and counted by `verify`."""
    sealed(tmp_path, numbered(0, 1), CROSSED)
    tape = unsealed(tmp_path, "advanced", numbered(0, 1, 2), numbered(0, 7), first=2)
    assert [verdict for verdict, _ in told("verify", tape)] == ["verified", "broken", "verified", "broken"]
    inspected = told("inspect", tape)
    assert [verdict for verdict, _ in inspected] == ["verified", "broken", "unverifiable", "unverifiable"]
    assert all("not sealed" in reason for _, reason in inspected[2:])


@pytest.mark.parametrize("ending", ["overflow", "gap"])
@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_end_that_tells_a_loss_is_broken(tmp_path: Path, feed: Feed, ending: str) -> None:
    """A connection that the recorder ended by overflow or gap is broken, on either feed, sealed or not."""
    frames = numbered(0, 1) if feed == "advanced" else [snapshot(BTC)]
    tape = unsealed(tmp_path, feed, frames, ending=ending)
    (found,) = both(tape)
    assert found[0] == "broken"
    assert ending in found[1]
    capture = tapes.write_capture(tmp_path / "more.jsonl", [(7200 * SECOND, text) for text in frames])
    import_captures([capture], tape, "jsonl")
    first, second = both(tape)
    assert first == found
    assert second[0] == ("verified" if feed == "advanced" else "unverifiable")


@pytest.mark.parametrize("ending", ["stale", "stopped", "binary frame"])
def test_another_end_breaks_nothing(tmp_path: Path, ending: str) -> None:
    """A connection that ended for any other reason is as good as its numbers."""
    tape = unsealed(tmp_path, "advanced", numbered(0, 1), ending=ending)
    assert [verdict for verdict, _ in told("verify", tape)] == ["verified"]


def test_an_open_connection_has_a_verdict(tmp_path: Path) -> None:
    """A connection that nobody ended is judged by what it has."""
    tape = unsealed(tmp_path, "advanced", numbered(0, 1), numbered(0, 1, 2), ending=None)
    assert [verdict for verdict, _ in told("verify", tape)] == ["verified", "verified"]


# Shared


def shared(directory: Path, *numbers: int) -> Path:
    """Return a tape of two products on one connection; even numbers are of the first one."""
    frames = [
        frame(number, (BTC, ETH)[number % 2], kind="update" if place > 1 else "snapshot")
        for place, number in enumerate(numbers)
    ]
    return sealed(directory, frames)


def test_a_shared_connection_is_verified_together(tmp_path: Path) -> None:
    """`inspect` cannot count what products share and says so; `verify` counts them together."""
    tape = shared(tmp_path, *range(10))
    for product in (BTC, ETH):
        ((verdict, reason),) = told("inspect", tape, product)
        assert verdict == "unverifiable"
        assert "share" in reason
        assert [verdict for verdict, _ in told("verify", tape, product)] == ["verified"]


def test_a_shared_connection_with_missing_numbers(tmp_path: Path) -> None:
    """Numbers that no product has break the connection for all of them."""
    tape = shared(tmp_path, 0, 1, 2, 3, 6, 7, 9)
    for product in (BTC, ETH):
        ((verdict, reason),) = told("verify", tape, product)
        assert verdict == "broken"
        assert reason.startswith("3 ")


def test_verdicts_for_people(tmp_path: Path) -> None:
    """Both commands tell a broken connection and its reason without --json, too."""
    tape = sealed(tmp_path, numbered(0, 1), numbered(0, 5))
    for command in ("inspect", "verify"):
        done = tapes.command(command, tape)
        assert done.exit_code == 0
        assert "broken" in done.stdout
        assert "gap" in done.stdout
