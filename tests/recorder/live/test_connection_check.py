"""The rules of one connection, without I/O and over real sockets: which frames end it."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from orderbook.venues.registry import venue
from recorder.live.book_liveness import ProductPast
from recorder.live.connection_check import ENDED_BY_US, ConnectionCheck, Ending, Refusal
from tests.support import tapes
from tests.support.commands import booktape
from tests.support.constants import BTC
from tests.support.recordings import record_here, summaries
from tests.support.rows import read_rows
from tests.support.scripted_server import (
    BY_US,
    ScriptedServer,
    advanced,
    assert_resumed,
    assert_sound,
    book,
    failing,
    frames_on,
    payloads_of,
    refusing,
)

GAP = Ending(ENDED_BY_US, "gap")
ERROR = json.dumps(
    {"type": "error", "message": "Failed to subscribe", "reason": f"{BTC} is not a valid product"}
)
PASSING = json.dumps({"type": "error", "message": "Failed to subscribe", "reason": "rate limit exceeded"})


def numbered(number: object, channel: str = "heartbeats") -> str:
    """Return an Advanced frame with a number."""
    return json.dumps({"channel": channel, "sequence_num": number, "events": []})


def advanced_snapshot(product: str, number: int = 0) -> str:
    """Return an Advanced snapshot."""
    event = {"type": "snapshot", "product_id": product, "updates": []}
    return json.dumps({"channel": "l2_data", "sequence_num": number, "events": [event]})


def book_snapshot(feed: str, product: str) -> str:
    """Return a snapshot in a dialect."""
    return tapes.snapshot(product) if feed == "exchange" else advanced_snapshot(product)


def check_of(feed: str, product: str = BTC, *, was_served: bool = False) -> ConnectionCheck:
    """Return the check of a connection that opened at time 0."""
    return ConnectionCheck(venue(feed), product, ProductPast(is_served=was_served), 10.0, 0.0)


def verdicts(checker: ConnectionCheck, texts: Iterable[str]) -> list[Ending | Refusal | None]:
    """Return what each frame means."""
    return [checker.check(text, 1.0) for text in texts]


# Numbers


@given(st.lists(st.integers(0, 12), max_size=12), st.booleans())
def test_a_jump_over_any_frames_is_a_gap(numbers: list[int], served: bool) -> None:
    """On Advanced Trade a frame of any channel that does not count on from the one before is a gap."""
    channels = ("heartbeats", "l2_data", "subscriptions", "status", "nobody knows")
    texts = [numbered(number, channels[place % 5]) for place, number in enumerate(numbers)]
    expected = [
        GAP if place and number != numbers[place - 1] + 1 else None for place, number in enumerate(numbers)
    ]
    assert verdicts(check_of("advanced", was_served=served), texts) == expected


def test_numbers_of_every_size_and_type() -> None:
    """A number beyond 64 bits is checked like any other; other types are ignored."""
    first = 2**64 - 1
    checker = check_of("advanced", was_served=True)
    odd: list[object] = [None, "7", 1.5, True, []]
    texts = [numbered(each) for each in (first, *odd, first + 1, first + 2, first + 4)]
    assert verdicts(checker, texts) == [None] * 8 + [GAP]


def test_the_exchange_feed_has_no_counter() -> None:
    """On the Exchange feed no number is looked at, whatever the field is called."""
    checker = check_of("exchange")
    texts = [json.dumps({"type": "heartbeat", "sequence_num": n, "sequence": n}) for n in (1, 9, 2, 2)]
    assert verdicts(checker, texts) == [None] * 4


def test_a_new_connection_counts_anew() -> None:
    """The first number of a connection is never a gap."""
    for first in (0, 5, 10**6):
        assert verdicts(check_of("advanced", was_served=True), [numbered(first)]) == [None]


# Refusals


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_before_the_first_snapshot_is_a_refusal(feed: str) -> None:
    """An error frame before any snapshot says that the subscription was refused, and why."""
    refused = check_of(feed).check(ERROR, 1.0)
    assert isinstance(refused, Refusal)
    assert f"Failed to subscribe: {BTC} is not a valid product" in refused.text


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_after_the_first_snapshot_is_only_told(feed: str) -> None:
    """An error frame after the connection's snapshot does not end anything."""
    checker = check_of(feed)
    assert verdicts(checker, [book_snapshot(feed, BTC), ERROR]) == [None, None]
    assert checker.problem(2.0) is None


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_that_may_pass_leaves_time_for_the_snapshot(feed: str) -> None:
    """An error frame that is no refusal of the product ends the connection only if no snapshot follows it."""
    checker = check_of(feed)
    assert verdicts(checker, [PASSING, book_snapshot(feed, BTC)]) == [None, None]
    assert checker.problem(9.0) is None
    checker = check_of(feed)
    assert verdicts(checker, [PASSING]) == [None]
    assert checker.problem(2.9) is None
    ended = checker.problem(3.1)
    assert ended == Ending(ENDED_BY_US, "refused", ended.said if ended else "")
    assert ended is not None
    assert "rate limit exceeded" in ended.said


def test_a_product_that_was_served_is_not_renamed() -> None:
    """A snapshot of another product refuses nothing once the product itself was served."""
    assert verdicts(check_of("exchange", was_served=True), [book_snapshot("exchange", "ETH-USD")]) == [None]


# Liveness


def heartbeat(sequence: int, product: str = BTC, trade: int = 5) -> str:
    """Return a heartbeat of the Exchange feed."""
    beat = {"type": "heartbeat", "sequence": sequence, "last_trade_id": trade, "product_id": product}
    return json.dumps(beat)


OTHERS: Final[dict[str, Callable[[int], str]]] = {
    "heartbeats": heartbeat,
    "heartbeats and updates of another product": lambda second: (
        heartbeat(second) if second % 2 else tapes.update("ETH-USD", ("buy", "9", str(second)))
    ),
    "trades": lambda second: json.dumps(
        {
            "type": "match",
            "trade_id": second,
            "product_id": BTC,
            "side": "buy",
            "price": "1",
            "size": "1",
            "time": "2026-01-01T00:00:00Z",
        }
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_book_whose_updates_stopped_is_dead(name: str) -> None:
    """Whatever else comes, a book that gets no updates although something happens ends the connection."""
    checker = check_of("exchange")
    checker.check(book_snapshot("exchange", BTC), 0.0)
    ends = []
    for second in range(1, 30):
        assert checker.check(OTHERS[name](second), float(second)) is None
        ends.append(checker.problem(float(second)))
        if ends[-1] is not None:
            break
    assert ends[-1] is not None
    assert ends[-1].reason == "dead book"
    assert re.fullmatch(r"no update for \d+\.\d s", ends[-1].said)
    assert 10 < len(ends) < 20


@pytest.mark.parametrize("escaped", [False, True])
def test_updates_keep_a_book_alive(escaped: bool) -> None:
    """Updates count however they are spelled, heartbeats of other products say nothing."""
    update = tapes.update(BTC, ("buy", "9", "1"))
    if escaped:
        update = update.replace("l2update", "l2\\u0075pdate").replace(BTC, "\\u0042TC-USD")
    checker = check_of("exchange")
    checker.check(book_snapshot("exchange", BTC), 0.0)
    for second in range(1, 60):
        for text in (heartbeat(second), update, heartbeat(second, "ETH-USD")):
            assert checker.check(text, float(second)) is None
        assert checker.problem(float(second)) is None


def test_an_advanced_book_is_judged_by_its_pace() -> None:
    """Heartbeats of the Advanced feed tell nothing of the product: its own pace does."""
    checker = check_of("advanced")
    texts = [advanced(number, "1") for number in range(30)]
    for number, text in enumerate(texts):
        assert checker.check(text, number * 0.1) is None
    for second in range(4, 13):
        assert checker.check(numbered(26 + second), float(second)) is None
        assert checker.problem(float(second)) is None
    checker.check(numbered(39), 13.0)
    assert checker.problem(13.0) == Ending(ENDED_BY_US, "dead book", "no update for 10.1 s")


def test_silence_is_stale_and_no_snapshot_is_named() -> None:
    """No frame at all is `stale`; frames without a snapshot are `no snapshot`."""
    assert check_of("exchange").problem(10.1) == Ending(ENDED_BY_US, "stale")
    checker = check_of("exchange")
    for second in range(1, 11):
        checker.check(tapes.update(BTC, ("buy", "9", "1")), float(second))
        assert checker.problem(float(second)) is None
    assert checker.problem(10.1) == Ending(ENDED_BY_US, "no snapshot", "no snapshot for 10.1 s")


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_answer_under_another_name_is_named(feed: str) -> None:
    """A snapshot of another product than the subscribed one is a refusal that names it."""
    checker = check_of(feed, "BTC-USDC")
    refused = checker.check(book_snapshot(feed, BTC), 1.0)
    assert isinstance(refused, Refusal)
    assert BTC in refused.text.replace("BTC-USDC", "").split(", ")[0]
    assert not checker.book.has_book


def test_only_snapshots_are_an_answer() -> None:
    """Acknowledgements, heartbeats and updates that name other products refuse nothing and serve nothing."""
    checker = check_of("advanced")
    update = {"type": "update", "product_id": "ETH-USD", "updates": []}
    texts = [
        json.dumps({"channel": "subscriptions", "events": [{"subscriptions": {"level2": ["ETH-USD"]}}]}),
        json.dumps({"channel": "l2_data", "events": [update]}),
        json.dumps({"channel": "ticker", "events": [{"type": "snapshot", "product_id": "ETH-USD"}]}),
    ]
    assert verdicts(checker, texts) == [None] * 3
    assert not checker.book.has_book


def test_a_reason_cannot_steer_the_terminal() -> None:
    """What the exchange says stays on one line of printable characters, and short."""
    frame = json.dumps(
        {
            "type": "error",
            "message": "\x1b[31m\nno\r\u202e",
            "reason": f"{BTC} is not a valid product: " + "x" * 10_000,
        }
    )
    refused = check_of("exchange").check(frame, 1.0)
    assert isinstance(refused, Refusal)
    assert refused.text.isprintable()
    assert len(refused.text) < 500


# Text that is no message


MALFORMED = ["", "no JSON", "[1]", "null", '{"type":"error"', '{"a":"\\ud800"}', "[" * 100_000, '{"a":' * 99]


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_text_is_not_the_connections_fault(feed: str, text: str) -> None:
    """Text that is no JSON object means nothing for the connection, before and after the snapshot."""
    checker = check_of(feed)
    assert verdicts(checker, [text, book_snapshot(feed, BTC), text]) == [None] * 3
    assert checker.book.has_book


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_raises(text: str) -> None:
    """Whatever text comes, a judgement is returned and nothing is raised."""
    for feed in ("exchange", "advanced"):
        assert check_of(feed).check(text, 1.0) is None


@pytest.mark.parametrize("number", [4, 2, 0, 10**30])
def test_a_jump_of_sequence_num(tmp_path: Path, number: int) -> None:
    """A frame of any channel whose number does not follow is recorded as the last of its connection."""
    jumped = json.dumps({"channel": "heartbeats", "sequence_num": number, "events": []})

    async def jump(connection: ServerConnection) -> None:
        await connection.send(jumped)
        await connection.send(advanced(number + 1, "9"))

    tape = tmp_path / "tape"
    with ScriptedServer(failing(jump, "advanced"), subscriptions=2) as peer:
        recorded = record_here(peer.url, tape, {BTC: summaries(3, connection=1)}, feed="advanced")
    rows = assert_resumed(tape, BY_US, "gap", "advanced")
    assert frames_on(rows, 0) == [*book(0, "advanced"), jumped]
    assert recorded.tallies[BTC].anomalies["gap"] == 1


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_error_as_answer_ends_with_1(tmp_path: Path, feed: str) -> None:
    """If an error frame answers the subscription, the command exits with 1 and the reason in one line."""
    tape = tmp_path / "tape"
    with ScriptedServer(refusing(ERROR)) as peer:
        done = booktape("record", BTC, "-o", tape, "--url", peer.url, "--feed", feed)
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert line.startswith(f"Error: {BTC}: ")
    assert "is not a valid product" in line
    rows = assert_sound(tape)
    assert frames_on(rows, 0) == [ERROR]
    assert payloads_of(rows) == [{"code": BY_US, "reason": "refused"}]


@pytest.mark.parametrize("command", ["record", "live"])
def test_an_answer_under_another_name_ends_with_1(tmp_path: Path, command: str) -> None:
    """If -USDC is answered as -USD, the command exits with 1 and one line that names the product served."""

    async def serve_usd(_number: int, connection: ServerConnection) -> None:
        for text in book(0, "advanced"):
            await connection.send(text)
        await connection.wait_closed()

    tape = tmp_path / "tape"
    with ScriptedServer(serve_usd, subscriptions=2) as peer:
        output = ["-o", tape] if command == "record" else []
        done = booktape(command, "BTC-USDC", *output, "--url", peer.url, "--feed", "advanced")
    assert (done.returncode, done.stdout) == (1, "")
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: BTC-USDC: ")
    assert f"serves {BTC} " in line
    if command == "record":
        received = frames_on(read_rows(tape, "BTC-USDC"), 0)
        assert received == book(0, "advanced")[: len(received)]
        assert received
