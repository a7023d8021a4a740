"""What the processes of a pool do in tests: a module that imports little, as each of them imports it."""

import os

from orderbook.errors import BooktapeError
from replay.processes.pool import WorkerPool
from replay.processes.starting import LostProcessError
from replay.processes.worker import WaitForStart


def number_and_start(number: int, wait_for_start: WaitForStart) -> tuple[int, int]:
    """Return the number of a part and its start."""
    return number, wait_for_start()


def fail_or_die(number: int, wait_for_start: WaitForStart) -> int:
    """Fail, die, or wait for the others."""
    if number == 1:
        raise BooktapeError("the first")
    if number == 2:
        os._exit(7)
    return wait_for_start()


def variable(name: str, _wait_for_start: WaitForStart) -> str | None:
    """Return a variable of the environment."""
    return os.environ.get(name)


def why_no_pool() -> str:
    """Return why this process cannot start others."""
    try:
        with WorkerPool(variable, 1, "plain") as pool:
            pool.run(["HOME"])
    except LostProcessError as error:
        return str(error)
    return ""
