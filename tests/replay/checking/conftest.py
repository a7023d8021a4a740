"""Tapes that the tests of checks damage."""

import json
from pathlib import Path

import pytest

from tests.support import tapes
from tests.support.constants import BTC, ETH, MS
from tests.support.tapes import Recording


@pytest.fixture
def tape(recording: Recording, tmp_path: Path) -> Path:
    """Return a copy of the recording, to be damaged."""
    return tapes.copy_of(recording.tape, tmp_path)


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """Return a small tape of two products with three segments each, to be damaged."""
    frames = [(0, tapes.snapshot(product)) for product in (BTC, ETH)]
    for number in range(1, 120):
        for product in (BTC, ETH):
            heartbeat = json.dumps({"type": "heartbeat", "product_id": product, "sequence": number})
            frames += [(number * MS, tapes.update(product)), (number * MS + 1, heartbeat)]
    return tapes.import_frames(tmp_path, frames, segment_rows=100)
