"""Writing objects so that nobody's are overwritten: only new ones, or in place of the one that was read.

A put whose answer is lost is repeated by obstore, and then meets its own object. So a condition that is not
met is a conflict only if what is there is something else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recorder.tape.errors import ShippingError
from recorder.tape.store import files as store
from recorder.tape.store.objects import ask
from recorder.tape.store.paths import RemotePath

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read or written, to be replaced if it still is that."""

    data: bytes
    e_tag: str | None
    version: str | None

    @property
    def condition(self) -> "UpdateVersion":
        """What a put asks the store for: that the object is still this one."""
        if self.version is None:  # of S3; Google has versions
            return {"e_tag": self.e_tag}
        return {"e_tag": self.e_tag, "version": self.version}


class ChangedError(Exception):
    """An object is not what it was when it was read: someone else writes there."""


def read(path: RemotePath) -> Stored | None:
    """Return an object; None if there is none.

    Raises:
        StoreError: if the store does not give it.
    """

    def question(obstore: Any, client: Any) -> Stored:
        found = obstore.get(client, path.key)
        return Stored(bytes(found.bytes()), found.meta["e_tag"], found.meta["version"])

    try:
        return ask(path, question)
    except FileNotFoundError:
        return None


def create(path: RemotePath, data: bytes) -> None:
    """Write an object that is not there, or is this already.

    Raises:
        ShippingError: if there is another one.
        StoreError: if the store does not take it.
    """
    if _put(path, data, "create") is None and store.sha256(path) != store.sha256_of(data):
        raise ShippingError(
            f"{path}: another object of this name is there already, and stays: ship to another URL", path
        )


def swap(path: RemotePath, data: bytes, before: Stored | None) -> Stored:
    """Write an object in place of the one that was read, None for none, and return it.

    Raises:
        ChangedError: if someone else has written it meanwhile.
        StoreError: if the store does not take it.
    """
    mode: PutMode = "create" if before is None else before.condition
    written = _put(path, data, mode)
    if written is not None:
        return Stored(data, written["e_tag"], written["version"])
    found = read(path)
    if found is None or found.data != data:
        raise ChangedError
    return found


def _put(path: RemotePath, data: bytes, mode: "PutMode") -> Any:
    """Put an object; return its ETag and version, None if the condition is not met."""

    def question(obstore: Any, client: Any) -> Any:
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415  an optional extra

        try:
            return obstore.put(client, path.key, data, mode=mode)
        except (AlreadyExistsError, PreconditionError):
            return None

    return ask(path, question)


def overwrite(path: RemotePath, data: bytes) -> None:
    """Write an object whatever is there: one that nothing depends on, and that can be made again.

    Raises:
        StoreError: if the store does not take it.
    """
    _put(path, data, "overwrite")
