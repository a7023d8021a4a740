"""What is due when, in a lane: by time, then in the order in which it was scheduled."""

from heapq import heapify, heappop, heappush
from typing import NamedTuple, TypeAlias

from orderbook.execution.events import Event
from orderbook.execution.orders import Order, Request


class Arrival(NamedTuple):
    """A request reaches the exchange."""

    request: Request


class Report(NamedTuple):
    """The strategy hears of an event."""

    event: Event


class Timer(NamedTuple):
    """The strategy is woken; `every` is the period of a timer that repeats, 0 of one that does not."""

    every: int


class LateEnd(NamedTuple):
    """Late trades no longer fill a cancelled order."""

    order: Order


Action: TypeAlias = Arrival | Report | Timer | LateEnd


class Schedule:
    """The actions that are due later.

    Attributes:
        scheduled: number of actions that were scheduled so far.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self.scheduled = 0

    def push(self, time: int, action: Action) -> None:
        """Schedule an action."""
        heappush(self._heap, (time, self.scheduled, action))
        self.scheduled += 1

    @property
    def next_time(self) -> int | None:
        """When the next action is due, None if there is none."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[int, Action]:
        """Take the next action, with the time at which it is due."""
        time, _, action = heappop(self._heap)
        return time, action

    def pop_reports(self, time: int) -> list[Event]:
        """Take the reports that are due at a time and come next."""
        events = []
        while self._heap and self._heap[0][0] == time:
            action = self._heap[0][2]
            if not isinstance(action, Report):
                break
            events.append(action.event)
            heappop(self._heap)
        return events

    def take_reports(self, time: int) -> list[Event]:
        """Take all reports that are due at a time or before, whatever else is due."""
        if not self._heap or self._heap[0][0] > time:
            return []
        due = sorted(each for each in self._heap if each[0] <= time and isinstance(each[2], Report))
        self._heap = [each for each in self._heap if not (each[0] <= time and isinstance(each[2], Report))]
        heapify(self._heap)
        return [action.event for _, _, action in due if isinstance(action, Report)]

    def rest(self) -> list[Action]:
        """Return what is still due, in order."""
        return [action for _, _, action in sorted(self._heap, key=lambda each: each[:2])]
