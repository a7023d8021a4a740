"""The examples that trade: each runs over the sample as its docstring says, and does what it is about."""

import importlib
import re
import shlex
from types import ModuleType
from typing import Any

import pytest

import booktape as bt
from recorder.settings import EngineName
from tests.support.commands import json_of
from tests.support.constants import ETH, ROOT


def command_of(module: ModuleType) -> list[str]:
    """Return the words of the command in a docstring, of a shorter part of the tape."""
    text = re.sub(r"\s+\\?\n\s+", " ", module.__doc__ or "")
    program, *words = shlex.split(text[text.index("booktape backtest") :])
    assert program == "booktape"
    return [*words, "--to", "+25s"]


def test_market_making() -> None:
    """It fills as a maker alone, on both sides, and keeps within its limit; wider quotes are filled less."""
    module = importlib.import_module("booktape.examples.market_making")
    rows = json_of(*command_of(module))["rows"]
    assert len(rows) == 9
    for row in rows:
        assert row["fills"] == row["fills_maker"] > 0
        assert -0.2 <= row["position_min"] < 0 < row["position_max"] <= 0.2
    turnover = [row["turnover"] for row in rows if row["queue"] == "share"]
    assert turnover == sorted(turnover, reverse=True)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_compiled_market_making(engine: EngineName) -> None:
    """Its orders are those of the example in Python, in both engines, under each queue model."""
    given: dict[str, Any] = {"products": ETH, "fees": "0/5", "queue": "back,share,front", "engine": engine}
    given["sweep"] = {"half_spread": ("0.5bps", "2bps"), "skew": ("0.5", 1)}
    compiled = importlib.import_module("booktape.examples.compiled_market_making").market_maker
    python = importlib.import_module("booktape.examples.market_making").MarketMaker
    found, expected = (bt.open("sample:").backtest(each, end="+60s", **given) for each in (compiled, python))
    assert found.document()["execution_digest"] == expected.document()["execution_digest"]
    assert sum(row.fills for row in found.rows) > 100


def test_a_compiled_strategy_in_several_processes() -> None:
    """Each process compiles it, or finds its code; the result is that of one process."""
    name = "booktape.examples.compiled_market_making:market_maker"
    one, two = (
        bt.open("sample:").backtest(name, end="+10s", engine="compiled", processes=number)
        for number in (1, 2)
    )
    assert one.document()["rows"] == two.document()["rows"]


def test_momentum() -> None:
    """It only takes, holds no more than its size, and a longer hold means fewer orders."""
    module = importlib.import_module("booktape.examples.momentum")
    document = json_of(*command_of(module))
    for row in document["rows"]:
        assert row["fills"] == row["fills_taker"] > 0
        assert max(row["position_max"], -row["position_min"]) <= 0.05
    orders = {tuple(document["settings"][row["setting"]].values()): row["orders"] for row in document["rows"]}
    assert orders["0.5", "2s"] > orders["0.5", "5s"]


def test_signals(capsys: pytest.CaptureFixture[str]) -> None:
    """Signals know nothing later: those of a part of the tape are the first of those of the whole."""
    pytest.importorskip("polars")
    module = importlib.import_module("booktape.examples.signals")
    whole = module.signals(bt.open("sample:"), ETH, "500ms", "2s", "0.05")
    times = whole["time"].to_list()
    assert times == sorted(times)
    half = bt.open("sample:").summaries(ETH, end=times[6])
    part = module.signals(_Part(half), ETH, "500ms", "2s", "0.05")
    assert part.equals(whole[:6])
    module.main("sample:", ETH)
    assert "fast" in capsys.readouterr().out


class _Part:
    """A tape that ends early."""

    def __init__(self, summaries: object) -> None:
        self._summaries = summaries

    def summaries(self, product: str) -> object:  # noqa: ARG002  the interface
        """Return them."""
        return self._summaries


def test_the_docs_link_every_example() -> None:
    """An example that no page names helps nobody."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    names = {path.name for path in (ROOT / "booktape" / "examples").glob("[a-z]*.py")}
    assert [name for name in sorted(names) if f"(../booktape/examples/{name})" not in pages] == []
