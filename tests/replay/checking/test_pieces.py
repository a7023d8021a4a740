"""A tape that is verified in pieces has the document of one pass; the tests of damage compare the same."""

import gzip
from pathlib import Path

import pytest

from orderbook.document import to_json
from replay.checking.verify import verify
from tests.support import tapes
from tests.support.constants import BTC
from tests.support.pieces import PRODUCTS, CountingWorkers, interrupted_tape, paths_of_variants, variants


@pytest.fixture(scope="module")
def few(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return tapes as `interrupted`, of two of the products."""
    directory = tmp_path_factory.mktemp("few")
    with gzip.open(captures / "exchange-2021-04-ten-products.jsonl.gz", "rt", encoding="utf-8") as lines:
        kept = [line for line in lines if any(product in line for product in PRODUCTS[1:])]
    capture = directory / "capture.jsonl.gz"
    capture.write_bytes(gzip.compress("".join(kept).encode()))
    variants(interrupted_tape(capture, directory, 300), directory)
    return paths_of_variants(directory)


@pytest.mark.parametrize(("name", "width"), [("compacted", 40), ("some", 40), ("damaged", 3)])
def test_pieces_of_a_real_capture(few: dict[str, Path], name: str, width: int) -> None:
    """Whatever became of segments and sidecars, the document is that of one pass."""
    workers = CountingWorkers(width)
    tape = few[name]
    found = verify(tape, "plain", workers=workers)
    assert to_json(found.document()) == to_json(verify(tape, "plain").document())
    assert workers.calls[0] > len(found.tallies)


def test_a_sound_tape_is_checked_once(imported: Path) -> None:
    """The pieces of a tape without damage tell all: no product is checked once more in one pass."""
    workers = CountingWorkers(3)
    assert verify(imported, "plain", workers=workers).passes(strict=True)
    assert workers.calls == [6]


def test_damage_of_one_product(imported: Path) -> None:
    """A product whose files are damaged is one piece, which says what one pass says; the other is cut."""
    tapes.flip_byte(tapes.segment_paths(imported, BTC)[1], 200)
    workers = CountingWorkers(3)
    assert not verify(imported, "plain", workers=workers).passes(strict=False)
    assert workers.calls == [4]


@pytest.mark.parametrize("inside", [True, False])
def test_a_relative_path(imported: Path, monkeypatch: pytest.MonkeyPatch, *, inside: bool) -> None:
    """Damage is named as in one pass if the tape is named by a relative path, which workers do not know."""
    tapes.flip_byte(tapes.segment_paths(imported, BTC)[1], 200)
    tapes.segment_paths(imported, BTC)[0].unlink()
    monkeypatch.chdir(imported if inside else imported.parent)
    tape = Path() if inside else Path(imported.name)
    found = verify(tape, "plain", workers=CountingWorkers(3))
    assert found.damage == verify(tape, "plain").damage != []
