"""The generated pages of the documentation are what the code generates, and the documents are as they say."""

import shutil
from pathlib import Path
from typing import get_type_hints

import msgspec

import booktape as bt
from booktape.examples.episode_alert import EpisodeAlert
from docs import make_commands, make_json
from docs.make_api import RESULTS
from orderbook.document import to_json
from tests.support import tapes


def test_commands() -> None:
    """docs/commands.md is the help of the commands as they are."""
    assert make_commands.PAGE.read_text(encoding="utf-8") == make_commands.page(), (
        "run: python -m docs.make_commands"
    )


def test_json() -> None:
    """docs/json.md describes the documents as they are."""
    assert make_json.PAGE.read_text(encoding="utf-8") == make_json.page(), "run: python -m docs.make_json"


def _copy(directory: Path) -> Path:
    """Return a copy of the sample."""
    return Path(shutil.copytree(bt.sample(), directory / "copy"))


def test_documents_have_their_types(tmp_path: Path) -> None:
    """Every value of a document has the type that the page shows, and the page shows every key."""
    capture = tapes.write_capture(tmp_path / "capture", [(0, tapes.snapshot("BTC-USD"))])
    plan = tmp_path / "fleet.toml"
    plan.write_text('[recorder.btc]\nproducts = ["BTC-USD"]', encoding="utf-8")
    tape = bt.open("sample:")
    for seed, threshold in enumerate(("1bps", "2bps")):
        tape.replay(threshold=threshold, output=tmp_path / f"run-{seed}", end=f"+{seed + 3}s")
    results = [
        bt.import_([capture], tmp_path / "tape"),
        bt.merge([tape, _copy(tmp_path)], tmp_path / "merged"),
        tape.replay(end="+2s", speed=100, strategy=EpisodeAlert),
        tape.replay(end="+2s"),
        tape.compare("1bps", by="day", fee="1bps"),
        bt.compare([tape, tmp_path / "tape"], "1bps"),
        tape.backtest(end="+2s"),
        tape.walk_forward(walk="5s:5s", end="+12s"),
        tape.verify(),
        tape.inspect(),
        tape.book("BTC-USD", at="+2s"),
        bt.diff(tape, tmp_path / "tape"),
        bt.diff(tmp_path / "run-0", tmp_path / "run-1"),
        tape.export(tmp_path / "export", end="+2s"),
        bt.fleet(plan),
    ]
    assert {type(result).__name__ for result in results} == set(RESULTS)
    for result in results:
        kind = get_type_hints(vars(type(result))["_document"])["return"]
        text = to_json(result.document())
        assert to_json(msgspec.json.decode(text, type=kind)) == text, kind
