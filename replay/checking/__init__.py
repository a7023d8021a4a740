"""Checks of a tape and of runs: inspect, verify, book, index and diff."""
