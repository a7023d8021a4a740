"""The files that a command has written: named on stderr, and a report opened in a browser."""

from pathlib import Path

import click


def name_files(*, output: Path | None, html: Path | None) -> None:
    """Say on stderr which files a command has written, and how large a report is."""
    from orderbook.display import size

    if output is not None:
        click.echo(f"Results in {_on_one_line(output)}", err=True)
    if html is not None:
        click.echo(f"Report in {_on_one_line(html)} ({size(html.stat().st_size)})", err=True)


def refuse_open(html: Path | None, *, opens: bool) -> None:
    """Refuse to open a report that is not written."""
    if opens and html is None:
        raise click.UsageError("--open needs --html: it opens the report")


def open_report(html: Path | None, *, opens: bool) -> None:
    """Open a report in a browser, if that is wanted."""
    import webbrowser

    if opens and html is not None and not webbrowser.open(html.resolve().as_uri()):
        click.echo("No browser could be started: open the report yourself", err=True)


def _on_one_line(path: Path) -> str:
    from orderbook.display import printable

    return printable(str(path), len(str(path)))
