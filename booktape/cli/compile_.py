"""`booktape compile`."""

import click

import booktape
from booktape.cli.options import command


@command("booktape compile", name="compile")
def compile_() -> None:
    """Compile the fast engine now, and keep it: for the image of a container, or before the first recording.

    It is kept where the next start looks for it: under $NUMBA_CACHE_DIR if that is set. Another version of
    booktape or numba, and another kind of processor, compile again.
    """
    click.echo(f"The fast engine is compiled; it is kept in {booktape.compile_engine()}")
