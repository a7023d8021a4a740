"""What `import booktape` shows: every name by tab completion, and its place on the reference page."""

import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import booktape as bt
import orderbook
import recorder
import replay
from docs.make_api import FUNCTIONS, PAGE, RESULTS, TUTORIAL, members, page
from orderbook.result import Result
from tests.support.tapes import list_path

SAMPLE = bt.sample()


def test_every_name_is_there() -> None:
    """Each name of `__all__` can be had, and `dir` shows them and nothing else."""
    assert dir(bt) == bt.__all__
    assert len(set(bt.__all__)) == len(bt.__all__)
    for name in bt.__all__:
        assert getattr(bt, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        bt.nonsense  # noqa: B018  that is what is tested


def test_version() -> None:
    """The version is that of the command."""
    assert bt.__version__.count(".") == 2


def test_the_page_is_that_of_the_code() -> None:
    """docs/api.md is what the code generates: every function, parameter, column and error is on it."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m docs.make_api"


def test_the_page_has_every_name() -> None:
    """Whatever is exported has its place on the page."""
    errors = {name for name in bt.__all__ if name.endswith("Error")}
    assert {*FUNCTIONS, *RESULTS, *TUTORIAL, *errors, "Tape", "__version__"} == set(bt.__all__)
    for name in RESULTS:
        assert issubclass(getattr(bt, name), Result)
        assert {"summary", "table"} <= {member for member, _ in members(getattr(bt, name))}


def test_every_error_is_exported() -> None:
    """Whatever `except booktape.BooktapeError` can catch has its own name there, too."""
    for package in (orderbook, recorder, replay, bt):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def subclasses(error: type[Exception]) -> Iterator[type[Exception]]:
        yield error
        for each in error.__subclasses__():
            yield from subclasses(each)

    defined = {error.__name__ for error in subclasses(bt.BooktapeError) if not is_of_tests(error)}
    assert defined == {name for name in bt.__all__ if name.endswith("Error")}


def is_of_tests(error: type[Exception]) -> bool:
    """Return whether another test defined it."""
    return error.__module__.startswith("tests.")


def test_names_of_the_tutorial_stay() -> None:
    """The names that earlier versions had, and those of the Bytewax tutorial, can still be imported."""
    from booktape import CoinbaseSource, OrderBookState, OrderBookSummary  # noqa: PLC0415

    assert {each.__name__ for each in (CoinbaseSource, OrderBookState, OrderBookSummary)} <= set(bt.__all__)
    assert callable(recorder.flow)
    assert all(callable(each) for each in (replay.run, replay.compare, replay.diff, replay.flow))


def results(directory: Path) -> dict[str, Result]:
    """Return one of each result of the sample."""
    tape, end = bt.open(SAMPLE), "+15s"
    return {
        "RunResult": tape.replay(threshold="10bps", end=end),
        "Comparison": tape.compare("1bps:60bps:1bps", end=end),
        "Backtest": tape.backtest(end=end),
        "WalkForward": tape.walk_forward(walk="5s:5s", end=end),
        "Verification": tape.verify(),
        "Inspection": tape.inspect(),
        "Ladder": tape.book("BTC-USD", at="+1m"),
        "Diff": bt.diff(tape, SAMPLE),
        "Exported": tape.export(directory / "export", tables="trades", end=end),
    }


def test_short_reprs(tmp_path: Path) -> None:
    """Every result says in one line what it is, and has a table."""
    tape, found = bt.open("sample:"), results(tmp_path)
    for shown in (repr(tape), *map(repr, found.values())):
        assert "\n" not in shown
        assert len(shown) < 300
    assert all(product in repr(tape) for product in tape.products)
    for name, result in found.items():
        table = result.table()
        assert isinstance(table, pa.Table)
        assert table.num_rows > 0, name


def test_a_damaged_tape_can_be_shown(tmp_path: Path) -> None:
    """A tape that cannot be inspected says why, in a terminal and in a notebook."""
    path = shutil.copytree(SAMPLE, tmp_path / "<b>tape")
    tape = bt.open(path)
    list_path(path).write_text("{}\n", encoding="utf-8")
    with pytest.raises(bt.DamagedTapeError) as found:
        tape.inspect()
    assert found.value.path is not None
    assert str(path) in repr(tape)
    assert "<b>" not in str(tape._repr_html_())
