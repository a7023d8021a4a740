"""What docs/ says can be run prints what stands there.

A fenced block of language `console` holds commands after `$ ` and, below each, what it prints on a terminal
of 100 columns. A line `...` stands for any lines. Below the mark `<!-- numbers vary -->` a number stands for
any number: what a real socket's timing is in. So it does below `<!-- needs booktape[search] -->`: what a
search tries depends on the version of Optuna; without Optuna those commands are left out. So are those below
`<!-- needs captures -->` without the real captures, which they find in their directory.
"""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.constants import CAPTURES, ROOT
from tests.support.shell import make_workspace, run_on_terminal, run_program

COLUMNS = 100
PAGES = sorted((ROOT / "docs").glob("*.md"))
NUMBERS_VARY = "numbers vary"
NEEDS_SEARCH = "needs booktape[search]"
NEEDS_CAPTURES = "needs captures"
BLOCK = re.compile(
    r"((?:^<!-- [^\n]* -->\n)*)^```(console|python|py)\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)?(?:#([^)]+))?\)")


@dataclass(frozen=True)
class Command:
    """A command of a page, and what it prints there."""

    text: str
    printed: list[str]
    numbers_vary: bool


def commands(page: Path) -> list[Command]:
    """Return the commands of a page in order."""
    found = []
    for marks, language, body, _ in BLOCK.findall(page.read_text(encoding="utf-8")):
        is_missing = (NEEDS_SEARCH in marks and find_spec("optuna") is None) or (
            NEEDS_CAPTURES in marks and not CAPTURES.exists()
        )
        if language != "console" or is_missing:
            continue
        numbers_vary = NUMBERS_VARY in marks or NEEDS_SEARCH in marks
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            text, *printed = part.rstrip("\n").split("\n")
            while text.endswith("\\"):
                text = f"{text[:-1].rstrip()} {printed.pop(0).strip()}"
            found.append(Command(text, printed, numbers_vary))
    return found


def shape(line: str, *, numbers_vary: bool) -> str:
    """Return a line as it is compared."""
    if not numbers_vary:
        return line.rstrip()
    return re.sub(r"\s+", " ", re.sub(r"[0-9a-f]{16,}|[0-9][0-9,.]*", "0", line)).strip()


def matches(expected: list[str], printed: list[str]) -> bool:
    """Tell whether lines are as expected."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    return bool(printed) and expected[0] == printed[0] and matches(expected[1:], printed[1:])


def link_captures(place: Path) -> None:
    """Put the real captures into a directory."""
    for capture in CAPTURES.glob("*.jsonl.gz"):
        (place / capture.name).symlink_to(capture)


@pytest.mark.timeout(300)  # a dozen processes one after another, and the eight seconds of the demo
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path, tmp_path: Path) -> None:
    """Every command of a page, one after another in one directory, prints what the page says."""
    place = make_workspace(tmp_path)
    needs_captures = f"<!-- {NEEDS_CAPTURES} -->" in page.read_text(encoding="utf-8")
    if needs_captures and CAPTURES.exists():
        link_captures(place)
    for command in commands(page):
        printed = run_on_terminal(command.text, place, COLUMNS)
        found, expected = (
            [shape(line, numbers_vary=command.numbers_vary) for line in lines]
            for lines in (printed, command.printed)
        )
        assert matches(expected, found), f"$ {command.text}\n" + "\n".join(printed)
    if needs_captures and not CAPTURES.exists():
        pytest.skip(f"the real captures are not in {CAPTURES}: their commands were left out")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python(page: Path, tmp_path: Path) -> None:
    """Every example in Python runs, and prints what a block `text` right below it shows, or something."""
    place = make_workspace(tmp_path)
    for number, (_, language, body, shown) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
        if language == "python":
            (place / f"example{number}.py").write_text(body, encoding="utf-8")
            printed = run_program(f"example{number}.py", place)
            assert printed == shown if shown else printed


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Every link inside the project leads somewhere, to a heading too where it names one."""
    for file, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), f"{page.name}: {file}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            names = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in names, f"{page.name}: {file}#{heading}"
