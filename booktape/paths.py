"""The paths that the Python API and the command line take: of tapes, of stores, and of what is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from booktape.arguments import naming
from orderbook.errors import OptionError
from recorder.installed import SAMPLE, SAMPLE_PATHS, sample
from recorder.tape.errors import NotATapeError
from recorder.tape.store.paths import RemotePath
from recorder.tape.store.paths import path_of as located

PathLike: TypeAlias = str | os.PathLike[str]
"""A path; for a tape to read also its URL, `s3://bucket/tape`, and `sample:`, the one of booktape itself."""

_SHIPPING: Final = "a tape gets to a store by `booktape record --ship URL` or `booktape ship TAPE URL`"


def path_of(value: PathLike, option: str, example: str = "a text such as 'tape', or a pathlib.Path") -> Path:
    """Return a path, `~` at its beginning expanded."""
    with naming(option, value, example):
        path = os.fspath(value)
        if not isinstance(path, str) or "\0" in path or not path:
            raise TypeError
        os.fsencode(path)  # no file can have a name with a lone surrogate
        path = os.path.expanduser(path)  # noqa: PTH111  Path.expanduser raises if it knows no such home
    try:
        return located(path)
    except ValueError as error:  # never with the value, which may have a password in it
        raise OptionError(f"this URL cannot be used: {error}", option=option) from None


def local_path(value: PathLike, option: str, instead: str = "copy it to a file of this machine") -> Path:
    """Return a path of this machine, which no URL of an object store is."""
    path = path_of(value, option)
    if isinstance(path, RemotePath):
        raise OptionError(f"{path} is in an object store: {instead}", option=option, value=value)
    return path


def tape_path(value: PathLike, option: str = "tape") -> Path:
    """Return the path of a tape to read, or its URL; `sample:` is the one that booktape comes with."""
    path = path_of(value, option, "the directory of a tape, its URL such as 's3://bucket/tape', or 'sample:'")
    if str(path) == SAMPLE:
        return sample()
    if f"{path}:" == SAMPLE and not path.exists():
        raise NotATapeError(f"{path}: no such tape; the one that booktape comes with is 'sample:'", path)
    return path


def shipping_url(value: PathLike, option: str = "ship") -> RemotePath:
    """Return the place in an object store to which a tape is shipped."""
    path = path_of(value, option, "a URL such as 's3://bucket/tape'")
    if not isinstance(path, RemotePath) or not path.key:
        reason = (
            f"{path}: write the URL of a tape in a bucket, such as s3://bucket/tape; a directory is copied"
        )
        raise OptionError(reason, option=option, value=value)
    return path


def written_tape(value: PathLike, option: str = "tape") -> Path:
    """Return the path of a tape to change, which is on this machine and not the sample."""
    path = tape_path(value, option)
    if _is_sample(path):
        raise OptionError("the sample is read-only: copy it first", option=option, value=value)
    if isinstance(path, RemotePath):
        reason = f"{path} is in an object store and is only read: do it to the tape on disk; {_SHIPPING}"
        raise OptionError(reason, option=option, value=value)
    return path


def output_path(value: PathLike, option: str) -> Path:
    """Return a path to write to, which cannot be that of the sample or inside a tape."""
    path = local_path(value, option, f"write to a directory of this machine, such as 'tape'; {_SHIPPING}")
    if str(path) == "-":
        example = {"html": "report.html", "tape": "tape"}.get(option, "run")
        reason = f"nothing is written to standard output: name a path, such as {example!r}"
        raise OptionError(reason, option=option, value=value)
    if str(path) == SAMPLE or _is_sample(path):
        reason = "the sample is read-only: name a directory, such as 'tape'"
        raise OptionError(reason, option=option, value=value)
    if (tape := _tape_around(path)) is not None:
        reason = f"{path} is inside the tape {tape}, which holds nothing else: name a path beside it"
        raise OptionError(reason, option=option, value=value)
    return path


def _tape_around(path: Path) -> Path | None:
    """Return the tape whose directory contains a path; None if there is none."""
    from recorder.tape.format.layout import MANIFEST

    parents = Path(os.path.realpath(path)).parents
    return next((each for each in parents if os.path.lexists(each / MANIFEST)), None)


def _is_sample(path: Path) -> bool:
    return os.path.realpath(path) in map(os.path.realpath, SAMPLE_PATHS)


def paths_of(value: PathLike | Iterable[PathLike], option: str, one: Callable[..., Path]) -> tuple[Path, ...]:
    """Return one path or several."""
    if isinstance(value, str | os.PathLike):
        value = (value,)
    with naming(option, value, "a path such as 'tape', or several in a list"):
        return tuple(one(each, option) for each in value)


def tape_paths(value: PathLike | Iterable[PathLike], option: str = "tapes") -> tuple[Path, ...]:
    """Return the paths of one tape or several, each there once."""
    paths = paths_of(value, option, tape_path)
    if not paths or len(set(map(os.path.realpath, paths))) < len(paths):
        raise OptionError("name one tape or several, each once", option=option, value=value)
    return paths


def optional_output(value: PathLike | None, option: str) -> Path | None:
    """Return a path to write to, or None for None."""
    return None if value is None else output_path(value, option)
