"""A client that is not ours, with nothing changed but the URL."""

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from replay.running import api as running
from tests.support.constants import SAMPLE, TIMEOUT_S
from tests.support.tape_server import frames_of, serving

TUTORIAL = Path(__file__).parents[2] / "support" / "tutorial.py"
COLUMNS = ("bid_price", "bid_size", "ask_price", "ask_size")


def followed(url: str, product: str) -> list[list[float]]:
    """Return what the tutorial prints of one connection."""
    done = subprocess.run(
        [sys.executable, TUTORIAL, url, product],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_tutorial_sees_what_a_replay_sees() -> None:
    """Bytewax's tutorial reads the sample's connections in turn; its best bid and ask always equal ours."""
    table = running.run(SAMPLE).summaries["BTC-USD"]
    tops = [list(top) for top in zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)]
    first = sum("l2update" in text or "snapshot" in text for text in frames_of(SAMPLE, "BTC-USD")[0])
    with serving(SAMPLE) as url:
        for expected in (tops[:first], tops[first:]):
            found = followed(url, "BTC-USD")
            # It prints the book again for every trade, and drops the batch of at most 100 messages that it
            # had begun when a connection ends.
            assert len(found) > len(expected) - 100
            shown, ours = ([top for top, _ in groupby(tops)] for tops in (found, expected))
            assert shown == ours[: len(shown)]
            assert len(shown) > len(ours) / 2
