"""Assertions on the findings of `verify`, which are the same in pieces."""

import json
import random
from pathlib import Path

from orderbook.document import to_json
from replay.checking.verify import verify
from tests.endurance.forms import IS_LONG
from tests.support import tapes
from tests.support.commands import Json, invoke
from tests.support.pieces import ShuffledWorkers


def assert_whole(tape: Path) -> Json:
    """Assert that a tape is whole; return the document."""
    done = invoke("verify", tape, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.stdout
    document: Json = json.loads(done.stdout)
    _assert_same_in_pieces(tape, document)
    assert document["ok"] is True
    assert document["damage"] == []
    assert document["checked_digests"] == sum(
        len(tapes.catalog(tape, product)) for product in tapes.products_of(tape)
    )
    return document


def in_pieces(tape: Path, engine: str, width: int = 3) -> Json:
    """Return the document of a check in pieces, put together in a random association."""
    workers = ShuffledWorkers(width, width)
    found: Json = json.loads(
        to_json(verify(tape, "plain" if engine == "plain" else "compiled", workers=workers).document())
    )
    return found


def _assert_same_in_pieces(tape: Path, document: Json) -> None:
    """Assert that a check in pieces finds the same; the short form of the suite does so one time in four."""
    if IS_LONG or random.random() < 0.25:
        assert in_pieces(tape, document["engine"]) == document


def assert_damaged(tape: Path, name: object) -> list[str]:
    """Assert that a tape is damaged and that a finding names a file; return the findings."""
    done = invoke("verify", tape, "--json")
    assert (done.exit_code, done.stderr) == (1, ""), done.stdout
    document = json.loads(done.stdout)
    _assert_same_in_pieces(tape, document)
    assert document["ok"] is False
    damage: list[str] = document["damage"]
    assert any(str(name) in line for line in damage), damage
    assert all(len(line.splitlines()) == 1 for line in damage)
    return damage
