"""`booktape demo`."""

from pathlib import Path

import click

from booktape.cli.options import command, engine_option
from booktape.cli.param_types import PATH, WholeNumber
from recorder.settings import EngineName


@command("booktape demo --output demo-tape")
@click.option(
    "--seed", type=WholeNumber(0), default=1, show_default=True, help="Seed of the synthetic market."
)
@click.option("-o", "--output", type=PATH, metavar="TAPE", help="Keep the tape here.")
@engine_option
def demo(seed: int, output: Path | None, engine: EngineName) -> None:
    """Show everything once, offline, in half a minute: record, verify, replay, compare.

    A small exchange on this machine serves a synthetic market; none of its prices are real. If numba is
    installed and the engine was never compiled on this machine, that comes first: one or two minutes.
    """
    from booktape.demo import run_demo
    from booktape.paths import optional_output

    run_demo(seed, optional_output(output, "output"), engine)
