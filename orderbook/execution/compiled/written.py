"""What the kernel has written is taken away: as records by who takes them, and as rows if they are wanted."""

from collections.abc import Sequence

from orderbook.execution.compiled.harvest import CompiledLane, by_lane, fill_rows, sample_rows
from orderbook.execution.compiled.lane_settings import set_wanted
from orderbook.execution.compiled.markouts import add_odd
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.records import EVERYTHING, TakeRecords, Wanted, wanted_by_any


class Written:
    """What the kernel has written of the lanes of a product.

    Args:
        memory: the memory of the kernel.
        lanes: the results of each lane; they may come later.
        keeps_rows: whether orders, fills and samples become rows of the lanes.
        takes: what takes them as records.

    Attributes:
        wanted: what the kernel writes.
    """

    def __init__(
        self, memory: Memory, lanes: Sequence[CompiledLane], takes: Sequence[TakeRecords], *, keeps_rows: bool
    ) -> None:
        self._memory = memory
        self._lanes = lanes
        self._takes = takes
        self._keeps_rows = keeps_rows
        wanted = [*(each.wanted for each in takes), *([EVERYTHING] if keeps_rows else [])]
        self.wanted: Wanted = wanted_by_any(wanted)
        memory.market["keeps_samples"] = len(wanted) > 0
        set_wanted(memory.market, self.wanted)

    def take(self) -> None:
        """Take away orders, how they rested, and samples; fills too if they become rows."""
        memory, market = self._memory, self._memory.market
        done, rested, samples = (
            memory.table(f"{name}_at")[: market[name]] for name in ("done", "rested", "samples")
        )
        for each in self._takes:
            each.add_orders(done)
            each.add_resting(rested)
            each.add_samples(samples)
        if self._keeps_rows or any(lane.name_of is not None for lane in self._lanes):
            for number, orders in by_lane(done):
                self._lanes[number].add_orders(orders, keeps_rows=self._keeps_rows)
        if self._keeps_rows:
            for number, rows in by_lane(rested):
                self._lanes[number].add_rested(rows)
            for number, sample in zip(samples["lane"].tolist(), sample_rows(samples), strict=True):
                self._lanes[number].rows.samples.append(sample)
        market["done"] = market["rested"] = market["samples"] = 0
        if self._keeps_rows:
            self.take_fills()

    def take_fills(self) -> None:
        """Take away the fills whose mark-outs are known, which the kernel has counted."""
        memory = self._memory
        if not (self._takes or self._keeps_rows or memory.market["odd_markouts"]):
            memory.drop_fills()
            return
        fills, later_mids = memory.take_fills()
        for each in self._takes:
            each.add_fills(fills)
        if not (self._keeps_rows or memory.market["odd_markouts"]):
            return
        for number, fill in zip(fills["lane"].tolist(), fill_rows(fills, later_mids), strict=True):
            lane = self._lanes[number]
            memory.market["odd_markouts"] -= add_odd(lane.odd_markouts, fill)
            if self._keeps_rows:
                lane.rows.fills.append(fill)
