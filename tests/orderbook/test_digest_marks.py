"""The digest at any place of a piece is that of one pass up to there."""

from hashlib import sha256
from itertools import groupby
from random import Random

import pytest

from orderbook.digest import BLOCK, Digest
from orderbook.digest_marks import DigestState, mark_of, states_at


def by_definition(seqs: list[int]) -> DigestState:
    """Return the digest of summaries, each packed as its seq alone."""
    chain, before, block = bytes(32), bytes(32), 0
    for number, group in groupby(seqs, key=lambda seq: seq // BLOCK):
        before, block = chain, number
        chain = sha256(chain + sha256(b"".join(seq.to_bytes(8, "little") for seq in group)).digest()).digest()
    return DigestState(chain.hex(), before.hex(), block * BLOCK)


@pytest.mark.parametrize("seed", range(40))
def test_marks(seed: int) -> None:
    """At random places, where blocks begin, and before any summary, it has the value, chain and chain_seq."""
    random = Random(seed)
    count = random.choice([0, 3, 200])
    step = random.choice([1, 60, BLOCK, 3 * BLOCK])
    start = random.choice([0, BLOCK - 3, BLOCK])
    seqs = sorted({start + step * n + random.randrange(step) for n in range(count)})
    cut = random.randrange(len(seqs) + 1)
    earlier, piece = Digest(), Digest(None)
    for seq in seqs[:cut]:
        earlier.extend(seq // BLOCK, seq.to_bytes(8, "little"))
    marks, expected = [mark_of(piece)], [by_definition(seqs[:cut])]
    for place, seq in enumerate(seqs[cut:], cut + 1):
        piece.extend(seq // BLOCK, seq.to_bytes(8, "little"))
        if random.random() < 0.5:
            marks.append(mark_of(piece))
            expected.append(by_definition(seqs[:place]))
    before = earlier.hexdigest()
    assert list(states_at(earlier, piece, marks)) == expected
    assert earlier.hexdigest() == before
    earlier.merge(piece)
    assert earlier.hexdigest() == by_definition(seqs).digest
