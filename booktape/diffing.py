"""`diff`: check the arguments and make one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.arguments import PathLike, ProductsLike

if TYPE_CHECKING:
    from replay.checking.diff.results import Diff


def diff(
    a: PathLike,
    b: PathLike,
    *,
    products: ProductsLike | None = None,
    ignore: str | Iterable[str] = (),
    frames: bool = False,
) -> Diff:
    """Compare two tapes, or two RUN directories, row by row.

    Args:
        a: a tape or a RUN directory.
        b: another one of the same kind.
        products: product ids; None for all.
        ignore: columns that are not compared, e.g. `recv_time`.
        frames: compare the payloads of the frames of two tapes alone, in their order: when and on which
            connection they came does not matter.

    Raises:
        OptionError: if there is no such column to ignore.
        DiffError: if one is neither a tape nor a RUN, or one is a tape and the other a RUN.
        TapeError: if a tape cannot be read, or neither has such a product.
        RunError: if a RUN cannot be read.
    """
    from replay.checking.diff.api import diff as run

    first, second = arguments.tape_path(a, "a"), arguments.tape_path(b, "b")
    columns = arguments.texts_of(ignore, "ignore", "recv_time")
    return run(
        first,
        second,
        products=arguments.products_of(products),
        ignore=columns,
        frames=arguments.flag(frames, "frames"),
    )
