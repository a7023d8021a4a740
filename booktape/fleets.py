"""`fleet`: read the file of a fleet, and write or run its plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.paths import PathLike, output_path, path_of

if TYPE_CHECKING:
    from recorder.fleet.plan import Fleet


def fleet(file: PathLike, *, host: str | None = None) -> Fleet:
    """Read and check a plan of recorders: who records what, on which machine, into which tape.

    Args:
        file: a TOML file, as docs/operate.md explains it.
        host: only the part of this machine; None for all.

    Raises:
        FleetError: if it cannot be read, has what no plan has, or contradicts itself.
    """
    from booktape.fleet_file import DEFAULT_HOST, read_fleet

    plan = read_fleet(path_of(file, "file"))
    return plan if host is None else plan.on(arguments.text_of(host, "host", DEFAULT_HOST))


def write_services(plan: Fleet, directory: PathLike) -> tuple[Path, ...]:
    """Write systemd units and a docker compose file for each host of a plan, whole or not at all.

    Args:
        plan: what `fleet` has read.
        directory: a new directory; it gets one of each host.

    Returns:
        The paths of the files.

    Raises:
        FleetError: if the directory exists, or cannot be written.
    """
    from recorder.fleet.plan import FleetError
    from recorder.fleet.services import service_files
    from replay.run_dir.unfinished import release, unfinished_directory

    target = output_path(directory, "directory")
    if target.exists():
        raise FleetError(f"{target} exists; name a new directory, or remove it first")
    files = dict(service_files(plan))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_directory(target) as unfinished:
            for name, text in files.items():
                (unfinished / name).parent.mkdir(exist_ok=True)
                (unfinished / name).write_text(text, encoding="utf-8")
            release(unfinished)
            unfinished.rename(target)
    except OSError as error:
        raise FleetError(f"{target}: {error.strerror}") from None
    return tuple(target / name for name in files)


def run_fleet(plan: Fleet, on_line: Callable[[str, str], None]) -> None:
    """Run the recorders of a plan of one machine until Ctrl-C, SIGTERM or SIGHUP, each a process.

    One that ends before is started again after 5 s. When this returns, all have sealed what they received.

    Args:
        plan: what `fleet` has read, of one host.
        on_line: called with the name of a recorder and a line that it logged, on a thread of its own.

    Raises:
        FleetError: if the plan is of several hosts.
    """
    from recorder.fleet.plan import FleetError
    from recorder.fleet.running import run

    if len(plan.hosts) > 1:
        raise FleetError(f"{plan.file} has several hosts: name this one of {', '.join(plan.hosts)}")
    run(plan.recorders, arguments.function_of(on_line, "on_line"))
