"""Bad input: whatever is handed to the API, it works or raises a `BooktapeError`, and nothing else."""

import math
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import booktape as bt
from orderbook.errors import explain

TAPE = bt.open("sample:")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.binary(max_size=4),
    st.sampled_from(
        [
            10**400,
            -1,
            math.nan,
            math.inf,
            "+5m",
            "1bps",
            "x:y:z",
            "0.1%",
            "sample:",
            "\0",
            "\ud800",
            object(),
        ]
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=6), st.floats()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
"""Values of all kinds."""

REPLAY_OPTIONS = ("products", "start", "end", "threshold", "depth", "engine", "on_signals", "idle_limit")
COMPARE_OPTIONS = (
    *("thresholds", "products", "start", "end", "markouts", "fee", "by", "sort", "min_signals"),
    *("min_episodes", "episodes", "detail", "engine"),
)


def replay_with(name: str, value: Any) -> object:
    """Replay a second of the sample with an option."""
    return TAPE.replay(**{"end": "+1s", "engine": "plain", name: value})


def compare_with(name: str, value: Any) -> object:
    """Compare over a second of the sample with an option."""
    return TAPE.compare(**{"thresholds": "1bps", "end": "+1s", "engine": "plain", name: value})


CALLS: dict[str, Callable[[Any], object]] = {
    "open": bt.open,
    "rows.product": TAPE.rows,
    "rows.end": lambda value: TAPE.rows("BTC-USD", end=value),
    "summaries.product": lambda value: TAPE.summaries(value, engine="plain"),
    "summaries.start": lambda value: TAPE.summaries("BTC-USD", start=value, end="+1s", engine="plain"),
    "summaries.engine": lambda value: TAPE.summaries("BTC-USD", end="+1s", engine=value),
    "book.product": lambda value: TAPE.book(value, at="+1s", engine="plain"),
    "book.at": lambda value: TAPE.book("BTC-USD", at=value, engine="plain"),
    "book.depth": lambda value: TAPE.book("BTC-USD", at="+1s", depth=value, engine="plain"),
    **{f"replay.{name}": partial(replay_with, name) for name in REPLAY_OPTIONS},
    **{f"compare.{name}": partial(compare_with, name) for name in COMPARE_OPTIONS},
    "diff.a": lambda value: bt.diff(value, TAPE),
    "diff.products": lambda value: bt.diff(TAPE, TAPE, products=value),
    "diff.ignore": lambda value: bt.diff(TAPE, TAPE, ignore=value),
    "compare.tapes": lambda value: bt.compare(value, "1bps", end="+1s", engine="plain"),
}

REFUSED: dict[str, Callable[[Any, Path], object]] = {
    "replay.speed": lambda value, _path: TAPE.replay(speed=value),
    "replay.processes.starting": lambda value, _path: TAPE.replay(processes=value),
    "replay.strategy": lambda value, _path: TAPE.replay(strategy=value),
    "replay.output": lambda value, _path: TAPE.replay(output=value),
    "replay.html": lambda value, _path: TAPE.replay(html=value),
    "replay.follow": lambda value, _path: TAPE.replay(follow=value),
    "replay.keep": lambda value, _path: TAPE.replay(keep=value),
    "replay.precise": lambda value, _path: TAPE.replay(precise=value),
    "index.rebuild": lambda value, _path: TAPE.index(rebuild=value),
    "flow.signals": lambda value, _path: TAPE.flow().signals(value),
    "flow.strategy": lambda value, _path: TAPE.flow().strategy(value),
    "serve.host": lambda value, _path: TAPE.serve(host=value),
    "serve.loop": lambda value, _path: TAPE.serve(loop=value),
    "serve.on_listening": lambda value, _path: TAPE.serve(on_listening=value),
    "serve.port": lambda value, _path: TAPE.serve(port=value),
    "serve.faults": lambda value, _path: TAPE.serve(faults=value),
    "record.products": bt.record,
    "record.url": lambda value, path: bt.record("BTC-USD", path, url=value),
    "record.feed": lambda value, path: bt.record("BTC-USD", path, feed=value),
    "record.duration": lambda value, path: bt.record("BTC-USD", path, duration=value),
    "record.stale_after": lambda value, path: bt.record("BTC-USD", path, stale_after=value),
    "record.segment_rows": lambda value, path: bt.record("BTC-USD", path, segment_rows=value),
    "record.segment_bytes": lambda value, path: bt.record("BTC-USD", path, segment_bytes=value),
    "record.sync": lambda value, path: bt.record("BTC-USD", path, sync=value),
    "record.queue_bytes": lambda value, path: bt.record("BTC-USD", path, queue_bytes=value),
    "record.threshold": lambda value, path: bt.record("BTC-USD", path, threshold=value),
    "record.metrics_port": lambda value, path: bt.record("BTC-USD", path, metrics_port=value),
    "record.channel": lambda value, path: bt.record("BTC-USD", path, channel=value),
    "live.observers": lambda value, _: bt.live("BTC-USD", on_signals=print, observers=value),
    "record.observers": lambda value, path: bt.record("BTC-USD", path, observers=value),
    "record.metrics_host": lambda value, path: bt.record("BTC-USD", path, metrics_port=0, metrics_host=value),
    "record.engine": lambda value, path: bt.record("BTC-USD", path, engine=value),
    "live.on_signals": lambda value, _path: bt.live("BTC-USD", on_signals=value),
    "flow.connections": lambda value, _path: bt.flow("BTC-USD", connections=value),
    "merge.tapes": bt.merge,
    "merge.engine": lambda value, path: bt.merge([bt.sample(), "nowhere"], path, engine=value),
    "import.files": bt.import_,
    "import.format": lambda value, path: bt.import_("nowhere", path, format=value),
    "import.feed": lambda value, path: bt.import_("nowhere", path, feed=value),
}
NEVER_GOOD = (object(), [object()], {1: 2}, math.nan, -1, b"\0")
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "compare(None)": (lambda: bt.compare(None), "tape"),  # type: ignore[arg-type]
    "no thresholds": (lambda: TAPE.compare([]), "10bps"),
    "thresholds of two parts": (lambda: TAPE.compare("1bps:20bps"), "1bps:20bps:1bps"),
    "markouts": (lambda: TAPE.compare(markouts=["1s", None]), "250ms"),  # type: ignore[list-item]
    "markouts None": (lambda: TAPE.compare(markouts=None), "100ms"),  # type: ignore[arg-type]
    "products": (lambda: TAPE.replay(products=5), "BTC-USD"),  # type: ignore[arg-type]
    "ignore": (lambda: bt.diff(TAPE, TAPE, ignore=None), "recv_time"),  # type: ignore[arg-type]
    "faults": (lambda: TAPE.serve(faults=None), "drop@"),  # type: ignore[arg-type]
    "url": (lambda: bt.record("BTC-USD", "x", url=5), "wss://"),  # type: ignore[arg-type]
    "open nothing": (lambda: bt.open(""), "sample:"),
    "open None": (lambda: bt.open(None), "sample:"),  # type: ignore[arg-type]
    "record to the sample": (lambda: bt.record("BTC-USD", "sample:"), "name a directory"),
    "import to the sample": (lambda: bt.import_("x", "sample:"), "name a directory"),
    "merge one": (lambda: bt.merge(["sample:"], "x"), "name two or more"),
    "merge one twice": (lambda: bt.merge(["sample:", "sample:"], "x"), "each once"),
    "replay to the sample": (lambda: TAPE.replay(output="sample:"), "name a directory"),
}
"""What a newcomer types, and what the answer shows to type instead."""


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=15)
@given(value=ODD)
def test_any_value(name: str, value: Any) -> None:
    """A value is taken, or refused by an error that is meant for the user."""
    with suppress(bt.BooktapeError):
        CALLS[name](value)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("value", NEVER_GOOD, ids=lambda value: type(value).__name__)
def test_refused(tmp_path: Path, name: str, value: Any) -> None:
    """A value that cannot be is refused before anything is written or connected."""
    with pytest.raises(bt.BooktapeError):
        REFUSED[name](value, tmp_path / "tape")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A message shows what to type instead, in no words of Python's, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    call, example = MISTAKES[name]
    with pytest.raises(bt.BooktapeError) as found:
        call()
    assert example in str(found.value)
    assert not any(word in str(found.value) for word in ("NoneType", "iterable", "attribute", "float()"))
    assert not list(tmp_path.iterdir())


def test_a_number_is_a_threshold() -> None:
    """One number is one threshold, whatever its type."""
    assert TAPE.compare(0, end="+1s").settings.thresholds == (0.0,)
    assert TAPE.compare(0.5, end="+1s").settings.thresholds == (0.5,)
    assert TAPE.compare("150%", end="+1s").settings.thresholds == (1.5,)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda path: bt.open(path / "nowhere"), bt.TapeError),
        (bt.open, bt.TapeError),
        (lambda path: TAPE.replay(output=path), bt.RunError),
        (lambda path: TAPE.compare(output=path), bt.RunError),
        (lambda path: TAPE.compare(html=path), bt.RunError),
        (lambda path: TAPE.replay(output=path / "no" / "where"), bt.RunError),
        (lambda path: bt.diff(TAPE, path), bt.DiffError),
        (lambda path: bt.import_(path / "nowhere", path / "tape"), bt.CaptureError),
        (lambda path: bt.import_(path, path / "tape"), bt.CaptureError),
        (lambda _path: TAPE.book("BTC-USD", at="1970-01-01T00:00:00Z"), bt.NoBookError),
        (lambda _path: TAPE.summaries("BTC-USD", start="+2s", end="+1s"), bt.OptionError),
        (lambda _path: TAPE.summaries("BTC-USD", start="2026-02-30T00:00:00"), bt.TimeError),
        (lambda _path: TAPE.replay(idle_limit="1s"), bt.OptionError),
        (lambda _path: TAPE.replay(processes=2, follow=True), bt.OptionError),
        (lambda _path: TAPE.compare(detail="1bps"), bt.OptionError),
        (lambda _path: bt.compare([TAPE, TAPE]), bt.OptionError),
        (lambda _path: bt.compare([]), bt.OptionError),
    ],
)
def test_errors_by_class(tmp_path: Path, call: Callable[[Path], object], kind: type[Exception]) -> None:
    """Each kind of failure has its class."""
    with pytest.raises(kind) as found:
        call(tmp_path)
    assert isinstance(found.value, bt.BooktapeError)


def test_errors_cross_processes() -> None:
    """An error keeps its fields when a worker process hands it on."""
    for call in (lambda: bt.open("nowhere"), lambda: TAPE.rows("X"), lambda: TAPE.replay(speed=0)):
        with pytest.raises(bt.BooktapeError) as found:
            call()
        copy = pickle.loads(pickle.dumps(found.value))  # noqa: S301  our own
        assert (type(copy), str(copy), vars(copy)) == (type(found.value), str(found.value), vars(found.value))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            MemoryError(),
            "out of memory; use fewer products or processes at once, or a machine with more of it",
        ),
        (
            OSError(28, "No space left on device", "a/b"),
            "a/b: No space left on device; make room and start again",
        ),
        (OSError(24, "Too many open files"), "Too many open files; allow more of them with `ulimit -n`"),
        (PermissionError(13, "Permission denied", "a"), "a: Permission denied"),
        (RuntimeError("can't start new thread"), "no thread can be started; the system allows no more"),
        (
            ImportError("x.so: failed to map"),
            "a part of booktape cannot be loaded (x.so: failed to map)",
        ),
        (
            EOFError("marshal data too short"),
            "a file in a __pycache__ directory is damaged, as a full disk leaves",
        ),
        (bt.StrategyError("mine: it failed"), "mine: it failed"),
        (KeyError("a\nb"), r"unexpected KeyError: 'a\nb' (BOOKTAPE_TRACEBACK=1 shows where)"),
        (ValueError("a\nb"), "unexpected ValueError: a (BOOKTAPE_TRACEBACK=1 shows where)"),
        (SystemExit(), "unexpected SystemExit:  (BOOKTAPE_TRACEBACK=1 shows where)"),
    ],
)
def test_any_exception_is_one_line(error: BaseException, line: str) -> None:
    """What is no error of ours is told in one line, with what to do; only a defect is unexpected."""
    assert explain(error).startswith(line)
    assert "\n" not in explain(error)
