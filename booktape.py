"""The front door: the `booktape` command, made of the recorder's and the replay's commands."""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Final

import click

from orderbook.errors import BooktapeError
from recorder.cli import COMMANDS as RECORDER_COMMANDS
from recorder.version import software_version
from replay.cli import COMMANDS as REPLAY_COMMANDS

_CANNOT_WRITE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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


def _tell_version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    """Tell the version, where that is what was asked for."""
    if asked:
        click.echo(f"booktape, version {software_version()}")
        ctx.exit()


@click.group(
    cls=_Commands,
    commands=[*RECORDER_COMMANDS, *REPLAY_COMMANDS],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_tell_version,
    help="Tell the version.",
)
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
    _open_streams()
    try:
        try:
            cli.main(prog_name="booktape")
        finally:
            sys.stdout.flush()  # else Python does as it ends, and tells of a failure in words of its own
    except BrokenPipeError:  # who read it has seen enough
        _drop_output()
        sys.exit(1)
    except Exception as error:
        _drop_output()
        if os.environ.get("BOOKTAPE_TRACEBACK"):
            raise
        click.echo(f"Error: {_told(error)}", err=True)
        sys.exit(1)


def _told(error: Exception) -> str:
    """Return what the user is told of an error that no command explains."""
    if isinstance(error, OSError) and error.errno in _CANNOT_WRITE:  # commands name the files that they write
        return f"the output cannot be written ({error.strerror})"
    # A defect of ours: the user gets one line, we get the traceback on demand.
    text = (str(error).splitlines() or [""])[0]
    return f"unexpected {type(error).__name__}: {text} (BOOKTAPE_TRACEBACK=1 shows where)"


def _open_streams() -> None:
    """Open the streams that whoever started us closed: what is printed is then for nobody."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  to the end


def _drop_output() -> None:
    """Let what could not be printed go, or Python tries again as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    main()
