"""What a recording notes of a strategy that trades, from the settings of a run and back."""

from decimal import Decimal

from orderbook.execution.latency import FeedLatency, FixedLatency, Latency, TableLatency, UniformLatency
from orderbook.execution.numbers import MILLION, MONEY_UNITS, UNITS
from orderbook.execution.options import parse_latency
from orderbook.execution.settings import Fees, LaneSettings, ProductRules
from recorder.installed import software
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.executions import Session
from replay.simulation.settings import BacktestSettings, TraderFactory, plain_settings

_CASH = MONEY_UNITS // UNITS


def session_of(settings: BacktestSettings, product: str, first_seq: int) -> Session:
    """Return what is noted of a run with one setting that begins with a row of a product."""
    lane, rules = settings.lane, settings.rules_of.get(product, ProductRules())
    (values,) = settings.settings
    return Session(
        first_seq,
        settings.name or "",
        plain_settings(values),
        settings.queues,
        (lane.fees.maker, lane.fees.taker),
        _written(lane.latency),
        lane.report,
        lane.seed,
        lane.impact,
        lane.on_break,
        rules.tick,
        rules.lot,
        None if lane.cash is None else lane.cash // _CASH,
        lane.base,
        software(),
    )


def settings_of(session: Session, product: str, make: TraderFactory) -> BacktestSettings:
    """Return the settings of a run that repeats a session.

    Raises:
        DamagedTapeError: if they are none: the line was not written by a recording.
    """
    try:
        latency = session.latency
        lane = LaneSettings(
            fees=Fees(*session.fees),
            latency=parse_latency(latency) if isinstance(latency, str) else TableLatency(latency),
            report=session.report,
            seed=session.seed,
            cash=None if session.cash is None else session.cash * _CASH,
            base=session.base,
            impact=session.impact,
            on_break=session.on_break,
        )
    except ValueError as error:
        raise DamagedTapeError(f"{product}: the settings of strategy {session.strategy}: {error}") from None
    return BacktestSettings(
        make,
        session.strategy,
        (session.settings,),
        session.queues,
        lane,
        rules_of={product: ProductRules(session.tick, session.lot)},
        products=(product,),
    )


def _written(latency: Latency) -> str | tuple[int, ...]:
    match latency:
        case FixedLatency(ns):
            return f"{ns}ns"
        case UniformLatency(low, high):
            return f"uniform:{low}ns:{high}ns"
        case FeedLatency(base, factor):
            return f"feed:{base}ns:{Decimal(factor) / MILLION:f}"
        case TableLatency(table):
            return table
    raise AssertionError(latency)
