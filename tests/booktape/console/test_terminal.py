"""Text of others on a terminal: whatever a tape holds, nothing of it controls the terminal."""

import json
from pathlib import Path

import pytest

from tests.support import tapes
from tests.support.commands import invoke
from tests.support.constants import BTC

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b2J\u202e\r"


@pytest.mark.parametrize("command", ["inspect", "verify", "replay"])
@pytest.mark.parametrize("place", ["software", "created", "feed", "products", "directory"])
def test_text_of_a_tape_controls_no_terminal(tmp_path: Path, place: str, command: str) -> None:
    """Control characters in a manifest, or in a name of a directory, are printed escaped."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC))])
    manifest = json.loads((tape / "_tape.json").read_bytes())
    if place == "directory":
        (tape / f"product={HOSTILE}" / "date=2026-08-09").mkdir(parents=True)
    else:
        manifest[place] = [HOSTILE] if place == "products" else HOSTILE
        (tape / "_tape.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = invoke(command, tape)
    assert not set("\x1b\x07\x9b\u202e\r") & set(done.output)
    if command == "inspect" or place in {"feed", "products", "directory"}:
        assert "\\x1b" in done.output
