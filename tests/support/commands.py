"""Running `booktape`: as a separate process, or inside the test's process."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner, Result

from booktape.cli.main import cli
from tests.support.constants import ROOT, TIMEOUT_S
from tests.support.fork import run_command
from tests.support.running_command import RunningCommand

Json = dict[str, Any]
Running = subprocess.Popen[str] | RunningCommand

_GIVEN_OUT: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def clean_environment() -> dict[str, str]:
    """Return the environment without the variables that change the output or the results.

    The engine is the plain one unless a test asks for another: most processes here see a few hundred frames,
    and importing numba takes longer than all of them.
    """
    unwanted = {
        "ARROW_DEFAULT_MEMORY_POOL",  # set by a recorder that ran in this process
        "BOOKTAPE_TRACEBACK",
        "BYTEWAX_DATAFLOW_API_ENABLED",
        "COLUMNS",
        "FORCE_COLOR",
        "NO_COLOR",
        "PYTHONDONTWRITEBYTECODE",  # each of hundreds of processes would compile all sources
    }
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONPATH": str(ROOT), "BOOKTAPE_ENGINE": "plain"}


def booktape(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `booktape` to its end in a process of its own, which is a fork: that saves all imports."""
    environment = clean_environment() if env is None else env
    assert environment["PYTHONPATH"] == str(ROOT), "a fork has imported its modules: use booktape_process"
    return run_command(list(map(str, arguments)), cwd=cwd, env=environment, timeout=TIMEOUT_S)


def booktape_process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `booktape` to its end as a user starts it; options are those of `subprocess.run`."""
    return _run(["-m", "booktape", *arguments], options)


def python(program: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python process to its end; options are those of `subprocess.run`."""
    return _run(["-c", program, *arguments], options)


def _run(arguments: Sequence[object], options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    options = {"env": clean_environment(), "timeout": TIMEOUT_S, **options}
    if "stdout" not in options:
        options |= {"capture_output": True}
    return subprocess.run([sys.executable, *map(str, arguments)], text=True, check=False, **options)


def invoke(*arguments: object) -> Result:
    """Run a `booktape` command in this process, which is faster; raise what is not a reported error."""
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def json_of(*arguments: object) -> Json:
    """Return the JSON document that a command prints; the exit code must be 0 and stderr empty."""
    done = invoke(*arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    document: Json = json.loads(done.stdout)
    return document


@contextmanager
def running_booktape(
    *arguments: object,
    cwd: Path | None = None,
    file_size: int | None = None,
    descriptors: int | None = None,
    env: Mapping[str, str] | None = None,
    start_new_session: bool = False,
    as_user: bool = False,
) -> Iterator[Running]:
    """Run a `booktape` process while the block runs; kill it if it is still running at the end.

    It is a fork, which saves all imports, if nothing needs a Python of its own.

    Args:
        arguments: of the command line.
        cwd: working directory of the process.
        file_size: largest size in bytes to which the process can extend a file; Python keeps no compiled
            module then, as it would not notice that it wrote a part of it.
        descriptors: most files and sockets that it can have open.
        env: environment of the process; `clean_environment()` by default.
        start_new_session: whether a signal to its group reaches its children, too, and nobody else.
        as_user: whether Python is started, and ended, as its user does it.
    """
    environment = clean_environment() if env is None else env
    words = list(map(str, arguments))
    is_fork = not as_user and file_size is descriptors is None and environment.get("PYTHONPATH") == str(ROOT)
    process: Running
    if is_fork:
        process = RunningCommand(words, cwd=cwd, env=environment, start_new_session=start_new_session)
    else:
        command = _limited(words, file_size, descriptors)
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=start_new_session,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _limited(words: Sequence[str], file_size: int | None, descriptors: int | None) -> list[str]:
    """Return the command of a process with limits."""
    flags = [] if file_size is None else ["-B"]
    command = [sys.executable, *flags, "-m", "booktape", *words]
    for name, soft in (("RLIMIT_FSIZE", file_size), ("RLIMIT_NOFILE", descriptors)):
        if soft is None:
            continue
        limit = f"resource.setrlimit(resource.{name}, ({soft}, resource.getrlimit(resource.{name})[1]))"
        code = f"import os, resource, sys; {limit}; os.execv(sys.executable, sys.argv[1:])"
        command = [sys.executable, "-c", code, *command]
    return command


def end(
    process: Running, by: signal.Signals | None = signal.SIGTERM, code: int | None = 0
) -> tuple[str, str]:
    """Send a process a signal, if any, and return its output when it has ended; None is exit code 0 or 1."""
    if by is not None:
        process.send_signal(by)
    stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode in ((0, 1) if code is None else (code,)), stderr
    assert "Traceback" not in stderr
    return stdout, stderr


def record_process(
    tape: Path, products: Sequence[str], url: str, until: Callable[[], None], *options: str
) -> Json:
    """Record in a process until `until` returns, then stop it by SIGTERM; return the document it printed."""
    with running_booktape("record", *products, "-o", tape, "--url", url, "--json", *options) as process:
        until()
        document: Json = json.loads(end(process)[0])
    return document


def free_ports(number: int) -> list[int]:
    """Return different ports of 127.0.0.1 on which nothing listens, for servers that start later.

    They lie below those that the system gives out, so that no other process is given one meanwhile.
    """
    first = int(_GIVEN_OUT.read_text(encoding="ascii").split()[0])
    chance = random.SystemRandom()  # the other processes of a test run share the seed of `random`
    found: list[int] = []
    while len(found) < number:
        port = chance.randrange(first // 2, first)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found += [port] if port not in found else []
    return found


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that refuses connections, and on which nothing can listen meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens; see `free_ports`."""
    return free_ports(1)[0]
