"""`booktape.open`: a tape, and everything that can be asked of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from html import escape
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from booktape import arguments
from booktape.arguments import ProductsLike, SpeedLike
from booktape.backtesting import backtest as backtest_tape
from booktape.checking import compact as compact_tape
from booktape.checking import index as index_tape
from booktape.checking import inspect as inspect_tape
from booktape.checking import prepare as prepare_tape
from booktape.checking import verify as verify_tape
from booktape.comparing import compare as compare_tapes
from booktape.exporting import export as export_tape
from booktape.paths import PathLike, tape_path
from booktape.replaying import replay as replay_tape
from booktape.searching import search as search_on
from booktape.serving import serve as serve_tape
from booktape.shipping import ship as ship_tape
from booktape.viewing import view as view_tape
from booktape.walking import walk_forward as walk_forward_on
from booktape.windows import time_on
from booktape.windows import window as window_on
from orderbook.errors import BooktapeError
from orderbook.time_input import DurationLike, TimeLike
from recorder.settings import EngineName

if TYPE_CHECKING:
    import pyarrow as pa

    from orderbook.dataflow.streams import Streams
    from orderbook.engine import Engine
    from recorder.tape.reader import Tape as StoredTape
    from replay.checking.ladder import Ladder


F = TypeVar("F", bound=Callable[..., Any])


def open(path: PathLike) -> Tape:  # noqa: A001  as `gzip.open`: it is called booktape.open
    """Open a tape to read it, also while it is being recorded.

    Args:
        path: the tape's directory; `sample:` is the tape that booktape comes with.

    Raises:
        TapeError: if there is no tape, or its format is newer than this version of booktape.
    """
    return Tape(path)


def _method(function: F) -> F:
    """Return a function of a tape as a method of `Tape`, whose help names its first argument `self`."""

    @wraps(function)
    def method(self: Tape, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    known = signature(function)
    first, *others = known.parameters.values()
    receiver = first.replace(name="self", annotation=Parameter.empty)
    vars(method)["__signature__"] = known.replace(parameters=[receiver, *others])
    documented = re.sub(rf"\n +{first.name}: .*", "", function.__doc__ or "")
    method.__doc__ = re.sub(r"\n\n +Args:(?=\n\n)", "", documented)  # none is left
    return cast("F", method)


class Tape:
    """A tape to read. It holds no open file, and every call sees the rows that are there by then.

    Args:
        path: the tape's directory; `sample:` is the tape that booktape comes with.

    Raises:
        TapeError: if there is no tape, or its format is newer than this version of booktape.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = tape_path(path)
        self._open([])  # `verify` names what is missing, all else refuses it

    def _open(self, problems: list[str] | None = None) -> StoredTape:
        """Return the stored tape with the products that it has by now."""
        from recorder.tape.reader import Tape as StoredTape

        return StoredTape.open(self._path, problems)

    @property
    def path(self) -> Path:
        """The tape's directory."""
        return self._path

    @property
    def products(self) -> tuple[str, ...]:
        """The product ids, sorted."""
        return self._open().select(())

    @property
    def feed(self) -> str:
        """The feed that was recorded: `exchange` or `advanced`."""
        return self._open().feed

    def __fspath__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        try:
            return f"<Tape {self.inspect().summary()}>"
        except BooktapeError as error:
            return f"<Tape {error}>"

    def _repr_html_(self) -> str | None:
        try:
            return self.inspect()._repr_html_()
        except BooktapeError as error:  # a notebook shows it in place of the table
            return f"<p>{escape(str(error))}</p>"

    def rows(self, product: str, *, start: TimeLike | None = None, end: TimeLike | None = None) -> pa.Table:
        """Return the rows of a product as recorded: every frame, and where connections begin and end.

        Args:
            product: product id.
            start: first time to return, inclusive.
            end: last time to return, exclusive.

        Raises:
            OptionError: if a time cannot be read, or no row is in the window.
            TapeError: if the tape cannot be read or has no such product.
        """
        from replay.running.tables import rows_in

        stored = self._open()
        name = arguments.text_of(product, "product", "BTC-USD")
        return rows_in(stored, name, window_on(stored, start, end, (name,)))

    def summaries(
        self,
        product: str,
        *,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        engine: Engine | EngineName = "auto",
    ) -> pa.Table:
        """Return the best bid and ask of a product after every frame that changed its book.

        Args:
            product: product id.
            start: first time to return, inclusive; rows before it build the book.
            end: last time to return, exclusive.
            engine: what runs the book; all give the same summaries.

        Raises:
            OptionError: if a time cannot be read, or no row is in the window.
            TapeError: if the tape cannot be read or has no such product.
        """
        from replay.running.tables import summaries_in

        engine = arguments.engine_of(engine)
        stored = self._open()
        name = arguments.text_of(product, "product", "BTC-USD")
        return summaries_in(stored, name, window_on(stored, start, end, (name,)), engine)

    def trades(self, product: str, *, start: TimeLike | None = None, end: TimeLike | None = None) -> pa.Table:
        """Return the trades of others in a product, if the tape has its trades channel.

        `maker_side` is the side of the book that was hit: `ask` means that a buyer took. `is_history` marks
        trades from before the subscription.

        Args:
            product: product id.
            start: first time to return, inclusive.
            end: last time to return, exclusive.

        Raises:
            OptionError: if a time cannot be read, or no row is in the window.
            TapeError: if the tape cannot be read or has no such product.
        """
        from replay.running.tables import trades_in

        stored = self._open()
        name = arguments.text_of(product, "product", "BTC-USD")
        return trades_in(stored, name, window_on(stored, start, end, (name,)))

    def book(
        self, product: str, at: TimeLike, *, depth: int = 10, engine: Engine | EngineName = "auto"
    ) -> Ladder:
        """Return the order book of a product at a time (inclusive).

        Args:
            product: product id.
            at: the time.
            depth: levels a side at most.
            engine: what runs the book; all give the same levels.

        Raises:
            OptionError: if the time or the depth cannot be used.
            NoBookError: if no book is known at that time.
            TapeError: if the tape cannot be read or has no such product.
        """
        from replay.checking.ladder import book_at

        depth = arguments.whole_number(depth, "depth", 1)
        stored = self._open()
        time = time_on(stored, at, "at")
        name = arguments.text_of(product, "product", "BTC-USD")
        return book_at(stored, name, time, depth, arguments.engine_of(engine))

    replay = _method(replay_tape)
    compare = _method(compare_tapes)
    backtest = _method(backtest_tape)
    walk_forward = _method(walk_forward_on)
    search = _method(search_on)
    verify = _method(verify_tape)
    inspect = _method(inspect_tape)
    index = _method(index_tape)
    prepare = _method(prepare_tape)
    compact = _method(compact_tape)
    export = _method(export_tape)
    ship = _method(ship_tape)
    serve = _method(serve_tape)
    view = _method(view_tape)

    def flow(
        self,
        *,
        products: ProductsLike | None = None,
        start: TimeLike | None = None,
        end: TimeLike | None = None,
        speed: SpeedLike = "max",
        idle_limit: DurationLike | None = None,
        engine: Engine | EngineName = "auto",
        workers: int = 1,
    ) -> Streams:
        """Return the streams of the tape as a Bytewax dataflow, to put your own operators behind.

        Args:
            products: product ids; None for all of the tape.
            start: first time to report, inclusive; rows before it build the book.
            end: last time to report, exclusive.
            speed: 1 is the original timing, 10 ten times faster, `max` as fast as possible.
            idle_limit: shorten recorded silences to this duration; needs a `speed`.
            engine: what runs the books; all give the same results.
            workers: of a cluster of Bytewax (`-i/-a`, `-w`), how many it has in all: the products are spread
                evenly over them. Keys of the streams are then the product and a number, `BTC-USD#3`.

        Raises:
            OptionError: if an argument cannot be used.
            TapeError: if the tape cannot be read or has no such product.
        """
        from replay.dataflow.flows import flow
        from replay.running.settings import ReplaySettings

        stored, names = self._open(), arguments.products_of(products)
        settings = ReplaySettings(
            names,
            arguments.speed_of(speed),
            arguments.optional_seconds(idle_limit, "idle_limit"),
            window=window_on(stored, start, end, names),
        )
        workers = arguments.cluster_workers(workers)
        return flow(stored, settings, arguments.engine_of(engine), workers=workers)
