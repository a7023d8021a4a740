"""`booktape demo`."""

from pathlib import Path

import click


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of the synthetic market.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="TAPE", help="Keep the tape here.")
def demo(seed: int, output: Path | None) -> None:
    """Show all of it, offline, in under a minute: record, verify, replay, compare.

    A small exchange of our own on this machine serves a synthetic market; nothing of it is real.
    """
    from replay.demo import run_demo

    run_demo(seed, output)
