"""Names of a tape's files: hidden from others' readers unless sealed, and made of product ids only."""

from pathlib import Path

import pytest

from recorder.settings import SealPolicy
from recorder.tape.errors import UnknownProductError
from tests.support.constants import BTC
from tests.support.rows import frames, open_writer, tally, to_batch
from tests.support.tapes import segment_paths


def hidden(path: Path, tape: Path) -> bool:
    """Tell whether a path begins with `_` or lies under one that does."""
    return any(part.startswith("_") for part in path.relative_to(tape).parts)


def test_every_other_file_is_hidden(tmp_path: Path) -> None:
    """Only sealed segments end in .parquet; Arrow and others skip all other files."""
    tape = tmp_path / "tape"
    with open_writer(tape, policy=SealPolicy(rows=5)) as writer:
        writer.products[BTC].append(to_batch(frames(7)))
        writer.products[BTC].seal(tally(), 7)
        files = [path for path in tape.rglob("*") if path.is_file()]
        seen = [path for path in files if not hidden(path, tape)]
        assert seen == segment_paths(tape)
        assert len(files) > 4


@pytest.mark.parametrize(
    "product", ["../x", "/etc", "a\nb", "", ".", "BTC/USD", "BTC-USD\n", "_x", "BTC-USD "]
)
def test_a_name_that_is_no_product_is_refused(tmp_path: Path, product: str) -> None:
    """A name that cannot be a product id is refused before anything is created."""
    with pytest.raises(UnknownProductError):
        open_writer(tmp_path / "tape", BTC, product)
    assert not list(tmp_path.iterdir())
