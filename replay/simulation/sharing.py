"""Cutting the lanes of products into shares for several workers.

Lanes do not touch one another, so each can be run without those beside it. But a share replays the tape for
itself: so it has at least as many lanes as cost what the replay does, and sharing out at most doubles the
processor time. There are no more shares than give each worker the same part of all work, of products as large
as they are.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_GOLDEN: Final = (5**0.5 - 1) / 2


def places_of(share: range, lanes: int) -> list[int]:
    """Return which lanes are in a share, in order.

    Neighbours cost alike: in a sweep from 1 to 50 bps the first trade all day, the last never. So a share has
    lanes from everywhere: the order that is cut is that of the multiples of the golden ratio modulo 1, which
    keep step with no number of values.

    >>> places_of(range(5), 10), places_of(range(5, 10), 10)
    ([0, 2, 4, 5, 7], [1, 3, 6, 8, 9])
    """
    order = sorted(range(lanes), key=lambda place: place * _GOLDEN % 1)
    return sorted(order[share.start : share.stop])


def shares_of(sizes: Sequence[int], lanes: int, workers: int, least: int) -> list[list[range]]:
    """Cut the lanes of products into shares; a product that is not cut has one of all lanes.

    The products are laid end to end, as long as they are large, and cut where a worker's part ends.

    Args:
        sizes: bytes of each product.
        lanes: number of lanes of each.
        workers: how many work at once.
        least: lanes of a share, at least.

    >>> shares_of([1000], 500, 4, 100)
    [[range(0, 125), range(125, 250), range(250, 375), range(375, 500)]]
    >>> shares_of([1000], 220, 4, 100)
    [[range(0, 110), range(110, 220)]]
    >>> shares_of([1000, 1000, 1000], 10, 2, 1)
    [[range(0, 10)], [range(0, 5), range(5, 10)], [range(0, 10)]]
    """
    total, before = sum(sizes), 0
    parts = min(workers, lanes * total // (max(sizes) * least)) if total else 1
    found = []
    for size in sizes:
        ends = (
            lanes * (total * number - before * parts) // (parts * max(size, 1)) for number in range(1, parts)
        )
        cuts = [0, *(end for end in ends if least <= end <= lanes - least), lanes]
        found.append([range(*each) for each in pairwise(cuts)])
        before += size
    return found
