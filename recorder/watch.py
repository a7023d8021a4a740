"""Tells what the feed does wrong while it is being recorded."""

import logging

from orderbook.engine import Step

log = logging.getLogger(__name__)


def log_anomalies(product: str, step: Step) -> None:
    """Log the anomalies of a step; crossed books are counted only, they may come by the hundred."""
    if step.anomalies.num_rows:
        for anomaly in step.anomalies.select(["kind", "detail"]).to_pylist():
            if anomaly["kind"] != "crossed":
                log.warning("%s: %s: %s", product, anomaly["kind"], anomaly["detail"])
