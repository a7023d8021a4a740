"""A client that is not ours, with nothing changed but the URL."""

import json
import subprocess
import sys
from pathlib import Path

from replay import running
from tests.replay.serving.served import frames_of, serving

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
TUTORIAL = Path(__file__).with_name("tutorial.py")
COLUMNS = ("bid_price", "bid_size", "ask_price", "ask_size")


def followed(url: str, product: str) -> list[list[float]]:
    """Return what the tutorial prints of one connection."""
    done = subprocess.run(
        [sys.executable, TUTORIAL, url, product], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_tutorial_sees_what_a_replay_sees() -> None:
    """Bytewax's tutorial takes the sample's connections in turn; its book has our best levels throughout."""
    table = running.run(SAMPLE).summaries["BTC-USD"]
    tops = [list(top) for top in zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)]
    first = len(frames_of(SAMPLE, "BTC-USD")[0]) - 1  # but the acknowledgement
    with serving(SAMPLE) as url:
        for expected in (tops[:first], tops[first:]):
            found = followed(url, "BTC-USD")
            # Where a connection ends it drops the batch of at most 100 messages that it had begun.
            assert len(expected) - 100 < len(found) <= len(expected)
            assert found == expected[: len(found)]
