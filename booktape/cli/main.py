"""The `booktape` command: all its subcommands, and how an error ends it."""

import os
import sys
import traceback
from collections import UserDict
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import booktape
from booktape.cli.options import param_of
from booktape.console import streams
from booktape.console.streams import never_fail
from orderbook.errors import BooktapeError, OptionError, explain
from recorder.runtime.signals import ignore_repeats


class _CommandsByName(UserDict[str, Any]):
    """The commands by name, in the order in which one meets them, given as module and function.

    The module of a command is imported when it is asked for.
    """

    def __getitem__(self, name: str) -> click.Command:
        module, _, function = super().__getitem__(name).partition(":")
        command: click.Command = getattr(import_module(f"booktape.cli.{module}"), function)
        return command


class _Commands(click.Group):
    """Ends a command by an error that is meant for the user: with one line, and exit code 1 or 2."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:  # click would say "Aborted!"
            raise click.ClickException("interrupted") from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise self._usage_error(ctx, error) from None
        except BooktapeError as error:
            if os.environ.get("BOOKTAPE_TRACEBACK") and error.__cause__ is not None:
                raise  # it was raised by code of the user
            raise click.ClickException(_printable(str(error))) from None
        except KeyboardInterrupt:
            raise click.ClickException("interrupted") from None
        except EOFError as error:  # click would take it for Ctrl-D
            if os.environ.get("BOOKTAPE_TRACEBACK"):
                traceback.print_exception(error)
            raise click.ClickException(explain(error)) from error

    def _usage_error(self, ctx: click.Context, error: OptionError) -> click.UsageError:
        """Return the error under the name of the option that passed the argument."""
        command = self.commands[ctx.invoked_subcommand or ""]
        within = click.Context(command, ctx, command.name)
        param = param_of(command, error.option)
        if param is None:
            return click.UsageError(_printable(str(error)), within)
        return click.BadParameter(_printable(error.reason), within, param)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click
        return list(self.commands)  # in the order in which one meets them


def _printable(text: str) -> str:
    """Return an error on one line, control characters escaped: it may quote a file or an exchange."""
    try:
        from orderbook.display import printable
    except (ImportError, OSError):  # no more files can be opened
        return " ".join(text.split())
    return printable(text, len(text))


def _show_version(ctx: click.Context, _option: click.Parameter, is_set: bool) -> None:
    if is_set:
        click.echo(f"booktape, version {booktape.__version__}")
        ctx.exit()


@click.group(
    cls=_Commands,
    commands=_CommandsByName(
        {
            "record": "record:record",
            "live": "live:live",
            "import": "import_:import_",
            "merge": "merge:merge",
            "compact": "checking:compact",
            "ship": "ship:ship",
            "replay": "replay:replay",
            "compare": "compare:compare",
            "backtest": "backtest:backtest",
            "inspect": "checking:inspect",
            "book": "checking:book",
            "verify": "checking:verify",
            "index": "checking:index",
            "prepare": "checking:prepare",
            "diff": "checking:diff",
            "export": "export:export",
            "serve": "serve:serve",
            "view": "view:view",
            "fleet": "fleet:fleet",
            "compile": "compile_:compile_",
            "demo": "demo:demo",
        }
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
def cli() -> None:
    """A tape of the order book: record Coinbase level2, replay it exactly, compare spread thresholds.

    Begin with `booktape demo`: it needs no network and no tape. TAPE is a directory; `sample:` is a tape that
    booktape comes with.

    \b
    Tab completion for bash (zsh and fish: bash_source becomes zsh_source or fish_source):
      eval "$(_BOOKTAPE_COMPLETE=bash_source booktape)"
    """  # noqa: D301  click keeps the lines below a backspace as they are


def main() -> None:
    """Run the command line; the console script calls it by way of `booktape.__main__`."""
    # With this set, to anything, bytewax opens a port on all interfaces.
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)
    _open_streams()
    try:
        try:
            cli.main(prog_name="booktape")
        finally:
            ignore_repeats()
            streams.finish_output()  # or Python does it at exit, and reports a failure in its own words
    except BrokenPipeError:  # the reader of the output has closed it, like `head`
        _drop_output()
        sys.exit(1)
    except Exception as error:
        _drop_output()
        if os.environ.get("BOOKTAPE_TRACEBACK"):
            raise
        with suppress(OSError):  # stderr is closed or full, too
            click.echo(f"Error: {_printable(explain(error))}", err=True)
        sys.exit(1)
    finally:
        streams.finish()


def _open_streams() -> None:
    """Open the streams that our parent closed, and let no character fail that they cannot encode.

    A plain one or an escape stands for it; bytes of a name that are not UTF-8 are shown from udc80 to udcff.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open to the end
        never_fail(getattr(sys, name))
        streams.name_errors(getattr(sys, name), name)


def _drop_output() -> None:
    """Discard what could not be printed, or Python tries again at exit."""
    with suppress(OSError):  # no more files can be opened
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
