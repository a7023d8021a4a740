"""A search: batches of settings that Optuna chooses, each one pass over the tapes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orderbook.display import plural
from orderbook.engine import Engine
from orderbook.errors import OptionError
from orderbook.execution.settings import ProductRules
from orderbook.execution.sweeps import Numbers, Space
from orderbook.times import format_time
from recorder.runtime.loading import engine_for
from recorder.settings import EngineName
from recorder.tape.overview import overview
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from replay.running.window import Window
from replay.simulation.api import backtest
from replay.simulation.columns import flat_row
from replay.simulation.documents import SearchDocument
from replay.simulation.parts import BacktestPart
from replay.simulation.results import Backtest
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import BacktestSettings, named
from replay.simulation.studies import Study, Trial, TrialResult
from replay.simulation.study_place import StudyPlace

T = TypeVar("T", BacktestRow, BacktestPart)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is searched.

    Attributes:
        trials: number of trials to run.
        space: what each setting is chosen from, by name.
        choose: the column of a backtest that is to be large.
        place: where the trials are kept; None if nowhere.
    """

    trials: int
    space: Mapping[str, Space]
    choose: str = "net"
    place: StudyPlace | None = None


def search(
    tapes: Sequence[Tape],
    settings: BacktestSettings,
    plan: SearchPlan,
    *,
    engine: Engine | EngineName = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Run trials of settings over tapes, and return all trials of the study as one backtest.

    A setting that was tried before is not run again, and is there once.

    Args:
        tapes: the tapes.
        settings: what is run; its only setting holds what is not searched.
        plan: what is searched.
        engine: runs the books and the exchange; all give the same results.
        progress: called before each batch with the trials so far, and the number of trials.

    Raises:
        OptionError: if Optuna is not installed, the study is of something else, or there are several products
            or lanes to choose by.
        TapeError, StrategyError, EngineError, InterruptedRunError: as `backtest`.
    """
    started = time.perf_counter()
    product = _product(tapes, settings, plan)
    (fixed,) = settings.settings
    study = Study(plan.space, settings.lane.seed, plan.place, _identity(tapes, product, settings, plan))
    work = plan.trials * sum(each.sealed_work((product,)) for each in tapes)
    engine = engine_for(work, engine, executes=True)
    found = {_key(each.values): each for each in study.past}
    digests: tuple[tuple[Path, str], ...] = ()
    done = 0
    while done < plan.trials:
        if progress is not None:
            progress(done, plan.trials)
        asked = study.ask(plan.trials - done)
        new = list({key: each for each in asked if (key := _key(each)) not in found}.values())
        if new or not digests:
            run = replace(settings, settings=tuple({**fixed, **each} for each in new or asked[:1]))
            result = backtest(tapes, run, keep=False, engine=engine)
            digests = result.tapes
            found |= {_key(each): _trial(result, number, each, plan) for number, each in enumerate(new)}
            if all(each.value is None for each in found.values()):
                raise OptionError(f"no trial has a value of {plan.choose!r} on this tape", option="choose")
        done += study.tell([found[_key(each)] for each in asked], " ".join(digest for _, digest in digests))
    return Backtest(
        digests,
        replace(settings, settings=tuple({**fixed, **each.values} for each in found.values())),
        _in_order(tapes, (each.result.rows for each in found.values())),
        _in_order(tapes, (each.result.parts for each in found.values())),
        elapsed_s=time.perf_counter() - started,
        search=SearchDocument(
            choose=plan.choose,
            study=None if plan.place is None else str(plan.place),
            trials=study.earlier + done,
            earlier=study.earlier,
        ),
    )


def _trial(result: Backtest, number: int, values: Mapping[str, Any], plan: SearchPlan) -> Trial:
    """Return what has come of a setting of a batch."""
    total = next((row for row in result.totals if row.setting == number), None)
    value = None if total is None else flat_row(total, {})[plan.choose]
    rows = [row for row in result.rows if row.setting == number]
    parts = [part for part in result.parts if part.setting == number]
    return Trial(values, None if value is None else float(value), TrialResult(rows, parts))


def _in_order(tapes: Sequence[Tape], trials: Iterable[list[T]]) -> list[T]:
    """Return rows or parts of trials in the order of a backtest: by tape, then by setting."""
    places = {str(tape.path): place for place, tape in enumerate(tapes)}
    numbered = [
        msgspec.structs.replace(row, setting=number) for number, rows in enumerate(trials) for row in rows
    ]
    return sorted(numbered, key=lambda row: places.get(str(row.tape), len(places)))


def _key(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(repr, values.values()))


def _product(tapes: Sequence[Tape], settings: BacktestSettings, plan: SearchPlan) -> str:
    """Return the product that is searched on; refuse what has not one value a trial, or needs no search."""
    products = {product for tape in tapes for product in tape.select(settings.products)}
    if len(products) > 1:
        raise OptionError(
            f"a search is on one product: name one of {', '.join(sorted(products))}", option="products"
        )
    if len(settings.queues) > 1:
        raise OptionError("a search is under one queue model: name one", option="queue")
    count = prod(map(len, plan.space.values()))
    if count <= plan.trials:
        reason = f"these are {plural(count, 'combination')}: without a search all of them are run"
        raise OptionError(reason, option="search", value=plan.trials)
    return products.pop()


def _identity(
    tapes: Sequence[Tape], product: str, settings: BacktestSettings, plan: SearchPlan
) -> dict[str, str]:
    """Return what all trials of a study have in common, as texts."""
    lane, rules = settings.lane, settings.rules_of.get(product, ProductRules())
    return {
        "tape": "; ".join(_extent(tape.product(product), settings.window) for tape in tapes),
        "strategy": str(settings.name),
        "settings": named(settings.settings[0]),
        "sweep": named({name: _written(space) for name, space in plan.space.items()}),
        "choose": plan.choose,
        "fees": str(lane.fees),
        "latency": str(lane.latency),
        "queue": settings.queues[0],
        "tick and lot": f"{rules.tick}, {rules.lot}",
        "by": str(settings.by),
        **{
            name: str(getattr(lane, name))
            for name in (
                *("report", "seed", "impact", "on_break", "cash", "base", "equity_every"),
                "markouts",
            )
        },
    }


def _extent(tape: ProductTape, window: Window) -> str:
    """Return which part of a tape is traded on: what is recorded after it does not matter."""
    seen = overview(tape)
    if seen.first_time is None or seen.last_time is None:
        return f"{tape.product}, empty"
    first, last = seen.first_time, seen.last_time
    start = first if window.start is None else max(first, window.start)
    end = last if window.end is None else min(last, window.end)
    return f"{tape.product} from {format_time(start)} to {format_time(end)}"


def _written(space: Space) -> str:
    if isinstance(space, Numbers):
        return f"{space.text(0)} to {space.text(len(space) - 1)} by {space.step.normalize():f}"
    return ",".join(map(str, space))
