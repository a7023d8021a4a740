"""The notebooks run, and show what they are kept with: the same lines, tables and figures."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.make_notebooks import FIGURE, NOTEBOOKS, read, run

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LIVE = {"record"}
"""What they show depends on the timing of a real socket."""


def shape(output: dict[str, Any], *, is_live: bool) -> str:
    """Return an output as it is compared.

    How long things took, and live numbers, stand for any. Of a figure that is its title, in which its result
    is: how it is drawn is for the tests of the report.
    """
    data = {kind: shown for kind, shown in output.get("data", {}).items() if kind != FIGURE}
    text = json.dumps([data, output.get("text")])
    if is_live:
        text = re.sub(r"[0-9a-f]{16,}|[0-9][0-9.,]*", "0", text)
        text = re.sub(r"<tr>(?:<td[^>]*>[^<]*</td>)+</tr>", "", text)
    return re.sub(r"[0-9.,]+ s \([0-9,]+ frames/s\)", "0 s", text)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, and what it shows is what the notebook is kept with."""
    monkeypatch.chdir(tmp_path)
    kept = read(path)
    done = run(kept)
    for before, now in zip(kept["cells"], done["cells"], strict=True):
        outputs = [each.get("outputs", []) for each in (before, now)]
        assert [each.keys() for each in outputs[0]] == [each.keys() for each in outputs[1]]
        for output, found in zip(*outputs, strict=True):
            assert output.get("data", {}).keys() == found.get("data", {}).keys()
            assert shape(found, is_live=path.stem in LIVE) == shape(output, is_live=path.stem in LIVE)


def test_they_stay_small() -> None:
    """A notebook is read in a browser and kept in the repository."""
    assert len(PATHS) >= 3
    assert all(path.stat().st_size < 100_000 for path in PATHS)
