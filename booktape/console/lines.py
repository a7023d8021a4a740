"""Lines that are printed as they happen: summaries, and the rows of a strategy."""

import click
import pyarrow as pa

from orderbook.display import row_lines, summary_line, summary_rows


def echo_summaries(product: str, summaries: pa.RecordBatch, *, to_stderr: bool) -> None:
    """Print summaries."""
    for row in summary_rows(summaries):
        click.echo(summary_line(product, row), err=to_stderr)


def echo_rows(product: str, rows: pa.RecordBatch, *, to_stderr: bool) -> None:
    """Print rows of a strategy."""
    for line in row_lines(product, rows):
        click.echo(line, err=to_stderr)
