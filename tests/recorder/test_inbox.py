"""The queue between socket thread and dataflow: in order, bounded, and never a hang."""

import threading
from collections.abc import Callable
from itertools import pairwise

from recorder.inbox import Inbox, Received

FRAME = Received(1, 0, "frame", "x" * 100)


def numbered(number: int) -> Received:
    """Return a frame that can be told from others."""
    return Received(number, 0, "frame", str(number))


def test_rows_leave_in_order_by_product() -> None:
    """Each product's rows come out in the order in which they went in, no more at a time than asked for."""
    inbox = Inbox(["A", "B"])
    for number in range(10):
        assert inbox.put("A" if number % 3 else "B", numbered(number))
    assert inbox.take("A", 4) == [numbered(each) for each in (1, 2, 4, 5)]
    assert inbox.take("A", 100) == [numbered(7), numbered(8)]
    assert inbox.take("A", 100) == []
    assert inbox.take("B", 100) == [numbered(each) for each in (0, 3, 6, 9)]


def test_frames_beyond_the_bound_are_refused() -> None:
    """A frame that would pass the bound is refused and not queued, for any product, until there is room."""
    inbox = Inbox(["A", "B"], max_bytes=1000)
    accepted = 0
    while inbox.put("A", FRAME):
        accepted += 1
    assert 1 <= accepted <= 10
    assert not inbox.put("B", FRAME)
    assert 0 < inbox.waiting_bytes <= 1000
    assert inbox.take("B", 9) == []
    assert len(inbox.take("A", 1)) == 1
    assert inbox.put("B", FRAME)
    inbox.take("A", 100)
    inbox.take("B", 100)
    assert inbox.waiting_bytes == 0


def test_interruptions_always_find_room() -> None:
    """Where a connection begins and ends is queued however full the inbox is."""
    inbox = Inbox(["A"], max_bytes=300)
    assert inbox.put("A", FRAME)
    assert inbox.put("A", FRAME)
    assert not inbox.put("A", FRAME)
    for kind in ("connected", "disconnected"):
        assert inbox.put("A", Received(1, 0, kind, "x" * 100))
    assert [row.kind for row in inbox.take("A", 9)] == ["frame", "frame", "connected", "disconnected"]


def test_a_frame_larger_than_the_bound_can_be_had() -> None:
    """A frame beyond the bound counts half of it: it and what follows are taken, at most two such wait."""
    inbox = Inbox(["A", "B"], max_bytes=1000)
    large = FRAME._replace(payload="x" * 5000)
    assert inbox.put("B", FRAME)
    assert inbox.put("A", large)
    assert inbox.put("B", FRAME)
    assert not inbox.put("A", large)
    assert inbox.waiting_bytes == inbox.waiting_bytes_of("A") + inbox.waiting_bytes_of("B") > 5000
    inbox.take("B", 2)
    assert inbox.put("A", large)
    assert not inbox.put("B", FRAME)
    assert inbox.take("A", 2) == [large, large]
    assert inbox.waiting_bytes == 0
    for _ in range(4):
        assert inbox.put("B", FRAME)
    assert not inbox.put("B", FRAME)


def test_a_product_is_drained_once_finished_and_empty() -> None:
    """A product is drained only when nothing more comes and nothing waits."""
    inbox = Inbox(["A", "B"])
    inbox.put("A", FRAME)
    assert not inbox.is_drained("A")
    inbox.finish("A")
    assert not inbox.is_drained("A")
    inbox.take("A", 1)
    assert inbox.is_drained("A")
    assert not inbox.is_drained("B")


def test_waiting_ends_with_a_row_of_any_product() -> None:
    """A wait returns at once where any product has a row, and else as soon as one gets a row or finishes."""
    inbox = Inbox(["A", "B"])
    woken = []

    def wait(begun: threading.Event) -> None:
        begun.set()
        inbox.wait(60)
        woken.append(True)

    def put() -> None:
        inbox.put("B", FRAME)

    def finish() -> None:
        inbox.take("B", 1)
        inbox.finish("A")

    for wake in (put, put):
        begun = threading.Event()
        waiter = threading.Thread(target=wait, args=(begun,), daemon=True)
        waiter.start()
        assert begun.wait(10)
        wake()
        waiter.join(10)
        assert not waiter.is_alive()
    finish()
    assert len(woken) == 2


def test_nothing_is_lost_between_threads() -> None:
    """What one thread puts another one takes, all of it and in order, with a bound in between."""
    inbox = Inbox(["A"], max_bytes=2000)
    number = 5000

    def feed() -> None:
        for each in range(number):
            while not inbox.put("A", numbered(each)):
                drained.wait(0.001)
        inbox.finish("A")

    drained = threading.Event()
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    taken: list[Received] = []
    while not inbox.is_drained("A"):
        taken += inbox.take("A", 7)
        inbox.wait(0.01)
    feeder.join(10)
    assert len(taken) == number
    assert all(two.recv_time == one.recv_time + 1 for one, two in pairwise(taken))
    assert inbox.received_bytes() == {"A": sum(len(str(each)) for each in range(number))}


def waited(inbox: Inbox, product: str, meanwhile: Callable[[], object]) -> bool:
    """Do something while a lane gathers for a minute; return whether it had to wait until then."""
    gathered = threading.Event()

    def gather() -> None:
        inbox.gather(product, 60)
        gathered.set()

    thread = threading.Thread(target=gather, daemon=True)
    thread.start()
    had_to_wait = not gathered.wait(0.05)
    meanwhile()
    assert gathered.wait(10)
    thread.join()
    return had_to_wait


def test_a_row_waits_for_others() -> None:
    """A row waits, and what comes meanwhile leaves with it: until its product is finished, here."""
    inbox = Inbox(["A"])
    inbox.put("A", numbered(0))

    def more() -> None:
        inbox.put("A", numbered(1))
        inbox.finish("A")

    assert waited(inbox, "A", more)
    assert inbox.take("A", 9) == [numbered(0), numbered(1)]


def test_a_filling_queue_does_not_wait() -> None:
    """Once half of the bound waits a row waits no longer: gathering must not be what ends a connection."""
    inbox = Inbox(["A", "B"], max_bytes=4 * (len(FRAME.payload) + 128))
    inbox.put("A", FRAME)

    def fill() -> None:
        for _ in range(3):
            assert inbox.put("B", FRAME)

    assert waited(inbox, "A", fill)


def test_gathering_adds_no_wait_of_its_own() -> None:
    """A lane without rows, a row whose time is up and a product that is finished are not waited for."""
    inbox = Inbox(["A", "B"])
    inbox.put("A", FRAME)
    inbox.gather("B", 60)
    inbox.gather("A", 0)
    inbox.finish("A")
    inbox.gather("A", 60)
    assert inbox.take("A", 9) == [FRAME]
    inbox.gather("A", 60)
