"""Digests at places inside a piece of a tape, which are known as soon as the rows before it are."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from orderbook.digest import BLOCK, Digest


class DigestMark(NamedTuple):
    """A place in the digest of a piece.

    Attributes:
        blocks: number of its complete blocks after the first one; None inside the first block.
        block: number of the current block; None before the first summary.
        pending: number of bytes of the current block, if that is the first one.
        tail: sha256 of those of a later block; empty if there are none.
    """

    blocks: int | None
    block: int | None
    pending: int
    tail: bytes


class DigestState(NamedTuple):
    """The digest at a place, as a segment's entry in the list has it: value, chain and chain_seq."""

    digest: str
    chain: str
    chain_seq: int


def mark_of(piece: Digest) -> DigestMark:
    """Return where the digest of a piece is now. O(pending)."""
    assert piece.hashes is not None  # noqa: S101  it is a piece
    if piece.first is None:
        return DigestMark(None, piece.block, len(piece.pending), b"")
    tail = sha256(piece.pending).digest() if piece.pending else b""
    return DigestMark(len(piece.hashes), piece.block, 0, tail)


def states_at(earlier: Digest, piece: Digest, marks: Iterable[DigestMark]) -> Iterator[DigestState]:
    """Yield the digest at some marks of a piece, in order.

    Args:
        earlier: the digest of all rows before the piece.
        piece: that of the piece.
        marks: places in it, in order.
    """
    assert piece.hashes is not None  # noqa: S101  it is a piece
    head = piece.pending if piece.first is None else piece.first[1]
    chain, done = b"", 0
    for mark in marks:
        if mark.blocks is None:
            found = earlier.copy()
            if mark.block is not None:
                found.extend(mark.block, head[: mark.pending])
            yield DigestState(found.hexdigest(), found.chain.hex(), found.chain_seq)
            continue
        if not chain:
            assert piece.first is not None  # noqa: S101  the mark lies after it
            found = earlier.copy()
            found.extend(*piece.first)
            found.extend(piece.first[0] + 1, b"")
            chain = found.chain
        for digest in piece.hashes[done : mark.blocks]:
            chain = sha256(chain + digest).digest()
        done = mark.blocks
        value = sha256(chain + mark.tail).digest() if mark.tail else chain
        yield DigestState(value.hex(), chain.hex(), (mark.block or 0) * BLOCK)
