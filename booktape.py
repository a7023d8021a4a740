"""The front door: the `booktape` command, made of the recorder's and the replay's commands."""

import os
import signal
import sys

import click

from orderbook.errors import BooktapeError
from recorder.cli import COMMANDS as RECORDER_COMMANDS
from recorder.version import software_version
from replay.cli import COMMANDS as REPLAY_COMMANDS


class _Commands(click.Group):
    """Turns every error that is meant for the user into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BooktapeError as error:
            if os.environ.get("BOOKTAPE_TRACEBACK") and error.__cause__ is not None:
                raise  # it was made of another: of code of the user's own
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            raise click.ClickException("interrupted") from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click
        return list(self.commands)  # in the order in which one meets them


@click.group(
    cls=_Commands,
    commands=[*RECORDER_COMMANDS, *REPLAY_COMMANDS],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(software_version(), prog_name="booktape")
def cli() -> None:
    """A tape of the order book: record Coinbase level2, replay it exactly, compare spread thresholds.

    Begin with `booktape demo`: it needs no network and no tape.
    """


def main() -> None:
    """Run the command line; the console script."""
    # A command that has no way of its own to end ends as by Ctrl-C: with one line.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # With this set, to anything, bytewax opens a port on all interfaces.
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)
    try:
        cli.main(prog_name="booktape")
    except Exception as error:  # a defect of ours: the user gets one line, we get the traceback on demand
        if os.environ.get("BOOKTAPE_TRACEBACK"):
            raise
        text = (str(error).splitlines() or [""])[0]
        click.echo(
            f"Error: unexpected {type(error).__name__}: {text} (BOOKTAPE_TRACEBACK=1 shows where)", err=True
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
