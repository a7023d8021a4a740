"""Which engine runs, and that the user can see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orderbook.engine import PlainEngine
from recorder.engines import ready_engine
from tests.endurance.forms import IS_LONG
from tests.replay.tapes import ROOT, booktape, clean_environment, python

SAMPLE = ROOT / "data" / "sample"
WITHOUT_NUMBA = (
    "import sys; sys.modules['numba'] = None; import booktape; sys.argv[0] = 'booktape'; booktape.main()"
)


def without_numba(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run booktape where numba cannot be imported."""
    return python(WITHOUT_NUMBA, *arguments, cwd=ROOT)


def test_auto_is_compiled() -> None:
    """Where numba is installed the compiled engine runs unless the plain one is asked for."""
    assert [ready_engine(name).name for name in ("auto", "compiled", "plain")] == [
        "compiled",
        "compiled",
        "plain",
    ]
    own = PlainEngine()
    assert ready_engine(own) is own


@pytest.mark.parametrize("command", ["replay", "compare", "verify"])
def test_documents_say_which_engine(command: str) -> None:
    """Documents name the engine and are else the same, digest and all."""
    documents = {}
    for engine in ("plain", "compiled"):
        done = booktape(command, SAMPLE, "--engine", engine, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        documents[engine] = json.loads(done.stdout)
        assert documents[engine].pop("engine") == engine
        for name in ("elapsed_s", "frames_per_s", "command"):
            documents[engine].pop(name, None)
    assert documents["plain"] == documents["compiled"]


def test_the_environment_names_the_default() -> None:
    """BOOKTAPE_ENGINE is the default of --engine; where neither is given it is auto."""
    for named, ran in (("plain", "plain"), (None, "compiled")):
        environment = clean_environment() | ({"BOOKTAPE_ENGINE": named} if named else {})
        if named is None:
            del environment["BOOKTAPE_ENGINE"]
        done = booktape("replay", SAMPLE, "--json", env=environment)
        assert json.loads(done.stdout)["engine"] == ran


def test_runs_are_the_same(tmp_path: Path) -> None:
    """Two RUNs of the engines do not diverge, and the person at the terminal reads which ran."""
    for engine in ("plain", "compiled"):
        done = booktape("replay", SAMPLE, "--engine", engine, "-o", tmp_path / engine, "--depth", 3)
        assert f", {engine} engine" in done.stdout
        assert json.loads((tmp_path / engine / "run.json").read_text())["engine"] == engine
    assert booktape("diff", tmp_path / "plain", tmp_path / "compiled").returncode == 0


def test_without_numba() -> None:
    """Without numba `auto` is plain, and `compiled` is refused in one line that says what to do."""
    assert (
        json.loads(without_numba("replay", SAMPLE, "--engine", "auto", "--json").stdout)["engine"] == "plain"
    )
    refused = without_numba("replay", SAMPLE, "--engine", "compiled")
    assert refused.returncode == 1
    assert "booktape[fast]" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.skipif(not IS_LONG, reason="compiles the engine: half a minute on a slow machine")
def test_compiling_is_announced(tmp_path: Path) -> None:
    """The first time one line on stderr says why it takes long, and the second time there is none."""
    environment = clean_environment() | {"NUMBA_CACHE_DIR": str(tmp_path)}
    program = "from recorder.engines import ready_engine; print(ready_engine('auto').name)"
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        said.append((done.stdout, done.stderr))
    line = "Compiling the engine that runs the books; it is kept for the next time.\n"
    assert said == [("compiled\n", line), ("compiled\n", "")]
