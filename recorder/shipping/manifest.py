"""The manifest of a tape in a store: it names a product once a segment of it is there."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from orderbook.document import to_json
from recorder.shipping.conditional import ChangedError, read, swap
from recorder.tape.errors import NotATapeError, ShippingError
from recorder.tape.format.layout import MANIFEST
from recorder.tape.format.manifest import FORMAT, Manifest, read_manifest
from recorder.tape.store.paths import RemotePath

_TRIES: Final = 5
_CHANGING: Final = threading.Lock()  # products are shipped beside one another, and none is someone else


def check_manifest(tape: Path, remote: RemotePath) -> None:
    """Check that a place in a store is empty, or a tape of the same feed and of the format of today.

    Raises:
        ShippingError: if something else is there.
        TapeError: if a manifest cannot be read.
    """
    mine = read_manifest(tape)
    try:
        there = read_manifest(remote)
    except NotATapeError as error:
        if read(RemotePath(f"{remote}/{MANIFEST}")) is None:
            return
        raise ShippingError(str(error), remote) from None
    if there.feed != mine.feed:
        raise ShippingError(
            f"{remote}: a tape of the feed {there.feed}, not {mine.feed}: ship to another URL", remote
        )
    if there.format < FORMAT:
        raise ShippingError(
            f"{remote}: a tape of format {there.format}, which was not shipped: ship to another URL", remote
        )


def name_product(tape: Path, remote: RemotePath, product: str) -> None:
    """Name a product in the manifest in a store, which is made if there is none.

    Raises:
        ShippingError: if the manifest changes all the time.
        TapeError: if a manifest cannot be read.
    """

    def named(mine: Manifest, there: Manifest | None) -> Manifest:
        if there is None:
            return replace(mine, format=FORMAT, products=(product,), sealed_rows={})
        products = there.products if product in there.products else (*there.products, product)
        return replace(there, products=products, synthetic=there.synthetic or mine.synthetic)

    _change(tape, remote, named)


def note_shipped_rows(tape: Path, remote: RemotePath, rows: Mapping[str, int]) -> None:
    """Note in the manifest in a store how many rows of each product it lists: never fewer are left.

    Raises:
        TapeError: if a manifest cannot be read.
    """

    def noted(_mine: Manifest, there: Manifest | None) -> Manifest | None:
        return there and replace(there, sealed_rows={**there.sealed_rows, **rows})

    _change(tape, remote, noted)


def _change(
    tape: Path, remote: RemotePath, changed: Callable[[Manifest, Manifest | None], Manifest | None]
) -> None:
    path = RemotePath(f"{remote}/{MANIFEST}")
    mine = read_manifest(tape)
    with _CHANGING:
        for _ in range(_TRIES):
            before = read(path)
            there = None if before is None else read_manifest(remote)
            wanted = changed(mine, there)
            if wanted is None or wanted == there:
                return
            try:
                swap(path, to_json(wanted), before)
            except ChangedError:
                continue
            return
    raise ShippingError(f"{path}: someone else writes it: only one can ship to a tape", remote)
