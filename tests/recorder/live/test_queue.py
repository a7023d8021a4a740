"""The queue between socket thread and dataflow: in order, bounded, and never a hang."""

import threading
from collections.abc import Callable
from itertools import pairwise

from recorder.live.queue import Received, ReceiveQueue
from tests.support.constants import TIMEOUT_S

FRAME = Received(1, 0, "frame", "x" * 100)


def numbered(number: int) -> Received:
    """Return a frame with its number as text."""
    return Received(number, 0, "frame", str(number))


def test_rows_leave_in_order_by_product() -> None:
    """Rows are popped in order per product, at most `limit` at a time."""
    queue = ReceiveQueue(["A", "B"])
    for number in range(10):
        assert queue.put("A" if number % 3 else "B", numbered(number))
    assert queue.pop("A", 4) == [numbered(each) for each in (1, 2, 4, 5)]
    assert queue.pop("A", 100) == [numbered(7), numbered(8)]
    assert queue.pop("A", 100) == []
    assert queue.pop("B", 100) == [numbered(each) for each in (0, 3, 6, 9)]


def test_frames_beyond_the_bound_are_refused() -> None:
    """A frame that would pass the bound is refused and not queued, for any product, until there is room."""
    queue = ReceiveQueue(["A", "B"], max_bytes=1000)
    accepted = 0
    while queue.put("A", FRAME):
        accepted += 1
    assert 1 <= accepted <= 10
    assert not queue.put("B", FRAME)
    assert 0 < queue.queued_bytes <= 1000
    assert queue.pop("B", 9) == []
    assert len(queue.pop("A", 1)) == 1
    assert queue.put("B", FRAME)
    queue.pop("A", 100)
    queue.pop("B", 100)
    assert queue.queued_bytes == 0


def test_interruptions_always_find_room() -> None:
    """The start and end of a connection are queued even if the queue is full."""
    queue = ReceiveQueue(["A"], max_bytes=300)
    assert queue.put("A", FRAME)
    assert queue.put("A", FRAME)
    assert not queue.put("A", FRAME)
    for kind in ("connected", "disconnected"):
        assert queue.put("A", Received(1, 0, kind, "x" * 100))
    assert [row.kind for row in queue.pop("A", 9)] == ["frame", "frame", "connected", "disconnected"]


def test_a_frame_larger_than_the_bound_can_be_had() -> None:
    """A frame larger than the bound counts half of it, so that it and the next are queued; a third is not."""
    queue = ReceiveQueue(["A", "B"], max_bytes=1000)
    large = FRAME._replace(payload="x" * 5000)
    assert queue.put("B", FRAME)
    assert queue.put("A", large)
    assert queue.put("B", FRAME)
    assert not queue.put("A", large)
    assert queue.queued_bytes == queue.queued_bytes_of("A") + queue.queued_bytes_of("B") > 5000
    queue.pop("B", 2)
    assert queue.put("A", large)
    assert not queue.put("B", FRAME)
    assert queue.pop("A", 2) == [large, large]
    assert queue.queued_bytes == 0
    for _ in range(4):
        assert queue.put("B", FRAME)
    assert not queue.put("B", FRAME)


def test_a_product_is_drained_once_finished_and_empty() -> None:
    """A product is drained only when nothing more comes and nothing waits."""
    queue = ReceiveQueue(["A", "B"])
    queue.put("A", FRAME)
    assert not queue.is_drained("A")
    queue.finish("A")
    assert not queue.is_drained("A")
    queue.pop("A", 1)
    assert queue.is_drained("A")
    assert not queue.is_drained("B")


def test_waiting_ends_with_a_row_of_any_product() -> None:
    """`wait` returns at once if any product has a row, otherwise when one gets a row or finishes."""
    queue = ReceiveQueue(["A", "B"])
    woken = []

    def wait(begun: threading.Event) -> None:
        begun.set()
        queue.wait(60)
        woken.append(True)

    def put() -> None:
        queue.put("B", FRAME)

    def finish() -> None:
        queue.pop("B", 1)
        queue.finish("A")

    for wake in (put, put):
        begun = threading.Event()
        waiter = threading.Thread(target=wait, args=(begun,), daemon=True)
        waiter.start()
        assert begun.wait(TIMEOUT_S)
        wake()
        waiter.join(TIMEOUT_S)
        assert not waiter.is_alive()
    finish()
    assert len(woken) == 2


def test_nothing_is_lost_between_threads() -> None:
    """What one thread puts another one takes, all of it and in order, with a bound in between."""
    queue = ReceiveQueue(["A"], max_bytes=2000)
    number = 5000

    def feed() -> None:
        for each in range(number):
            while not queue.put("A", numbered(each)):
                drained.wait(0.001)
        queue.finish("A")

    drained = threading.Event()
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    taken: list[Received] = []
    while not queue.is_drained("A"):
        taken += queue.pop("A", 7)
        queue.wait(0.01)
    feeder.join(TIMEOUT_S)
    assert len(taken) == number
    assert all(two.recv_time == one.recv_time + 1 for one, two in pairwise(taken))
    assert queue.received_bytes() == {"A": sum(len(str(each)) for each in range(number))}


def waited(queue: ReceiveQueue, meanwhile: Callable[[], object]) -> bool:
    """Do something while a thread gathers for a minute; return whether it had to wait until then."""
    gathered = threading.Event()

    def gather() -> None:
        queue.gather(60)
        gathered.set()

    thread = threading.Thread(target=gather, daemon=True)
    thread.start()
    had_to_wait = not gathered.wait(0.05)
    meanwhile()
    assert gathered.wait(TIMEOUT_S)
    thread.join()
    return had_to_wait


def test_a_row_waits_for_others() -> None:
    """A row waits, and what comes meanwhile leaves with it: until its product is finished, here."""
    queue = ReceiveQueue(["A"])
    queue.put("A", numbered(0))

    def more() -> None:
        queue.put("A", numbered(1))
        queue.finish("A")

    assert waited(queue, more)
    assert queue.pop("A", 9) == [numbered(0), numbered(1)]


def test_a_filling_queue_does_not_wait() -> None:
    """Once half of the bound waits a row waits no longer: gathering must not be what ends a connection."""
    queue = ReceiveQueue(["A", "B"], max_bytes=4 * (len(FRAME.payload) + 128))
    queue.put("A", FRAME)

    def fill() -> None:
        for _ in range(3):
            assert queue.put("B", FRAME)

    assert waited(queue, fill)


def test_gathering_adds_no_wait_of_its_own() -> None:
    """`gather` returns at once for an old row, or when all products are finished."""
    queue = ReceiveQueue(["A"])
    queue.put("A", FRAME)
    queue.gather(0)
    queue.finish("A")
    queue.gather(60)
    assert queue.pop("A", 9) == [FRAME]
    queue.gather(60)


def test_what_is_held_counts() -> None:
    """Rows that left the queue, but wait in memory for the dataflow, take room from the bound until then."""
    queue = ReceiveQueue(["A"], max_bytes=1000)
    queue.hold("A", 800)
    assert queue.queued_bytes == queue.queued_bytes_of("A") == 800
    assert not queue.put("A", FRAME)
    queue.hold("A", -800)
    assert queue.put("A", FRAME)


def test_a_batch_is_bounded_in_bytes() -> None:
    """Rows are taken until they exceed a number of bytes, but always one."""
    queue = ReceiveQueue(["A"])
    for number in range(3):
        queue.put("A", numbered(number)._replace(payload="x" * 1000))
    assert [len(queue.pop("A", 9, 1500)) for _ in range(3)] == [2, 1, 0]
    assert queue.queued_bytes == queue.used_bytes == 0
