"""What is odd and ends nothing is told by the recording, its log, and later by the tape."""

import json
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, ETH, SECOND
from tests.support.recordings import record_here, summaries
from tests.support.scripted_server import ScriptedServer, book
from tests.support.tapes import snapshot, update, write_capture


def match(trade_id: object, product: str = BTC) -> str:
    """Return a trade."""
    fields = {"type": "match", "trade_id": trade_id, "side": "buy", "size": "1", "price": "100"}
    return json.dumps({**fields, "product_id": product})


SENT = [
    match(6),  # before the book
    *book(0)[:2],
    *[match(7)] * 3,
    match(9),
    match("seven"),
    match(1, ETH),
    snapshot(ETH),
    update(ETH, ("buy", "98", "1")),
    book(0)[2],
]
EXPECTED = {"trades_repeated": 2, "trade_gaps": 1, "trades_malformed": 1, "foreign_frames": 3}


def test_oddities_are_told(tmp_path: Path) -> None:
    """They are in the result and its notes, on the tape for `inspect` and `verify`."""

    async def script(_number: int, connection: ServerConnection) -> None:
        for text in SENT:
            await connection.send(text)
        await connection.wait_closed()

    tape = tmp_path / "tape"
    with ScriptedServer(script, subscriptions=2) as peer:
        recorded = record_here(peer.url, tape, {BTC: summaries(3)}, trades=True, stale_after=10.0)
    assert recorded.oddities[BTC] == EXPECTED
    document: Json = recorded.document()
    assert document["oddities"] == {BTC: EXPECTED}
    said = "3 frames of a product that was not asked for"
    assert f"{BTC}: {said}" in recorded.notes()
    for command in ("inspect", "verify"):
        assert said in invoke(command, tape).stdout
        (verdict,) = json_of(command, tape, "--json")["products"][BTC]["verdicts"]
        assert len(verdict["notes"]) == len(EXPECTED)
    counts = json_of("verify", tape, "--json")["products"][BTC]
    assert (counts["trades"], counts["trades_repeated"], counts["trades_malformed"]) == (3, 2, 1)
    assert invoke("verify", tape, "--strict").exit_code == 1


def acknowledgement(feed: str, *products: str) -> str:
    """Return the acknowledgement of a subscription to the book of some products."""
    if feed == "exchange":
        channels = [{"name": "level2", "product_ids": list(products)}]
        return json.dumps({"type": "subscriptions", "channels": channels})
    channels_of = {"level2": list(products), "heartbeats": ["heartbeats"]}
    return json.dumps({"channel": "subscriptions", "events": [{"subscriptions": channels_of}]})


def advanced(product: str, kind: str) -> str:
    """Return a frame of an Advanced book."""
    event = {"type": kind, "product_id": product, "updates": []}
    return json.dumps({"channel": "l2_data", "events": [event]})


CAPTURES = {
    "exchange": [
        acknowledgement("exchange", BTC),
        *(snapshot(BTC), snapshot(ETH), match(1, ETH), match(1, BTC), update(ETH, ("buy", "98", "1"))),
    ],
    "advanced": [  # the acknowledgement of this feed comes after the snapshots
        *(advanced(BTC, "snapshot"), advanced(ETH, "snapshot")),
        acknowledgement("advanced", BTC),
        *(advanced(ETH, "update"), advanced(ETH, "update"), advanced(BTC, "update")),
    ],
}


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_an_import_tells_of_products_that_were_not_asked_for(tmp_path: Path, feed: str) -> None:
    """By the acknowledgements of the capture; they stay on the tape under the products that they name."""
    capture, tape = tmp_path / "capture.jsonl", tmp_path / "tape"
    write_capture(capture, [(place * SECOND, text) for place, text in enumerate(CAPTURES[feed])])
    document = json_of("import", capture, "-o", tape, "--json")
    assert document["oddities"] == {ETH: {"foreign_frames": 3}}
    said = "3 frames of a product that was not asked for"
    for command in ("inspect", "verify"):
        assert invoke(command, tape).stdout.count(said) == 1
        products = json_of(command, tape, "--json")["products"]
        assert [each["notes"] for each in products[ETH]["verdicts"]] == [[said]]
        assert [each["notes"] for each in products[BTC]["verdicts"]] == [[]]
    again = invoke("import", capture, "-o", tmp_path / "again")
    assert f"{ETH}: {said}" in again.stdout + again.stderr


def test_each_connection_of_a_capture_has_its_own_subscriptions(tmp_path: Path) -> None:
    """A product that only the second connection asked for was foreign on the first; unknown stays unsaid."""
    lines = [
        *(acknowledgement("exchange", BTC), snapshot(BTC), snapshot(ETH), ""),
        *(snapshot(BTC), snapshot(ETH), ""),  # no acknowledgement: nothing is known
        *(
            acknowledgement("exchange", ETH),
            acknowledgement("exchange", ETH, BTC),
            snapshot(BTC),
            snapshot(ETH),
        ),
    ]
    capture = tmp_path / "capture.txt"
    times = (f"2026-01-01T00:00:{place:02}.0000000Z" for place in range(len(lines)))
    capture.write_text(
        "".join(f"{time} {text}\n" if text else "\n" for time, text in zip(times, lines, strict=True))
    )
    tape = tmp_path / "tape"
    document = json_of("import", capture, "-o", tape, "--format", "tardis", "--json")
    assert document["oddities"] == {ETH: {"foreign_frames": 1}}
    verdicts = json_of("verify", tape, "--json")["products"]
    assert [len(each["notes"]) for each in verdicts[ETH]["verdicts"]] == [1, 0, 0]
    assert [len(each["notes"]) for each in verdicts[BTC]["verdicts"]] == [0, 0, 0]
