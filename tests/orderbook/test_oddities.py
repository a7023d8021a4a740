"""What is odd and ends nothing is told by the recording, its log, and later by the tape."""

import json
from pathlib import Path

from websockets.asyncio.server import ServerConnection

from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, ETH
from tests.support.recordings import record_here, summaries
from tests.support.scripted_server import ScriptedServer, book
from tests.support.tapes import snapshot, update


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
