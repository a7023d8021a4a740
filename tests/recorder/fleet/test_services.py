"""The services of a fleet: their very commands record."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import booktape as bt
from booktape.cli.main import cli
from recorder.fleet.services import compose, unit
from tests.support.commands import end, running_booktape
from tests.support.constants import BTC, ROOT, SAMPLE
from tests.support.tape_server import serving
from tests.support.tapes import tape_rows
from tests.support.verified import assert_whole


def unit_words(text: str) -> list[str]:
    """Return the words of the command of a unit, as systemd reads them."""
    (line,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words[0] == "/opt/booktape/bin/booktape"
    return [word.replace("%%", "%").replace("$$", "$") for word in words[1:]]


def compose_words(text: str) -> list[str]:
    """Return the words of the one command of a compose file, as docker reads them."""
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    ((name, service),) = services.items()
    assert name == "booktape-odd"
    assert [volume["target"] for volume in service["volumes"]] == [word_after(service["command"], "-o")]
    return [word.replace("$$", "$") for word in service["command"]]


def word_after(words: list[str], option: str) -> str:
    """Return the value of an option."""
    return words[words.index(option) + 1]


@pytest.mark.parametrize("kind", ["unit", "compose"])
def test_the_command_of_a_service_records(tmp_path: Path, kind: str) -> None:
    """Started as the service would, into a directory with an odd name, it records, answers and seals."""
    tape = tmp_path / 'a $b %n "c"'
    with serving(SAMPLE) as url:
        toml = f"[recorder.odd]\nproducts = ['{BTC}']\ntape = '{tape}'\nurl = '{url}'\nmetrics-port = 65000\n"
        (tmp_path / "fleet.toml").write_text(toml, encoding="utf-8")
        (recorder,) = bt.fleet(tmp_path / "fleet.toml").recorders
        words = unit_words(unit(recorder)) if kind == "unit" else compose_words(compose((recorder,)))
        assert word_after(words, "-o") == str(tape)
        words[words.index("--metrics-port") + 1] = "0"  # what is free here
        tape.mkdir()  # as ExecStartPre and docker do
        with running_booktape(*words) as process:
            assert process.stderr is not None
            assert next(line for line in process.stderr if "connecting again" in line)  # all was served
            end(process)
    assert len(tape_rows(tape, BTC)) > 1000
    assert_whole(tape)


def test_the_examples_of_the_docs_are_what_they_say(tmp_path: Path) -> None:
    """The plan of docs/operate.md can be read; the recorder of its Kubernetes example takes its options."""
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    toml, manifest = (re.findall(f"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("toml", "yaml"))
    (tmp_path / "fleet.toml").write_text(toml, encoding="utf-8")
    assert [each.name for each in bt.fleet(tmp_path / "fleet.toml").recorders] == ["majors", "majors", "alts"]
    pod = yaml.safe_load(manifest)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    record, *options = container["args"]
    assert record == "record"
    cli.commands[record].make_context(record, list(options))
    assert word_after(options, "--metrics-port") == str(container["livenessProbe"]["httpGet"]["port"])
    assert word_after(options, "-o").startswith(container["volumeMounts"][0]["mountPath"])
