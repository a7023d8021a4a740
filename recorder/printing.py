"""What is printed as it happens: summaries, and the rows of a strategy, a line each."""

from functools import partial

import click
import pyarrow as pa

from orderbook.strategy import StrategyFactory
from recorder.flows import Show
from recorder.strategies import StrategyRun
from recorder.terminal import row_lines, summary_line, summary_rows


def echo_summaries(product: str, summaries: pa.RecordBatch, *, to_stderr: bool) -> None:
    """Print summaries."""
    for row in summary_rows(summaries):
        click.echo(summary_line(product, row), err=to_stderr)


def printed_summaries(threshold: float | None, *, to_stderr: bool) -> Show:
    """Return where the summaries that pass a threshold are printed; None lets all pass."""
    return Show(threshold, partial(echo_summaries, to_stderr=to_stderr))


def printed_strategy(factory: StrategyFactory | None, *, to_stderr: bool) -> StrategyRun | None:
    """Return the run of a strategy whose rows are printed; None where there is no strategy."""

    def echo(product: str, rows: pa.RecordBatch) -> None:
        for line in row_lines(product, rows):
            click.echo(line, err=to_stderr)

    return None if factory is None else StrategyRun(factory, echo)
