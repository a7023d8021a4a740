"""The pages for those who come from other tools: their programs print what stands below them.

A block `py` below the mark `<!-- tool: NAME -->` runs in the environment of that tool; `booktape` is ours,
for a program that needs the real captures. A block `text` right below is what it prints. The commands that
export to a tool run before. BOOKTAPE_TOOLS=1 runs the programs of other tools.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.test_docs import BLOCK, commands, link_captures
from tests.support.commands import clean_environment
from tests.support.constants import CAPTURES, ROOT
from tests.support.shell import make_workspace, run_commands
from tests.support.tool_environments import (
    CRYPTOFEED,
    HFTBACKTEST,
    NAUTILUS,
    interpreter_or_skip,
)

TOOLS: dict[str, tuple[str, ...]] = {
    "booktape": (),
    "cryptofeed": CRYPTOFEED,
    "hftbacktest": HFTBACKTEST,
    "nautilus": NAUTILUS,
}
PAGES = sorted((ROOT / "docs").glob("from-*.md"))
TOOL = re.compile(r"<!-- tool: (\w+) -->")


@dataclass(frozen=True)
class Program:
    """A program of a page, the tool whose environment it needs, and what it prints."""

    page: Path
    tool: str
    text: str
    printed: str


PROGRAMS = [
    Program(page, tool, body, printed)
    for page in PAGES
    for marks, _, body, printed in BLOCK.findall(page.read_text(encoding="utf-8"))
    for tool in TOOL.findall(marks)
]


@pytest.mark.timeout(600)  # an installation, and numba compiles hftbacktest's loops
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: f"{each.page.stem}-{each.tool}")
def test_programs(program: Program, tmp_path: Path) -> None:
    """A program of another tool reads what the page exports, and prints what the page shows."""
    tool = TOOLS[program.tool]
    python = interpreter_or_skip(tool) if tool else sys.executable
    place = make_workspace(tmp_path)
    if ".jsonl.gz" in program.text:
        if not CAPTURES.exists():
            pytest.skip(f"the real captures are not in {CAPTURES}")
        link_captures(place)
    for command in commands(program.page):
        if command.text.startswith("booktape export"):
            run_commands(f"{command.text} --json > /dev/null", place)
    (place / "program.py").write_text(program.text, encoding="utf-8")
    done = subprocess.run(
        [python, "program.py"],
        cwd=place,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == program.printed
