"""Tells what the feed does wrong while it is being recorded."""

import logging

from orderbook.engine import Step
from recorder.printable import printable

log = logging.getLogger(__name__)


class AnomalyLog:
    """Logs the first anomaly of a kind on each connection; the rest are counted and on the tape."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int, str]] = set()

    def __call__(self, product: str, step: Step) -> None:
        """Look at one step of a product."""
        if not step.anomalies.num_rows:
            return
        for anomaly in step.anomalies.select(["kind", "detail", "connection"]).to_pylist():
            once = (product, anomaly["connection"], anomaly["kind"])
            if once not in self._told:
                self._told.add(once)
                log.warning("%s: %s: %s", product, anomaly["kind"], printable(anomaly["detail"]))
