"""The README's program prints what the README shows, and its shell commands exist."""

import re

import click
import pytest

from booktape.cli.main import cli
from tests.support.constants import ROOT
from tests.support.shell import make_workspace, run_commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = "".join(re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
COMMAND = re.compile(r"^booktape (\w+)([^#\n]*)", re.MULTILINE)


def test_program(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The program prints what is shown below it, away from the checkout."""
    ((program, shown),) = PROGRAM.findall(README)
    place = make_workspace(tmp_path_factory.mktemp("readme"))
    (place / "program.py").write_text(program, encoding="utf-8")
    assert run_commands("python program.py", place) == shown


@pytest.mark.parametrize(("name", "rest"), COMMAND.findall(BLOCKS))
def test_commands_exist(name: str, rest: str) -> None:
    """Every command in a block of the README is one, and so are its options."""
    command = cli.commands[name]
    known = {flag for each in command.params if isinstance(each, click.Option) for flag in each.opts}
    assert {word for word in rest.split() if word.startswith("-")} <= known


def test_length() -> None:
    """The README stays short enough to be read: 700 words of prose and a little."""
    prose = re.sub(r"^```.*?^```$|^\|.*\|$|!?\[[^\]]*\]\([^)]*\)", "", README, flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) < 750
