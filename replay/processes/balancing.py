"""Sharing out products to processes."""

from collections import Counter
from collections.abc import Iterable, Sequence

from recorder.tape.reader import Tape


def balanced(tapes: Iterable[tuple[Tape, Sequence[str]]], number: int) -> list[tuple[str, ...]]:
    """Divide the products of tapes into at most `number` groups, none empty, of about as many bytes each.

    The largest product comes first; each goes to the group that is smallest so far.
    """
    sizes: Counter[str] = Counter()
    for tape, products in tapes:
        sizes.update({product: tape.product(product).stored_bytes() for product in products})
    groups: list[list[str]] = [[] for _ in range(min(number, len(sizes)))]
    for product in sorted(sizes, key=lambda each: (-sizes[each], each)):
        min(groups, key=lambda group: sum(sizes[each] for each in group)).append(product)
    return [tuple(sorted(group)) for group in groups if group]
