"""`booktape fleet`."""

from pathlib import Path

import click

import booktape
from booktape.cli.options import command, json_option, option
from booktape.fleets import fleet as read_plan
from booktape.fleets import write_services

_PATH = click.Path(path_type=Path)


@command("booktape fleet fleet.toml --host rec-a -o services")
@click.argument("file", type=_PATH, metavar="FILE.toml")
@option(read_plan, "host", "--host", metavar="HOST", help="Only the recorders of this machine.")
@click.option(
    "-o",
    "--output",
    "directory",
    type=_PATH,
    metavar="DIRECTORY",
    help="Write systemd units and a docker compose file for each host into this new directory.",
)
@click.option("--run", "runs", is_flag=True, help="Run the recorders of this machine, until stopped.")
@json_option
def fleet(file: Path, host: str | None, directory: Path | None, runs: bool, as_json: bool) -> None:
    """Check a plan of recorders, and print it: who records which products, where, into which tape.

    FILE.toml has a table [recorder.NAME] for each: `products`, and what else `booktape record` is told, by
    the same names; [all] holds for all of them. A recorder with two `hosts` is a standby pair: two tapes of
    the same products.

    --run starts each recorder in a process of its own, starts again what ends, and prints what they log after
    their names. For machines that start by themselves, use the services that -o writes.
    """
    from booktape.console.fleet import print_fleet
    from booktape.console.streams import drop_when_blocked
    from booktape.console.terminal import print_result

    plan = booktape.fleet(file, host=host)
    if runs and as_json:
        raise click.UsageError("--run and --json exclude each other")
    if directory is not None:
        for path in write_services(plan, directory):
            click.echo(f"Wrote {path}", err=True)
    if not runs:
        print_result(plan, print_fleet, as_json=as_json)
        return
    drop_when_blocked()
    booktape.run_fleet(plan, lambda name, line: click.echo(f"{name} | {line}", err=True))
