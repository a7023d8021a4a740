"""The walk-throughs of CONTRIBUTING.md work as written, in a copy of the checkout."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import clean_environment
from tests.support.constants import ROOT, TIMEOUT_S

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAMES = [
    '{"type":"snapshot","product_id":"BTC-USD","bids":[["99","1"]],"asks":[["101","1"]]}',
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","100","2"]]}',
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the packages, with captures to import."""
    for name in ("booktape", "orderbook", "recorder", "replay", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    lines = [json.dumps({"recv_ns": number, "frame": frame}) for number, frame in enumerate(FRAMES)]
    (tmp_path / "frames.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "frames.csv").write_text(
        "\n".join(f"{n},{f}" for n, f in enumerate(FRAMES)), encoding="utf-8"
    )
    return tmp_path


def patch(checkout: Path, text: str) -> None:
    """Apply a patch whose hunks are located by their context, which must be unique in the file."""
    for part in re.split(r"^--- .*\n\+\+\+ b/", text, flags=re.MULTILINE)[1:]:
        name, *hunks = re.split(r"\n@@\n", part)
        path = checkout / name
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            lines = hunk.rstrip("\n").split("\n")
            old, new = ("".join(line[1:] + "\n" for line in lines if line[:1] != mark) for mark in ("+", "-"))
            assert not old or source.count(old) == 1, f"{name}: the context is not unique:\n{old}"
            source = source.replace(old, new) if old else new
        path.write_text(source, encoding="utf-8")


def follow(checkout: Path, name: str) -> str:
    """Follow the walk-through below a mark, and return what its commands print."""
    printed = ""
    after = PAGE.partition(f"<!-- test: {name} -->")[2].partition("\n### ")[0].partition("\n## ")[0]
    for language, body in BLOCK.findall(after):
        if language == "diff":
            patch(checkout, body)
            continue
        text = re.sub(r"^python ", f"{sys.executable} ", body, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-euc", text],  # noqa: S607  any bash will do
            cwd=checkout,
            env=clean_environment() | {"BOOKTAPE_ENGINE": "plain", "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    return printed


def test_add_a_venue(checkout: Path) -> None:
    """A copied venue records under its own name, and the tape says so."""
    printed = follow(checkout, "venue")
    assert "format 2, newvenue" in printed
    assert json.loads((checkout / "tape" / "_tape.json").read_bytes())["feed"] == "newvenue"


def test_add_a_metric(checkout: Path) -> None:
    """A new metric is in the table on a terminal, sorts it, and is in the table for the documentation."""
    printed = follow(checkout, "metric")
    assert "per episode" in printed
    assert "`mean_signals`" in printed


def test_add_a_format(checkout: Path) -> None:
    """A capture of the new format becomes a tape."""
    assert "BTC-USD" in follow(checkout, "format")


def test_add_a_command(checkout: Path) -> None:
    """The new command prints what it should."""
    assert follow(checkout, "command") == "BTC-USD\nETH-USD\n"
