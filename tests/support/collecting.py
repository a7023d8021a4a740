"""A pytest plugin: collecting, which each process of a test run does, takes less time."""

import gc
from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule  # it has no public name

_Collectors = list[pytest.Collector]


class Collecting:
    """Leaves out what has no doctest, and garbage collections that find nothing."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path) -> Generator[None, _Collectors, _Collectors]:
        """Look for doctests only in modules that have some: one in ten."""
        collectors = yield
        if file_path.suffix == ".py" and b">>> " not in file_path.read_bytes():
            collectors = [each for each in collectors if not isinstance(each, DoctestModule)]
        return collectors

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Search for no garbage meanwhile, and afterwards never among what was collected: it all stays."""
        gc.disable()
        try:
            return (yield)
        finally:
            gc.enable()
            gc.freeze()
