"""The command line as its user meets it: mostly real processes, with real pipes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from booktape.cli.main import cli
from orderbook import display
from tests.support import tapes
from tests.support.commands import booktape, booktape_process, clean_environment, invoke, json_of, python
from tests.support.constants import MS
from tests.support.tapes import Recording

COMMANDS = ("record", "live", "import", "replay", "compare", "inspect", "verify", "diff", "serve", "demo")
READING = ("replay", "compare", "inspect", "verify")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture(scope="module")
def small_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small tape; not to be changed."""
    frames = [(0, tapes.snapshot("BTC-USD")), (MS, tapes.update("BTC-USD"))]
    return tapes.import_frames(tmp_path_factory.mktemp("small"), frames)


def told(*arguments: object) -> str:
    """Insist that a command fails with exit code 1, one clear line and no result; return the line."""
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


# Bad data: exit code 1


@pytest.mark.parametrize("command", READING)
def test_missing_directory(tmp_path: Path, command: str) -> None:
    """A tape that is not there is one line that names it."""
    assert str(tmp_path / "nowhere") in told(command, tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", READING)
def test_newer_format(small_tape: Path, tmp_path: Path, command: str) -> None:
    """A tape of a newer format is refused, whatever else its manifest holds, and the format is named."""
    tape = tapes.copy_of(small_tape, tmp_path)
    newer = {"format": 4, "feeds": ["another"], "anything": None}
    (tape / "_tape.json").write_text(json.dumps(newer), encoding="utf-8")
    line = told(command, tape)
    assert str(tape) in line
    assert "newer" in line
    assert "format 4" in line.replace(str(tape), "")


@pytest.mark.parametrize("command", ["replay", "verify"])
def test_failure_of_a_process(tmp_path: Path, command: str) -> None:
    """A real process that fails exits with 1, one line on stderr and nothing on stdout."""
    done = booktape_process(command, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path}: not a tape (_tape.json is missing)\n"


def test_what_is_no_tape_is_named(small_tape: Path, tmp_path: Path) -> None:
    """A capture or a RUN in the place of a tape is named, with what to do."""
    capture, run = tmp_path / "capture.jsonl", tmp_path / "run"
    capture.touch()
    assert "`booktape import FILE -o TAPE` makes one of captures" in told("inspect", capture)
    assert invoke("replay", small_tape, "-o", run).exit_code == 0
    assert told("inspect", run) == f"Error: {run}: a RUN, not a tape: name the tape that it was made of"


def a_file(path: Path) -> None:
    """Make a plain file."""
    path.write_text("{}", encoding="utf-8")


def an_empty_directory(path: Path) -> None:
    """Make a directory of nothing."""
    path.mkdir()


def with_manifest(content: bytes) -> Callable[[Path], None]:
    """Return what makes a directory with such a manifest."""

    def make(path: Path) -> None:
        path.mkdir()
        (path / "_tape.json").write_bytes(content)

    return make


def a_manifest_that_is_a_directory(path: Path) -> None:
    """Make a directory with a directory in place of the manifest."""
    (path / "_tape.json").mkdir(parents=True)


GOOD = {"format": 1, "feed": "exchange", "products": ["BTC-USD"], "created": "2026", "software": "x"}


def manifest(**changes: object) -> Callable[[Path], None]:
    """Return what makes a directory with a manifest that is good but for the changes."""
    return with_manifest(json.dumps({**GOOD, **changes}).encode())


@pytest.mark.parametrize(
    "make",
    [
        a_file,
        an_empty_directory,
        a_manifest_that_is_a_directory,
        with_manifest(b""),
        with_manifest(b"no JSON"),
        with_manifest(b"[]"),
        with_manifest(b"{}"),
        with_manifest(b'{"format": 1}'),
        with_manifest(b'{"format": 1, "feed": "\xff"}'),
        with_manifest(json.dumps(GOOD).encode().replace(b'"x"', b'"\xff"')),
        with_manifest(b"\xff\xfe"),
        manifest(format="1"),
        manifest(format=0),
        manifest(format=-1),
        manifest(format=10**400),
        manifest(feed="another"),
        manifest(products="BTC-USD"),
        manifest(products=["../../etc"]),
        with_manifest(b"[" * 100_000),
    ],
)
@pytest.mark.parametrize("command", READING)
def test_no_tape(tmp_path: Path, make: Callable[[Path], None], command: str) -> None:
    """What is no tape is one line that names it, and nothing is written there."""
    tape = tmp_path / "it"
    make(tape)
    before = sorted(tmp_path.rglob("*"))
    assert told(command, tape).startswith(f"Error: {tape}")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["replay", "compare"])
@pytest.mark.parametrize("product", ["DOGE-USD", "../BTC-USD", "", "btc-usd", "BTC-USD\n"])
def test_unknown_product(small_tape: Path, command: str, product: str) -> None:
    """A product that is not on the tape is one line that names it and those that are."""
    line = told(command, small_tape, "-p", product)
    assert repr(product) in line
    assert "it has BTC-USD" in line


def test_damaged_tape(small_tape: Path, tmp_path: Path) -> None:
    """A damaged segment is one line that names the file, without a traceback."""
    tape = tapes.copy_of(small_tape, tmp_path)
    (path,) = tapes.segment_paths(tape, "BTC-USD")
    tapes.flip_byte(path, -1)
    for command in ("replay", "compare", "inspect"):
        assert str(path) in told(command, tape)


def test_existing_run(small_tape: Path, tmp_path: Path) -> None:
    """An existing RUN is one line that names it."""
    for command in ("replay", "compare"):
        assert str(tmp_path) in told(command, small_tape, "-o", tmp_path)


def test_damage_found_by_verify(small_tape: Path, tmp_path: Path) -> None:
    """`verify` of a damaged tape prints its findings as a result and exits 1."""
    tape = tapes.copy_of(small_tape, tmp_path)
    (path,) = tapes.segment_paths(tape, "BTC-USD")
    path.unlink()
    done = invoke("verify", tape)
    assert (done.exit_code, done.stderr) == (1, "")
    assert str(path) in done.stdout


# Wrong usage: exit code 2

WRONG_USAGE = [
    *(
        ("replay", "TAPE", f"--speed={speed}")
        for speed in ("0", "-1", "nan", "abc", "", "inf", "1e400", "-0")
    ),
    ("replay", "TAPE", "--speed", "-1"),
    *(
        ("replay", "TAPE", f"--threshold={text}")
        for text in ("abc", "-1bps", "", "nan", "10", "1.5", "١%", "1,5 %")
    ),
    ("replay", "TAPE", "--speed=1", "--idle-limit=0"),
    ("replay", "TAPE", "--speed=1", "--idle-limit=-2s"),
    ("replay", "TAPE", "--idle-limit=2s"),
    ("replay", "TAPE", "--precise"),
    ("replay", "TAPE", "--precise", "--speed=max"),
    ("replay", "TAPE", "--from=yesterday"),
    ("replay", "TAPE", "--from=2026-02-30T00:00:00Z"),
    ("replay", "TAPE", "--from=2026-08-10T00:00:00Z", "--to=2026-08-09T00:00:00Z"),
    ("replay", "TAPE", "--nonsense"),
    ("replay",),
    ("replay", "TAPE", "TAPE"),
    ("compare", "TAPE", "--threshold=abc"),
    ("compare", "TAPE", "--threshold", "-1bps"),
    ("compare", "TAPE", "--sweep", "1bps", "5bps", "0"),
    ("compare", "TAPE", "--sweep", "1bps", "5bps", "0%"),
    ("compare", "TAPE", "--sweep", "5bps", "1bps", "1bps"),
    ("compare", "TAPE", "--sweep", "1bps", "5bps", "x"),
    ("compare", "TAPE", "--sweep", "0", "1", "1e-9"),
    ("compare", "TAPE", "--sweep", "1bps", "5bps"),
    ("compare", "TAPE", "--sort", "product"),
    ("compare", "TAPE", "--sort", "markout_2s_mean_bps"),
    ("compare", "TAPE", "--sweep-log", "0", "5bps", "3"),
    ("compare", "TAPE", "--sweep-log", "1bps", "5bps", "1"),
    ("compare", "TAPE", "--markout=1s,"),
    ("compare", "TAPE", "--markout=2d"),
    ("compare", "TAPE", "--fee=-1bps"),
    ("compare", "TAPE", "--by=week"),
    ("compare", "TAPE", "--min-signals=-1"),
    ("compare", "TAPE", "--json", "--csv"),
    ("compare", "TAPE", "TAPE"),
    ("compare", "TAPE", "FILE", "--from=+1s"),
    ("compare",),
    ("diff", "TAPE"),
    ("diff", "TAPE", "TAPE", "--ignore=seq"),
    ("replay", "TAPE", "--depth=3"),
    ("replay", "TAPE", "-o", "OUT", "--depth=0"),
    ("replay", "TAPE", "-o", "OUT", "--depth=\u0661"),
    ("replay", "TAPE", "--processes=1_0"),
    ("replay", "TAPE", "--processes= 2"),
    ("replay", "TAPE", "--cluster=local:\u00b2"),
    ("replay", "TAPE", "--cluster=local:65"),
    ("book", "TAPE", "-p", "BTC-USD", "--at=+1s", "--depth=\u0661"),
    ("book", "TAPE", "-p", "BTC-USD", "--at=+1s", f"--depth={10**30}"),
    ("compare", "TAPE", "--markout=1e3"),
    ("replay", "TAPE", "--speed=\u0661"),
    ("serve", "TAPE", "--speed=1_0"),
    ("serve", "TAPE", "--host="),
    ("record", "BTC-USD", "-o", "OUT", "--metrics-port=0", "--metrics-host= "),
    ("backtest", "TAPE", "--tick=\u0661"),
    ("backtest", "TAPE", "--cash=1_0"),
    ("backtest", "TAPE", "--set", "size=abc"),
    ("backtest", "TAPE", "--set", "size=\u0661"),
    ("inspect",),
    ("inspect", "TAPE", "--strict"),
    ("verify", "TAPE", "--nonsense"),
    ("record", "BTC-USD"),
    ("record", "-o", "OUT"),
    ("record", "../BTC", "-o", "OUT"),
    ("record", "BTC-USD", "-o", "OUT", "--duration=-1s"),
    ("record", "BTC-USD", "-o", "OUT", "--duration=soon"),
    ("record", "BTC-USD", "-o", "OUT", "--feed=kraken"),
    ("record", "BTC-USD", "-o", "OUT", "--url=http://127.0.0.1"),
    ("record", "BTC-USD", "-o", "OUT", "--url=ws://example.com"),
    ("record", "BTC-USD", "-o", "OUT", "--url=ws://127.0.0.1:99999"),
    ("record", "BTC-USD", "-o", "OUT", "--url=ws://127.0.0.1:port"),
    ("record", "BTC-USD", "-o", "OUT", "--url=ws://[::1"),
    ("record", "BTC-USD", "-o", "OUT", "--segment-rows=0"),
    ("record", "BTC-USD", "-o", "OUT", "--segment-bytes=0"),
    ("record", "BTC-USD", "-o", "OUT", "--segment-time=0"),
    ("live",),
    ("live", "BTC-USD", "--threshold=abc"),
    ("import", "-o", "OUT"),
    ("import", "FILE"),
    ("import", "FILE", "-o", "OUT", "--format=csv"),
    ("demo", "--seed=x"),
    ("demo", "--seed=-1"),
    ("nonsense",),
    ("--nonsense",),
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage(small_tape: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Wrong usage ends with exit code 2 and one line `Error: ...`, before anything is done."""
    places = {"TAPE": str(small_tape), "OUT": str(tmp_path / "out"), "FILE": str(tmp_path / "file")}
    done = CliRunner().invoke(cli, [places.get(each, each) for each in arguments])
    assert (done.exit_code, done.stdout) == (2, ""), done.stderr
    lines = done.stderr.rstrip("\n").splitlines()
    assert len(lines) == 1 or lines[0].startswith("Usage: ")
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--threshold", ("-1",)),
        ("--threshold", ("nan",)),
        ("--threshold", ("10%%",)),
        ("--sweep", ("1bps", "20bps", "0")),
        ("--sweep-log", ("1bps", "20bps", "1")),
    ],
)
def test_a_bad_threshold_names_its_option(small_tape: Path, option: str, values: tuple[str, ...]) -> None:
    """One argument of the API comes from three options: the error names the one that was typed."""
    done = invoke("compare", small_tape, "--threshold", "1bps", option, *values)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.stderr


def test_written_files_are_named(small_tape: Path, tmp_path: Path) -> None:
    """A command says on stderr what it wrote; with --json it prints the document only."""
    for command in ("replay", "compare"):
        run, report = tmp_path / f"{command}-run", tmp_path / f"{command}.html"
        done = invoke(command, small_tape, "-o", run, "--html", report)
        size = display.size(report.stat().st_size)
        assert done.stderr.splitlines() == [f"Results in {run}", f"Report in {report} ({size})"]
        assert run.is_dir()
        assert report.is_file()
        assert json_of(command, small_tape, "-o", tmp_path / f"{command}-2")


def test_a_report_is_opened(small_tape: Path, tmp_path: Path) -> None:
    """--open starts the browser with the address of the report; without a report it is refused."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    report = tmp_path / "a report.html"
    words = ("compare", small_tape, "--html", report, "--open")
    done = booktape(*words, env=clean_environment() | {"BROWSER": f"{browser} %s"})
    assert done.returncode == 0
    assert opened.read_text() == f"{report.as_uri()}\n"
    refused = invoke("compare", small_tape, "--open")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--open needs --html" in refused.stderr


def test_wrong_usage_of_a_process(small_tape: Path) -> None:
    """A real process with wrong usage exits with 2, its words on stderr and no traceback."""
    done = booktape_process("replay", small_tape, "--speed", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr


# Help


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(command: str | None, flag: str) -> None:
    """Every command explains itself, and every option of it has words."""
    done = invoke(*([command] if command else []), flag)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")
    assert max(map(len, done.stdout.splitlines())) <= 100
    if command is None:
        assert all(re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", cli.commands)
def test_examples(name: str) -> None:
    """The help of every command ends with an example that the command can parse."""
    command = cli.commands[name]
    program, named, *words = shlex.split((command.epilog or "").removeprefix("Example: "))
    assert (program, named) == ("booktape", name)
    click.Command.parse_args(command, click.Context(command, info_name=name), words)


def test_every_command_is_known() -> None:
    """The commands are those of this test, so that a new one is tested too."""
    assert set(cli.commands) >= set(COMMANDS)


def test_version() -> None:
    """--version tells one line."""
    done = booktape("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"booktape, version [0-9]+\.[0-9]+\.[0-9]+\n", done.stdout)


def test_console_script(small_tape: Path) -> None:
    """The installed script does what `python -m booktape` does."""
    script = shutil.which("booktape", path=Path(sys.executable).parent)
    if script is None:
        pytest.skip("booktape is not installed in this environment")
    done = subprocess.run(
        [script, "inspect", small_tape, "--json"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == json_of("inspect", small_tape)


# What stands on stdout


@pytest.mark.parametrize("command", ["replay", "compare"])
def test_json_and_nothing_else(recording: Recording, command: str) -> None:
    """--json prints one JSON document on stdout, and with it stderr is empty."""
    done = booktape(command, recording.tape, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")


def test_json_of_an_import(tmp_path: Path) -> None:
    """`import --json` prints one JSON document on stdout."""
    capture = tapes.write_capture(tmp_path / "capture", [(0, tapes.snapshot("BTC-USD"))])
    document = json_of("import", capture, "-o", tmp_path / "tape")
    assert document.keys() >= {"tape", "digest", "products"}


def test_piped_output_is_plain(recording: Recording) -> None:
    """Piped output holds no control codes on either stream, and no line is wrapped."""
    piped = booktape("inspect", recording.tape)
    assert piped.returncode == 0
    shown = {"inspect": piped.stdout + piped.stderr}
    for command in ("replay", "compare", "verify"):
        done = invoke(command, recording.tape)
        assert done.stderr == ""
        shown[command] = done.stdout
    for text in shown.values():
        assert not CONTROL.search(text)
        assert str(recording.tape) in text


@pytest.mark.parametrize("command", READING)
def test_data_quality(recording: Recording, command: str) -> None:
    """Under every result stands what of the data is not as one would wish."""
    done = invoke(command, recording.tape)
    assert re.search(r"interrupt", done.stdout)


def test_brackets_in_a_path(small_tape: Path, tmp_path: Path) -> None:
    """A path is text and no markup, whatever brackets it has, in results, findings and errors."""
    (tmp_path / "[red]tape[").mkdir()
    tape = tapes.copy_of(small_tape, tmp_path).rename(tmp_path / "[red]tape[" / "bold]")
    for command in READING:
        done = invoke(command, tape)
        assert done.exit_code == 0
        assert str(tape) in done.stdout
    (path,) = tapes.segment_paths(tape, "BTC-USD")
    path.unlink()
    assert str(path) in invoke("verify", tape).stdout
    assert str(path) in invoke("replay", tape).stderr


# Around the commands


def test_bytewax_opens_no_port(small_tape: Path) -> None:
    """The variable that would open a port on all interfaces is gone before bytewax looks."""
    program = (
        "import os, sys\nfrom booktape.cli.main import main\n"
        "sys.argv = ['booktape', 'replay', sys.argv[1], '--json']\n"
        "try:\n    main()\n"
        "finally:\n    print('BYTEWAX_DATAFLOW_API_ENABLED' in os.environ, file=sys.stderr)"
    )
    environment = {**clean_environment(), "BYTEWAX_DATAFLOW_API_ENABLED": "0"}
    done = python(program, small_tape, env=environment)
    assert (done.returncode, done.stderr) == (0, "False\n")


def test_demo_from_anywhere(tmp_path: Path) -> None:
    """The demo runs from any directory, says that its market is synthetic, and its digests are equal."""
    done = booktape("demo", "--seed", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    digests = re.findall(r"^Digest ([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    assert len(digests) == 2
    assert len(set(digests)) == 1
    assert "The tape is whole" in done.stdout
    assert "threshold" in done.stdout
    assert not CONTROL.search(done.stdout)
    assert not list(tmp_path.iterdir())


def test_sigterm_is_told(recording: Recording) -> None:
    """A command that is told to end by SIGTERM says so in one line and exits 1."""
    code = (
        "import os, signal, sys, replay.checking.verify as v;"
        "from booktape.__main__ import main;"
        "v.verify = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM);"
        f"sys.argv = ['booktape', 'verify', {str(recording.tape)!r}]; main()"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: interrupted\n")
