"""The rules of the tree: imports run one way, nothing starts on import, and tests mirror the modules."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from orderbook.venues.registry import VENUE_NAMES
from tests.support.commands import python
from tests.support.constants import ROOT

PACKAGES = ("orderbook", "recorder", "replay", "booktape")
ABOVE = {
    "orderbook": {"recorder", "replay", "booktape"},
    "recorder": {"replay", "booktape"},
    "replay": {"booktape"},
    "booktape": set(),
}
BYTEWAX_FOLDER = "dataflow"
FRONT_DOOR_ONLY = {"click", "rich"}
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "os", "pathlib", "select", "selectors", "shutil", "signal"),
    *("socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "http", "logging"),
    *("io", "random", "websockets", "click", "rich"),
}


def modules(package: str) -> list[Path]:
    """Return the files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def nodes_of(path: Path) -> Iterator[ast.AST]:
    """Return all nodes of the syntax tree of a file."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the dotted names of all modules that a file imports, at any level of the code."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in nodes_of(path):
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
    """Return paths relative to the repository, for the message of a failed test."""
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    """Imports run from booktape to replay to recorder to orderbook, and never the other way."""
    files = modules(package)
    assert files
    assert names_of([path for path in files if roots(path) & ABOVE[package]]) == []


def test_front_door() -> None:
    """Only the package booktape imports click and rich, and no package imports the tests."""
    below = [path for package in PACKAGES[:-1] for path in modules(package)]
    assert names_of([path for path in below if roots(path) & FRONT_DOOR_ONLY]) == []
    assert set().union(*map(roots, modules("booktape"))) >= FRONT_DOOR_ONLY
    everything = [path for package in PACKAGES for path in modules(package)]
    assert names_of([path for path in everything if "tests" in roots(path)]) == []


CLI_MAY_IMPORT = {
    *("orderbook.display", "orderbook.errors", "orderbook.time_input"),
    *("orderbook.thresholds", "orderbook.venues.registry", "recorder.runtime.memory"),
    *("recorder.runtime.signals", "recorder.settings"),
}


def test_command_line_calls_the_python_api() -> None:
    """The command line imports the Python API and modules of names, texts and defaults only."""
    for path in modules("booktape/cli"):
        names = {name for name in imported(path) if name.partition(".")[0] in PACKAGES}
        behind = {name for name in names if not name.startswith("booktape")}
        modules_behind = {name for name in behind if name not in CLI_MAY_IMPORT}
        assert {name.rpartition(".")[0] for name in modules_behind} <= CLI_MAY_IMPORT, path


def test_bytewax_stays_in_its_folders() -> None:
    """Each package but booktape imports bytewax, only under its `dataflow/`; an example may import it too."""
    files = [path for package in PACKAGES for path in modules(package) if path.parent.name != "examples"]
    using = [path for path in files if "bytewax" in roots(path)]
    assert names_of([path for path in using if path.parent.name != BYTEWAX_FOLDER]) == []
    assert {path.relative_to(ROOT).parts[0] for path in using} == set(PACKAGES[:-1])


def test_core_has_no_clock_file_socket_or_thread() -> None:
    """The core imports no module that gives access to files, clocks, sockets or threads."""
    found = {str(path.relative_to(ROOT)): roots(path) & IMPURE for path in modules("orderbook")}
    reads_variables = "orderbook/compiled/environment.py"  # those of numba, which numba itself would read
    assert found.pop(reads_variables) == {"os", "pathlib"}
    assert {name: names for name, names in found.items() if names} == {}


def test_core_opens_nothing() -> None:
    """The core does not call open() or input() either."""
    calls = [
        f"{path.name}: {node.func.id}"
        for path in modules("orderbook")
        for node in nodes_of(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"open", "input"}
    ]
    assert calls == []


def test_venues_are_named_in_their_folders_only() -> None:
    """No code outside `venues/` contains the name of a venue or imports the folder of one."""
    files = [path for package in PACKAGES for path in modules(package)]
    outside = [path for path in files if "venues" not in path.relative_to(ROOT).parts]
    named = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in outside
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and node.value in VENUE_NAMES
    }
    folders = tuple(f"orderbook.venues.{name}" for name in VENUE_NAMES)
    imports = {str(path.relative_to(ROOT)) for path in outside for name in imported(path) if name in folders}
    assert named | imports == set()


FILE_MODULES = {"os", "shutil", "fcntl", "mmap", "tempfile", "glob", "hashlib"}
FILE_METHODS = {
    *("chmod", "exists", "glob", "is_dir", "is_file", "iterdir", "lstat", "mkdir", "read_bytes", "read_text"),
    *("rename", "resolve", "rglob", "rmdir", "stat", "symlink_to", "touch", "unlink", "write_bytes"),
    *("write_text", "ParquetFile", "ParquetWriter", "OSFile", "memory_map"),
}


def touches_files(call: ast.Call) -> bool:
    """Tell whether a call opens, changes or looks up a file without `recorder.tape.store`."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "open"
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    if owner == "store" or (function.attr == "ParquetWriter" and ast.unparse(call.args[0]) == "sink"):
        return False
    is_rename = function.attr == "replace" and len(call.args) == 1 and not call.keywords
    is_open = function.attr == "open" and owner not in {"Tape", "TapeWriter"}
    return function.attr in FILE_METHODS or is_rename or is_open


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open(path)", True),
        ("path.open('rb')", True),
        ("(tape / MANIFEST).exists()", True),
        ("aside.replace(path)", True),
        ("pq.ParquetFile(path)", True),
        ("store.ParquetFile(path)", False),
        ("pq.ParquetWriter(path, schema)", True),
        ("pq.ParquetWriter(sink, schema)", False),
        ("store.exists(path)", False),
        ("Tape.open(path)", False),
        ("text.replace('a', 'b')", False),
        ("replace(entry, rows=1)", False),
    ],
)
def test_file_access_is_recognised(code: str, expected: bool) -> None:
    """The rule below finds calls of files, and takes nothing else for one."""
    statement = ast.parse(code).body[0]
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert touches_files(statement.value) is expected


def test_files_of_a_tape_are_reached_through_the_store() -> None:
    """Under recorder/tape, only `store/` imports modules for files, or opens, changes or looks up one."""
    files = [path for path in modules("recorder/tape") if path.parent.name != "store"]
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and touches_files(node)
    ]
    assert names_of([path for path in files if roots(path) & FILE_MODULES]) == []
    assert calls == []


IMPORT_ALL = """
import importlib, json, os, socket, sys, threading
def refuse(*_):
    raise AssertionError("a socket was opened on import")
socket.socket.connect = socket.socket.bind = refuse
before = set(os.listdir("."))
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({
    "threads": [thread.name for thread in threading.enumerate()],
    "created": sorted(set(os.listdir(".")) - before),
}))
"""


def test_nothing_starts_on_import(tmp_path: Path) -> None:
    """Importing all modules starts no thread, opens no socket, writes no file and prints nothing."""
    paths = [path for package in PACKAGES for path in modules(package)]
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths
    ]
    done = python(IMPORT_ALL, *names, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"threads": ["MainThread"], "created": []}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_alone(package: str) -> None:
    """Each package can be imported without loading those above it; the core also without bytewax."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in modules(package)
        if package != "orderbook" or path.parent.name != BYTEWAX_FOLDER
    ]
    unwanted = ABOVE[package] | ({"bytewax"} if package == "orderbook" else set())
    program = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
    program += f"print(sorted({unwanted!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    done = python(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_import_is_light() -> None:
    """`import booktape` and `dir(booktape)` load neither Arrow nor bytewax, numpy, rich or click."""
    program = (
        "import sys, booktape as bt\nassert 'open' in dir(bt) and bt.BooktapeError and bt.__version__\n"
        "print(sorted({'pyarrow', 'bytewax', 'numpy', 'rich', 'click'} & set(sys.modules)))"
    )
    done = python(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_help_is_light() -> None:
    """--help loads neither Arrow nor bytewax, numpy or rich."""
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom booktape.cli.main import cli\n"
        "for name in cli.commands:\n"
        "    assert CliRunner().invoke(cli, [name, '--help']).exit_code == 0\n"
        "print(sorted({'pyarrow', 'bytewax', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = python(program)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


END_TO_END = {
    "tests/replay/export/test_sources.py": "exports of a running recording and of an object store",
    "tests/replay/export/test_tools.py": "other tools on exports: their books are ours",
    "tests/booktape/cli/test_output.py": "all commands with a closed pipe, a full disk and no stdout",
    "tests/replay/running/test_digest_equality.py": "one digest: live, replayed and in a cluster",
    "tests/replay/running/test_following.py": "`replay --follow` while a process records the tape",
    "tests/replay/running/test_strategies.py": "a user's strategy in a run, in RUN and in a cluster",
    "tests/replay/serving/test_other_clients.py": "the client of bytewax's tutorial against `serve`",
    "tests/replay/serving/test_recording_served.py": "`record` of what `serve` sends is the same tape",
}
"""Test files that mirror no module, and their subjects."""

TESTED_ELSEWHERE = {
    "booktape/__init__.py": "tests/api/test_exports.py",
    "booktape/cli/": "tests/booktape/test_cli.py",  # every command and option
    "booktape/checking.py": "tests/api/test_usage.py",
    "booktape/comparing.py": "tests/api/test_usage.py",
    "booktape/console/": "tests/booktape/test_cli.py",  # what the commands print
    "booktape/demo.py": "tests/booktape/test_cli.py",
    "booktape/examples/": "tests/replay/running/test_strategies.py",
    "booktape/fleets.py": "tests/booktape/test_fleet_file.py",
    "recorder/fleet/plan.py": "tests/booktape/test_fleet_file.py",
    "booktape/exporting.py": "tests/replay/export/test_api.py",
    "booktape/feed_arguments.py": "tests/api/test_usage.py",
    "booktape/importing.py": "tests/api/test_usage.py",
    "booktape/merging.py": "tests/replay/merging/test_api.py",
    "booktape/live_feed.py": "tests/api/test_usage.py",
    "booktape/recording.py": "tests/api/test_usage.py",
    "booktape/preparing.py": "tests/replay/checking/test_prepare_ahead.py",
    "booktape/replaying.py": "tests/api/test_usage.py",
    "booktape/serving.py": "tests/booktape/cli/test_serve.py",
    "booktape/strategy_check.py": "tests/replay/simulation/test_twins.py",
    "booktape/tape.py": "tests/api/test_usage.py",
    "booktape/searching.py": "tests/replay/simulation/test_searching.py",
    "booktape/walking.py": "tests/replay/simulation/test_walking.py",
    "booktape/backtesting.py": "tests/replay/simulation/test_api.py",
    "booktape/execution.py": "tests/replay/simulation/test_api.py",
    "booktape/threshold_trades.py": "tests/replay/comparing/test_profits.py",
    "booktape/traders.py": "tests/replay/simulation/test_api.py",
    "replay/simulation/record_parts.py": "tests/replay/simulation/test_parts.py",
    "replay/simulation/studies.py": "tests/replay/simulation/test_searching.py",
    "replay/simulation/walk_plan.py": "tests/replay/simulation/test_walking.py",
    "replay/simulation/walk_results.py": "tests/replay/simulation/test_walking.py",
    "replay/simulation/": "tests/replay/simulation/test_api.py",
    "booktape/workers.py": "tests/replay/test_processes.py",
    "replay/processes/": "tests/replay/test_processes.py",
    "booktape/windows.py": "tests/replay/running/test_window.py",
    "replay/comparing/outcome.py": "tests/replay/comparing/test_pieces.py",
    "orderbook/compiled/": "tests/orderbook/compiled/test_engine.py",  # against the plain engine
    "orderbook/dataflow/operators.py": "tests/orderbook/dataflow/test_streams.py",
    "orderbook/execution/": "tests/orderbook/execution/test_exchange.py",  # scenarios, random tapes
    "orderbook/notebook.py": "tests/booktape/console/test_notebook.py",
    "orderbook/result.py": "tests/api/test_exports.py",
    "orderbook/schema.py": "tests/orderbook/test_tracker.py",
    "orderbook/strategy.py": "tests/replay/running/test_strategies.py",
    "orderbook/venues/": "tests/orderbook/test_tracker.py",  # decoders, on random frames, against the oracle
    "recorder/__init__.py": "tests/recorder/dataflow/test_flows.py",
    "recorder/tape/errors.py": "tests/recorder/tape/test_reader.py",
    "recorder/tape/store/": "tests/recorder/tape/store/test_remote.py",  # on a real server
    "recorder/tape/format/complete_list.py": "tests/recorder/tape/format/test_presence.py",
    "recorder/tape/format/prepared.py": "tests/replay/checking/test_prepare.py",
    "recorder/tape/format/prepared_block.py": "tests/replay/checking/test_prepare.py",
    "recorder/tape/listing.py": "tests/recorder/tape/format/test_list_files.py",
    "recorder/tape/sealed_rows.py": "tests/replay/merging/test_api.py",
    "recorder/shipping/read_back.py": "tests/recorder/shipping/test_keeping.py",
    "recorder/tape/format/removed.py": "tests/recorder/shipping/test_keeping.py",
    "recorder/tape/format/shipped.py": "tests/recorder/shipping/test_shipper.py",
    "recorder/shipping/": "tests/recorder/shipping/test_shipper.py",
    "booktape/shipping.py": "tests/recorder/shipping/test_shipper.py",
    "recorder/tape/product_tape.py": "tests/recorder/tape/test_reader.py",
    "recorder/live/progress.py": "tests/recorder/live/test_client.py",
    "recorder/runtime/local_server.py": "tests/recorder/monitor/test_metrics_server.py",
    "recorder/live/receiving.py": "tests/recorder/live/test_client.py",
    "recorder/tape/format/segment_entry.py": "tests/recorder/tape/format/test_segment_list.py",
    "replay/__init__.py": "tests/replay/dataflow/test_flows.py",
    "replay/export/collect.py": "tests/replay/export/test_parquet.py",
    "replay/export/csv_gz.py": "tests/replay/export/test_tardis.py",
    "replay/export/events.py": "tests/replay/export/test_hftbacktest.py",
    "replay/export/nautilus.py": "tests/replay/export/test_tools.py",
    "replay/export/results.py": "tests/replay/export/test_api.py",
    "recorder/runtime/strategies.py": "tests/replay/running/test_strategies.py",
    "replay/export/run_tables.py": "tests/replay/export/test_api.py",
    "replay/checking/diff/results.py": "tests/replay/checking/diff/test_api.py",
    "replay/checking/divergence.py": "tests/replay/checking/test_replayed.py",
    "replay/checking/index.py": "tests/replay/running/test_window.py",
    "replay/checking/interruptions.py": "tests/replay/checking/test_inspect.py",
    "replay/checking/origins.py": "tests/replay/merging/test_api.py",
    "replay/merging/": "tests/replay/merging/test_api.py",
    "replay/checking/product_check.py": "tests/replay/checking/test_verify.py",
    "replay/checking/verification.py": "tests/replay/checking/test_verify.py",
    "replay/comparing/metric.py": "tests/replay/comparing/test_metrics.py",
    "replay/pieces/cluster.py": "tests/replay/pieces/test_dask_cluster.py",
    "replay/pieces/reading.py": "tests/replay/running/test_pieces.py",
    "replay/pieces/workers.py": "tests/replay/test_processes.py",
    "replay/comparing/totals.py": "tests/replay/comparing/test_pieces.py",
    "replay/comparing/sweep/sums.py": "tests/replay/comparing/sweep/test_bins.py",
    "replay/dataflow/sources.py": "tests/replay/dataflow/test_flows.py",
    "replay/run_dir/backtests.py": "tests/replay/checking/diff/test_backtests.py",
    "replay/report/backtest_": "tests/replay/report/test_backtest.py",
    "replay/report/collect/market_trades.py": "tests/replay/report/test_backtest.py",
    "replay/report/collect/span.py": "tests/replay/report/test_api.py",
    "replay/report/collect/traded.py": "tests/replay/report/test_backtest.py",
    "replay/report/comparison_page.py": "tests/replay/report/test_api.py",
    "replay/report/figures/": "tests/replay/report/test_backtest.py",
    "replay/report/page.py": "tests/replay/report/test_backtest.py",
    "replay/report/sparkline.py": "tests/replay/report/test_api.py",
    "replay/running/results.py": "tests/replay/running/test_api.py",
    "replay/running/tables.py": "tests/replay/running/test_api.py",
    "booktape/viewing.py": "tests/booktape/cli/test_view.py",
    "replay/viewing/api.py": "tests/booktape/cli/test_view.py",
    "replay/viewing/library.py": "tests/replay/viewing/test_server.py",
    "replay/viewing/passage.py": "tests/replay/viewing/test_reading.py",
    "replay/viewing/source.py": "tests/replay/viewing/test_server.py",
    "replay/viewing/wire.py": "tests/replay/viewing/test_server.py",
    "replay/synthetic/connection.py": "tests/replay/synthetic/test_exchange.py",
}
"""The test file for each module without one of its name; a folder stands for all such modules in it."""


def mirrored(test: Path) -> Path | None:
    """Return the module or folder that a test file is named after, None if it does not exist."""
    module = ROOT / test.relative_to(ROOT / "tests").with_name(test.name.removeprefix("test_"))
    return next((path for path in (module, module.with_suffix("")) if path.exists()), None)


def test_every_test_file_mirrors_a_module() -> None:
    """tests/PACKAGE/PATH/test_NAME.py tests PACKAGE/PATH/NAME.py or folder NAME, or is end to end."""
    files = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    assert set(names_of([path for path in files if mirrored(path) is None])) == END_TO_END.keys()


def has_functions(path: Path) -> bool:
    """Return whether a module has code to test: a function or method without a doctest of the module."""
    has_doctest = ">>> " in path.read_text(encoding="utf-8")
    return not has_doctest and any(isinstance(node, ast.FunctionDef) for node in nodes_of(path))


def test_every_module_has_tests() -> None:
    """Each module with functions has a test file of its name, doctests, or an entry in TESTED_ELSEWHERE."""
    tests = ROOT / "tests"
    alone = {
        name
        for package in PACKAGES
        for path, name in zip(modules(package), names_of(modules(package)), strict=True)
        if has_functions(path) and not (tests / name).with_name(f"test_{path.name}").exists()
    }
    explained = {name: [key for key in TESTED_ELSEWHERE if name.startswith(key)] for name in alone}
    assert [name for name, keys in explained.items() if not keys] == []
    assert {key for keys in explained.values() for key in keys} == TESTED_ELSEWHERE.keys()
    assert [name for name in TESTED_ELSEWHERE.values() if not (ROOT / name).exists()] == []


def test_architecture_names_what_there_is() -> None:
    """Every folder and module that ARCHITECTURE.md names exists, and it stays at two pages."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = [path for package in (*PACKAGES, "tests", "docs") for path in (ROOT / package).rglob("*")]
    known = [f"/{path.relative_to(ROOT)}{'/' * path.is_dir()}" for path in paths]
    tops = {f"{package}/" for package in (*PACKAGES, "tests")}
    named = set(re.findall(r"`([a-z][a-z_/]*(?:/|\.py|\.md))`", text)) - tops
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in known)] == []
    assert len(text.split()) < 1_300
