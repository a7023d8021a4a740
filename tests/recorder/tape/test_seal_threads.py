"""Seals on threads: in order within a product, none waits for another product's, a failure ends all."""

import threading

import pytest

from recorder.tape.seal_threads import SealThreads


def test_products_do_not_wait_for_one_another() -> None:
    """While a seal of one product waits for its disk, another's are made; its own come after it, in order."""
    failures: list[Exception] = []
    seals = SealThreads(failures.append)
    blocked, others = threading.Event(), threading.Event()
    sealed: list[tuple[str, int]] = []

    def slow() -> None:
        assert blocked.wait(60)
        sealed.append(("slow", 0))

    seals.submit("slow", slow)
    seals.submit("slow", lambda: sealed.append(("slow", 1)))
    for number in range(20):
        seals.submit("quick", lambda number=number: sealed.append(("quick", number)))  # type: ignore[misc]  # a default binds it
    seals.submit("quick", others.set)
    assert others.wait(60)
    assert sealed == [("quick", number) for number in range(20)]
    blocked.set()
    seals.join()
    assert sealed[20:] == [("slow", 0), ("slow", 1)]
    assert not failures


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a defect")])
def test_after_a_failure_nothing_is_sealed(error: Exception) -> None:
    """A failure is reported once; no later segment is listed, so that none follows one that is missing."""
    failures: list[Exception] = []
    seals = SealThreads(failures.append)
    sealed: list[int] = []

    def fail() -> None:
        raise error

    seals.submit("a", lambda: sealed.append(0))
    seals.submit("a", fail)
    for number in range(1, 5):
        seals.submit("a", lambda number=number: sealed.append(number))  # type: ignore[misc]  # a default binds it
    seals.join()
    assert failures == [error]
    assert sealed == [0]
