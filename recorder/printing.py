"""What is printed as it happens: summaries, and the rows of a strategy, a line each."""

import click
import pyarrow as pa

from orderbook.strategy import StrategyFactory
from recorder.flows import Show
from recorder.strategies import StrategyRun
from recorder.terminal import row_lines, summary_line, summary_rows


def printed_summaries(threshold: float | None, *, to_stderr: bool) -> Show:
    """Return where the summaries that pass a threshold are printed; None lets all pass."""

    def echo(product: str, summaries: pa.RecordBatch) -> None:
        for row in summary_rows(summaries):
            click.echo(summary_line(product, row), err=to_stderr)

    return Show(threshold, echo)


def printed_strategy(factory: StrategyFactory | None, *, to_stderr: bool) -> StrategyRun | None:
    """Return the run of a strategy whose rows are printed; None where there is no strategy."""

    def echo(product: str, rows: pa.RecordBatch) -> None:
        for line in row_lines(product, rows):
            click.echo(line, err=to_stderr)

    return None if factory is None else StrategyRun(factory, echo)
