"""Processes of tests that die, are killed, or do something meanwhile."""

import multiprocessing
from typing import Final

FORK: Final = multiprocessing.get_context("forkserver")
"""Starts processes as forks of one that has loaded what they need: importing it took most of their time.

There is one such process, and its first use decides what it loads. So this is the one place that does.
"""
FORK.set_forkserver_preload(
    [
        "pytest",
        "booktape.cli.import_",
        "booktape.cli.main",
        "booktape.console.results",
        "booktape.examples.episode_alert",
        "recorder.api",
        "replay.checking.verify",
        "replay.running.api",
        "tests.endurance.planned_recorder",
        "tests.support.commands",
    ]
)
