"""A tape of the order book: record Coinbase level2, replay it exactly, compare spread thresholds.

import booktape as bt
tape = bt.open("sample:")                      # a tape that booktape comes with
tape.summaries("BTC-USD", start="+5m")         # best bid and ask after every frame, an Arrow table
tape.compare("1bps:20bps:1bps").to_pandas()    # what each threshold of the spread filter lets pass

Everything is loaded on first use. Every error that a user can act on is a `BooktapeError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orderbook.notebook import show_by

if TYPE_CHECKING:
    from booktape.backtesting import backtest as backtest
    from booktape.comparing import compare as compare
    from booktape.comparing import diff as diff
    from booktape.demo import DemoError as DemoError
    from booktape.execution import Execution as Execution
    from booktape.exporting import export as export
    from booktape.fleets import fleet as fleet
    from booktape.fleets import run_fleet as run_fleet
    from booktape.fleets import write_services as write_services
    from booktape.importing import import_ as import_
    from booktape.live_feed import flow as flow
    from booktape.live_feed import live as live
    from booktape.merging import merge as merge
    from booktape.recording import record as record
    from booktape.searching import search as search
    from booktape.strategy_check import check as check
    from booktape.tape import Tape as Tape
    from booktape.tape import open as open  # noqa: A004
    from booktape.viewing import view as view
    from booktape.walking import walk_forward as walk_forward
    from orderbook.book import OrderBookState as OrderBookState
    from orderbook.errors import BooktapeError as BooktapeError
    from orderbook.errors import OptionError as OptionError
    from orderbook.errors import StepError as StepError
    from orderbook.errors import ThresholdError as ThresholdError
    from orderbook.errors import TimeError as TimeError
    from orderbook.errors import UnknownVenueError as UnknownVenueError
    from orderbook.execution.compiled_strategy import compiled as compiled
    from orderbook.execution.market_view import MarketView as MarketView
    from orderbook.execution.params import Setting as Setting
    from orderbook.execution.wakes import Wakes as Wakes
    from orderbook.strategy import Strategy as Strategy
    from orderbook.strategy import StrategyError as StrategyError
    from orderbook.summaries import OrderBookSummary as OrderBookSummary
    from recorder.captures.formats import CaptureError as CaptureError
    from recorder.dataflow.sources import CoinbaseSource as CoinbaseSource
    from recorder.fleet.plan import Fleet as Fleet
    from recorder.fleet.plan import FleetError as FleetError
    from recorder.installed import sample as sample
    from recorder.live.endpoint import FeedError as FeedError
    from recorder.monitor.metrics import MetricsError as MetricsError
    from recorder.results import Recorded as Recorded
    from recorder.runtime.loading import EngineError as EngineError
    from recorder.runtime.loading import compile_engine as compile_engine
    from recorder.runtime.signals import InterruptedRunError as InterruptedRunError
    from recorder.tape.errors import DamagedTapeError as DamagedTapeError
    from recorder.tape.errors import LockedTapeError as LockedTapeError
    from recorder.tape.errors import NewerTapeError as NewerTapeError
    from recorder.tape.errors import NotATapeError as NotATapeError
    from recorder.tape.errors import RemovedRowsError as RemovedRowsError
    from recorder.tape.errors import ShippingError as ShippingError
    from recorder.tape.errors import StoreError as StoreError
    from recorder.tape.errors import TapeError as TapeError
    from recorder.tape.errors import UnknownProductError as UnknownProductError
    from replay.checking.diff.api import DiffError as DiffError
    from replay.checking.diff.results import Diff as Diff
    from replay.checking.inspect import Inspection as Inspection
    from replay.checking.ladder import Ladder as Ladder
    from replay.checking.ladder import NoBookError as NoBookError
    from replay.checking.verification import Verification as Verification
    from replay.comparing.results import Comparison as Comparison
    from replay.export.results import Exported as Exported
    from replay.merging.results import Merged as Merged
    from replay.processes.starting import LostProcessError as LostProcessError
    from replay.report.render import ReportError as ReportError
    from replay.run_dir.writer import RunError as RunError
    from replay.running.results import RunResult as RunResult
    from replay.running.window import EmptyWindowError as EmptyWindowError
    from replay.serving.served_tape import ServeError as ServeError
    from replay.simulation.results import Backtest as Backtest
    from replay.simulation.walk_results import WalkForward as WalkForward
    from replay.viewing.reading import ViewError as ViewError

    __version__: str

_MODULES = {
    "booktape.backtesting": ("backtest",),
    "booktape.comparing": ("compare", "diff"),
    "booktape.demo": ("DemoError",),
    "booktape.execution": ("Execution",),
    "booktape.exporting": ("export",),
    "booktape.fleets": ("fleet", "run_fleet", "write_services"),
    "booktape.importing": ("import_",),
    "booktape.merging": ("merge",),
    "booktape.live_feed": ("flow", "live"),
    "booktape.recording": ("record",),
    "booktape.searching": ("search",),
    "booktape.strategy_check": ("check",),
    "booktape.tape": ("Tape", "open"),
    "booktape.viewing": ("view",),
    "booktape.walking": ("walk_forward",),
    "orderbook.book": ("OrderBookState",),
    "orderbook.errors": (
        *("BooktapeError", "OptionError", "StepError", "ThresholdError", "TimeError"),
        "UnknownVenueError",
    ),
    "orderbook.execution.compiled_strategy": ("compiled",),
    "orderbook.execution.market_view": ("MarketView",),
    "orderbook.execution.params": ("Setting",),
    "orderbook.execution.wakes": ("Wakes",),
    "orderbook.strategy": ("Strategy", "StrategyError"),
    "orderbook.summaries": ("OrderBookSummary",),
    "recorder.captures.formats": ("CaptureError",),
    "recorder.dataflow.sources": ("CoinbaseSource",),
    "recorder.fleet.plan": ("Fleet", "FleetError"),
    "recorder.live.endpoint": ("FeedError",),
    "recorder.results": ("Recorded",),
    "recorder.runtime.loading": ("EngineError", "compile_engine"),
    "recorder.monitor.metrics": ("MetricsError",),
    "recorder.runtime.signals": ("InterruptedRunError",),
    "recorder.tape.errors": (
        *("DamagedTapeError", "LockedTapeError", "NewerTapeError", "NotATapeError"),
        *("RemovedRowsError", "ShippingError", "StoreError"),
        *("TapeError", "UnknownProductError"),
    ),
    "recorder.installed": ("sample",),
    "replay.checking.ladder": ("Ladder", "NoBookError"),
    "replay.checking.diff.api": ("DiffError",),
    "replay.checking.diff.results": ("Diff",),
    "replay.checking.inspect": ("Inspection",),
    "replay.checking.verification": ("Verification",),
    "replay.comparing.results": ("Comparison",),
    "replay.export.results": ("Exported",),
    "replay.merging.results": ("Merged",),
    "replay.report.render": ("ReportError",),
    "replay.run_dir.writer": ("RunError",),
    "replay.running.results": ("RunResult",),
    "replay.running.window": ("EmptyWindowError",),
    "replay.serving.served_tape": ("ServeError",),
    "replay.simulation.results": ("Backtest",),
    "replay.simulation.walk_results": ("WalkForward",),
    "replay.viewing.reading": ("ViewError",),
    "replay.processes.starting": ("LostProcessError",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted([*_HOMES, "__version__"])  # noqa: PLE0605  the names above, a second time for type checkers


def __getattr__(name: str) -> Any:
    """Load a name on its first use: `import booktape` waits for neither Arrow nor Bytewax."""
    if name == "__version__":
        from recorder.installed import software_version

        return software_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def _html_of(result: Any) -> str:
    from booktape.console.notebook import html_of

    return html_of(result)


show_by(_html_of)


def __dir__() -> list[str]:
    return list(__all__)
