"""The files of a tape in an object store, to read; the counterpart of `local`.

Directories are prefixes of keys. Nothing is written here: what arrives in a store is shipped, see
`recorder.shipping`.
"""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import pyarrow as pa

from recorder.tape.errors import StoreError
from recorder.tape.store.fetching import Ahead, open_object, threads
from recorder.tape.store.objects import ask
from recorder.tape.store.paths import RemotePath

_PIECE_BYTES: Final = 2**20


def open_arrow(path: RemotePath) -> pa.NativeFile:
    """Open an object for Arrow to read."""
    return open_object(path)


def read_file(path: RemotePath) -> bytes:
    """Return the content of an object."""
    return ask(path, lambda obstore, client: bytes(obstore.get(client, path.key).bytes()))


def read_files(paths: Sequence[RemotePath]) -> list[bytes]:
    """Return the contents of objects, fetched beside one another."""
    return list(threads().map(read_file, paths))


def open_file(path: RemotePath) -> BinaryIO:
    """Open an object that is fetched whole."""
    return BytesIO(read_file(path))


def file_size(path: RemotePath | BytesIO) -> int:
    """Return the size of an object in bytes, or of an open one."""
    if isinstance(path, BytesIO):
        return len(path.getbuffer())
    return int(ask(path, lambda obstore, client: obstore.head(client, path.key))["size"])


def has_size(path: RemotePath, size: int) -> bool:
    """Tell whether an object is there and has this size."""
    try:
        return file_size(path) == size
    except FileNotFoundError:
        return False


def file_version(path: RemotePath) -> str | None:
    """Return the ETag of an object; None if it is missing."""
    try:
        return str(ask(path, lambda obstore, client: obstore.head(client, path.key))["e_tag"])
    except FileNotFoundError:
        return None


def versions_in(directory: RemotePath) -> dict[str, str | None]:
    """Return the names of the objects directly below a prefix, each with its ETag."""
    found = ask(directory, lambda obstore, client: obstore.list_with_delimiter(client, directory.key))
    return {each["path"].rpartition("/")[2]: each["e_tag"] for each in found["objects"]}


def sha256(path: RemotePath) -> str:
    """Return the SHA-256 of an object, in hex."""

    def digest(obstore: Any, client: Any) -> str:
        found = hashlib.sha256()
        for piece in obstore.get(client, path.key).stream(min_chunk_size=_PIECE_BYTES):
            found.update(piece)
        return found.hexdigest()

    return ask(path, digest)


def exists(path: RemotePath) -> bool:
    """Tell whether there is an object of this name, or one below it."""
    return (bool(path.suffix) and file_version(path) is not None) or bool(names_in(path))


def names_in(directory: RemotePath) -> list[str]:
    """Return the names below a prefix, in order; empty if there is nothing."""
    found = ask(directory, lambda obstore, client: obstore.list_with_delimiter(client, directory.key))
    keys = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
    return sorted(key.rpartition("/")[2] for key in keys)


def file_sizes(directory: RemotePath, prefix: str) -> dict[str, int]:
    """Return the sizes of the objects in those folders of a directory whose names begin with a prefix."""
    start = f"{directory.key}/".lstrip("/")
    # Keys come in order: what is before the folders, as sidecars are, is not even listed.
    listed = ask(
        directory,
        lambda obstore, client: obstore.list(client, directory.key, offset=f"{start}{prefix}").collect(),
    )
    found = {each["path"].removeprefix(start): each["size"] for each in listed}
    return {name: size for name, size in found.items() if name.startswith(prefix) and "/" in name}


def list_files(directory: RemotePath) -> list[Path]:
    """Return what is directly below a prefix."""
    return [directory / name for name in names_in(directory)]


def find_files(directory: RemotePath, pattern: str) -> list[Path]:
    """Return what is directly below a prefix and matches a pattern, in order."""
    return [directory / name for name in names_in(directory) if fnmatchcase(name, pattern)]


def ahead() -> Ahead:
    """Return what keeps the next objects on their way."""
    return Ahead()


def acquire_lock(path: RemotePath, *, wait: bool) -> NoReturn:  # noqa: ARG001  as `local`
    """Refuse to write: whoever writes locks first."""
    raise StoreError(
        f"{path.parent}: a tape in a store is not written in place; write to a directory, and ship it: "
        "`booktape record --ship URL`, or `booktape ship TAPE URL`",
        path.parent,
    )
