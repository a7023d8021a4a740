"""Looks over a live feed's shoulder: tells its errors, and ends the run where it refuses us."""

import logging

from orderbook.engine import Step
from recorder.feeds import FeedError
from recorder.halt import Halt

log = logging.getLogger(__name__)


class FeedWatch:
    """What the exchange says against us.

    An error frame before a product's first snapshot of this run is a refused subscription: retrying
    would not help. After it, the feed once worked, so an error is told and the connection decides.
    """

    def __init__(self, halt: Halt) -> None:
        self._halt = halt
        self._served: set[str] = set()

    def __call__(self, product: str, step: Step) -> None:
        """Judge one step of a product."""
        if step.summaries.num_rows:
            self._served.add(product)
        if not step.anomalies.num_rows:
            return
        for anomaly in step.anomalies.select(["kind", "detail"]).to_pylist():
            if anomaly["kind"] == "error" and product not in self._served:
                self._halt(
                    FeedError(f"{product}: the exchange refused the subscription: {anomaly['detail']}")
                )
            elif anomaly["kind"] != "crossed":
                log.warning("%s: %s: %s", product, anomaly["kind"], anomaly["detail"])
