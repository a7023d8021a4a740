"""Which engine runs, and that the user can see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import booktape as bt
from orderbook.engine import PlainEngine
from recorder.runtime.loading import engine_for, load_engine
from tests.endurance.forms import IS_LONG
from tests.support.commands import booktape, clean_environment, invoke, json_of, python
from tests.support.constants import ROOT, SAMPLE

WITHOUT_NUMBA = (
    "import sys; sys.modules['numba'] = None; sys.argv[0] = 'booktape'; from booktape.cli.main import main; "
    "main()"
)


def without_numba(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run booktape without numba."""
    return python(WITHOUT_NUMBA, *arguments, cwd=ROOT)


def test_auto_is_compiled() -> None:
    """With numba installed the compiled engine runs, unless `plain` is requested."""
    assert [load_engine(name).name for name in ("auto", "compiled", "plain")] == [
        "compiled",
        "compiled",
        "plain",
    ]
    own = PlainEngine()
    assert load_engine(own) is own


def test_auto_is_plain_where_numba_does_not_compile() -> None:
    """A numba that is told to run everything as Python would take a hundred times as long."""
    program = "from recorder.runtime.loading import load_engine; print(load_engine('auto').name)"
    done = python(program, env=clean_environment() | {"NUMBA_DISABLE_JIT": "1"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "plain\n", "")


def test_auto_is_plain_for_few_rows() -> None:
    """`auto` loads no compiled code for rows that are done before it is loaded; other choices stand."""
    own = PlainEngine()
    load_engine("compiled")
    program = """from recorder.runtime.loading import engine_for
print(*(engine_for(rows, "auto") for rows in (59_999, 60_000, 1)), engine_for(1, "auto", executes=True))
"""
    assert python(program).stdout.split() == ["plain", "auto", "auto", "plain"]  # the second one loads it
    assert engine_for(1, "auto") == "auto"
    assert engine_for(10**9, "auto") == "auto"
    assert engine_for(0, "auto", grows=True) == "auto"
    assert [engine_for(0, engine) for engine in ("compiled", "plain")] == ["compiled", "plain"]
    assert engine_for(0, own) is own


@pytest.mark.parametrize("command", ["replay", "compare", "verify"])
def test_documents_say_which_engine(command: str) -> None:
    """Documents name the engine and are the same otherwise, including the digest."""
    documents = {}
    for engine in ("plain", "compiled"):
        documents[engine] = json_of(command, SAMPLE, "--engine", engine)
        assert documents[engine].pop("engine") == engine
        for name in ("elapsed_s", "frames_per_s", "command"):
            documents[engine].pop(name, None)
    assert documents["plain"] == documents["compiled"]


def test_the_environment_names_the_default() -> None:
    """BOOKTAPE_ENGINE is the default of --engine; without both it is auto: plain for a small tape."""
    for named, ran in (("compiled", "compiled"), (None, "plain")):
        environment = clean_environment() | ({"BOOKTAPE_ENGINE": named} if named else {})
        if named is None:
            del environment["BOOKTAPE_ENGINE"]
        done = booktape("replay", SAMPLE, "--json", env=environment)
        assert json.loads(done.stdout)["engine"] == ran


def test_runs_are_the_same(tmp_path: Path) -> None:
    """Two RUNs of the engines do not diverge, and the person at the terminal reads which ran."""
    for engine in ("plain", "compiled"):
        done = invoke("replay", SAMPLE, "--engine", engine, "-o", tmp_path / engine, "--depth", 3)
        assert f", {engine} engine" in done.stdout
        assert json.loads((tmp_path / engine / "run.json").read_text())["engine"] == engine
    assert invoke("diff", tmp_path / "plain", tmp_path / "compiled").exit_code == 0


def test_a_compiled_strategy_without_numba() -> None:
    """It runs in Python, with the same result, and says so and what would compile it."""
    words = ("backtest", SAMPLE, "-p", "ETH-USD", "--to", "+10s", "--engine", "auto", "--json", "--strategy")
    name = "booktape.examples.compiled_market_making:market_maker"
    done = without_numba(*words, name)
    assert "Running strategy market_maker in plain Python" in done.stderr
    assert "pip install 'booktape[fast]'" in done.stderr
    expected = bt.open(SAMPLE).backtest(name, products="ETH-USD", end="+10s", engine="compiled").document()
    assert json.loads(done.stdout)["execution_digest"] == expected["execution_digest"]
    assert "in plain Python" not in without_numba(*words, "booktape.strategies:QuoteWhenWide").stderr


def test_without_numba() -> None:
    """Without numba `auto` is plain, and `compiled` is refused in one line that says what to do."""
    assert (
        json.loads(without_numba("replay", SAMPLE, "--engine", "auto", "--json").stdout)["engine"] == "plain"
    )
    refused = without_numba("replay", SAMPLE, "--engine", "compiled")
    assert refused.returncode == 1
    assert "booktape[fast]" in refused.stderr
    assert refused.stderr.count("\n") == 1


BROKEN_NUMBA = """
import sys
from importlib.machinery import ModuleSpec

class Broken:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name == "numba" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise {error}

sys.meta_path.insert(0, Broken())
from recorder.runtime.loading import load_engine
print(load_engine(sys.argv[1]).name)
"""


@pytest.mark.parametrize(
    "error", ["RuntimeError('no locator')", "MemoryError()", "OSError(28, 'No space')", "EOFError()"]
)
def test_auto_never_fails(error: str) -> None:
    """Whatever keeps the compiled engine from working, `auto` is plain and says so in one line."""
    done = python(BROKEN_NUMBA.format(error=error), "auto")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "plain\n", 1)
    assert done.stderr.startswith("Continuing with the plain engine: ")


def test_compiled_is_refused_in_our_words() -> None:
    """If the user insists on the compiled engine, what is wrong is an error of ours."""
    done = python(BROKEN_NUMBA.format(error="RuntimeError('no locator')"), "compiled")
    assert done.returncode == 1
    assert "EngineError: the compiled engine cannot be compiled (RuntimeError: no locator)" in done.stderr


def test_a_variable_that_numba_cannot_read() -> None:
    """It is refused in one line that names it and what it may be, in place of numba's page."""
    done = booktape("replay", SAMPLE, "--engine", "compiled", env=clean_environment() | {"NUMBA_OPT": "99"})
    error = done.stderr.splitlines()[-1]
    assert (done.returncode, error.count("NUMBA_OPT=99")) == (2, 1)
    assert "supported values are 0, 1, 2, 3" in error
    assert "Traceback" not in done.stderr


def test_compile_says_where_it_is_kept() -> None:
    """`compile` ends with the directory of the code; without numba with a line that says what to install."""
    done = booktape("compile")
    kept = Path(done.stdout.strip().rpartition(" ")[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert any(kept.iterdir())
    refused = without_numba("compile")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "pip install 'booktape[fast]'" in refused.stderr


def test_compile_refuses_a_place_that_cannot_keep_it(tmp_path: Path) -> None:
    """It does not keep the code elsewhere in silence: the image of a container would lack it."""
    place = tmp_path / "missing"
    done = booktape("compile", env=clean_environment() | {"NUMBA_CACHE_DIR": str(place)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: NUMBA_CACHE_DIR={place} cannot keep the compiled code")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not IS_LONG, reason="compiles the engine: half a minute on a slow machine")
def test_compiling_is_announced(tmp_path: Path) -> None:
    """Compiling is announced by one line on stderr, and only the first time."""
    environment = clean_environment() | {"NUMBA_CACHE_DIR": str(tmp_path)}
    program = (
        "from recorder.runtime.loading import load_engine; print(load_engine('auto', executes=True).name)"
    )
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        said.append((done.stdout, done.stderr))
    line = "Compiling the fast engine, for about a minute; it is kept for the next time.\n"
    assert said == [("compiled\n", line), ("compiled\n", "")]
