"""Watching a recording while it runs: its status, as log lines and as Prometheus metrics."""
