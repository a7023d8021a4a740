"""What the tree promises: imports run one way, bytewax stays in thin modules, nothing starts on import."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay.tapes import ROOT, python

PACKAGES = ("orderbook", "recorder", "replay")
ABOVE = {
    "orderbook": {"recorder", "replay", "booktape"},
    "recorder": {"replay", "booktape"},
    "replay": {"booktape"},
}
BYTEWAX_FILES = {"sources.py", "sinks.py", "operators.py", "flows.py"}
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "os", "pathlib", "select", "selectors", "shutil", "signal"),
    *("socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "http", "logging"),
    *("io", "random", "websockets", "click", "rich"),
}


def modules(package: str) -> list[Path]:
    """Return the files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, wherever in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


def names_of(paths: list[Path]) -> list[str]:
    """Return the paths as a reader of a failure wants them."""
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    """Imports run from booktape to replay to recorder to orderbook, and never the other way."""
    files = modules(package)
    assert files
    assert names_of([path for path in files if roots(path) & ABOVE[package]]) == []


def test_front_door() -> None:
    """The front door is made of the commands of both packages, and nobody imports the tests."""
    assert {"recorder", "replay"} <= roots(ROOT / "booktape.py")
    everything = [path for package in PACKAGES for path in modules(package)] + [ROOT / "booktape.py"]
    assert names_of([path for path in everything if "tests" in roots(path)]) == []


def test_bytewax_stays_in_thin_modules() -> None:
    """Bytewax is imported only by modules named sources, sinks, operators or flows, and by some of each."""
    files = [path for package in PACKAGES for path in modules(package)] + [ROOT / "booktape.py"]
    using = [path for path in files if "bytewax" in roots(path)]
    assert names_of([path for path in using if path.name not in BYTEWAX_FILES]) == []
    assert {path.name for path in using} == BYTEWAX_FILES


def test_core_has_no_clock_file_socket_or_thread() -> None:
    """The core imports no module that reaches outside of it."""
    found = {str(path.relative_to(ROOT)): roots(path) & IMPURE for path in modules("orderbook")}
    assert {name: names for name, names in found.items() if names} == {}


def test_core_opens_nothing() -> None:
    """The core does not call open or input either."""
    calls = [
        f"{path.name}: {node.func.id}"
        for path in modules("orderbook")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"open", "input"}
    ]
    assert calls == []


IMPORT_ALL = """
import importlib, json, os, socket, sys, threading
def refuse(*_):
    raise AssertionError("a socket on import")
socket.socket.connect = socket.socket.bind = refuse
before = set(os.listdir("."))
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({
    "threads": [thread.name for thread in threading.enumerate()],
    "made": sorted(set(os.listdir(".")) - before),
}))
"""


def test_nothing_starts_on_import(tmp_path: Path) -> None:
    """Importing every module starts no thread, opens no socket, writes no file and prints nothing."""
    paths = [path for package in PACKAGES for path in modules(package)]
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths
    ]
    done = python(IMPORT_ALL, *names, "booktape", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"threads": ["MainThread"], "made": []}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_alone(package: str) -> None:
    """Each package can be imported without loading those above it; the core also without bytewax."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules(package)
        if package != "orderbook" or path.name not in BYTEWAX_FILES
    ]
    unwanted = ABOVE[package] | ({"bytewax"} if package == "orderbook" else set())
    program = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
    program += f"print(sorted({unwanted!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    done = python(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_help_is_light() -> None:
    """--help waits neither for Arrow nor for bytewax."""
    program = (
        "import sys\nfrom click.testing import CliRunner\nimport booktape\n"
        "for name in booktape.cli.commands:\n"
        "    assert CliRunner().invoke(booktape.cli, [name, '--help']).exit_code == 0\n"
        "print(sorted({'pyarrow', 'bytewax', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = python(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
