"""The rows of a CSV file of Tardis, in blocks of columns: levels (`incremental_book_L2`) or trades.

The columns are found by the names in the first line, in any order, and others are left out. Decimals stay the
texts that they are, but for those with an exponent, which are written out.
"""

from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from orderbook.events import MalformedError
from orderbook.venues.base import is_product_id
from recorder.captures.compression import open_lines
from recorder.captures.formats import CaptureFile, OnTorn, excerpt
from recorder.captures.tardis_lines import BOOK, MAX_MICROSECONDS, NAMES, SIDES, WORDS, check_row, written_out
from recorder.settings import MAX_LINE_BYTES

_BLOCK_BYTES: Final = 2**20
_PRICE: Final = r"^[0-9]{1,10}(\.[0-9]{1,8}0*)?$"
_SIZE: Final = r"^[0-9]{1,18}(\.[0-9]{1,18})?$"
_ZERO: Final = r"^[0.]*$"
_TIME: Final = r"^[0-9]{1,16}$"
_TRADE_ID: Final = r"^[0-9]{1,18}$"


class Rows(NamedTuple):
    """Consecutive rows; times in microseconds since 1970.

    Attributes:
        flag: of a book: whether a level is of a snapshot; of trades: its number, as text.
        is_bid: whether the level, or the maker's order, is a bid.
    """

    product: pa.Array
    time: pa.Array
    local: pa.Array
    flag: pa.Array
    is_bid: pa.Array
    price: pa.Array
    size: pa.Array

    def slice(self, first: int, stop: int | None = None) -> "Rows":
        """Return some of the rows."""
        length = None if stop is None else stop - first
        return Rows(*(each.slice(first, length) for each in self))

    def joined(self, other: "Rows") -> "Rows":
        """Return these rows and others after them."""
        return Rows(*(pa.concat_arrays(pair) for pair in zip(self, other, strict=True)))

    def __len__(self) -> int:
        return len(self.local)

    @property
    def is_zero(self) -> Any:
        """Whether the size of each is 0."""
        return np.asarray(pc.match_substring_regex(self.size, _ZERO))


class TardisFile(CaptureFile):
    """A file of one kind, plain or packed.

    Attributes:
        kind: `BOOK` or `TRADES`.
        exchange: the exchange of all rows; empty before the first.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.kind = ""
        self.exchange = ""
        self._names: list[str] = []
        self._last_local = 0

    def blocks(self, on_torn: OnTorn) -> Iterator[Rows]:
        """Yield all rows in order; none of the yielded blocks is empty.

        Raises:
            CaptureError: if the file cannot be read, or a line is not understood; it names both.
        """
        tear = on_torn and partial(on_torn, self.path)
        yield from self.read(self._blocks(tear), tear)

    def check_held(self, rows: Rows) -> None:
        """Refuse rows of one message without an end.

        Raises:
            CaptureError: if they have more bytes than a frame can have.
        """
        if sum(each.nbytes for each in rows) > MAX_LINE_BYTES:
            raise self._problem(f"ends a message of more than {MAX_LINE_BYTES:,} bytes: rows of one time")

    def read_header(self) -> None:
        """Set `kind`.

        Raises:
            CaptureError: as `blocks`.
        """
        next(self.read(self._open_header(), None))

    def _open_header(self) -> Iterator[None]:
        with open_lines(self.path) as file:
            self._header(file)
            yield

    def _header(self, file: BufferedIOBase) -> None:
        line = file.readline(MAX_LINE_BYTES + 1)
        self._number = 1
        names = line.decode(errors="replace").removeprefix("\ufeff").rstrip("\r\n").split(",")
        found = [kind for kind, wanted in NAMES.items() if set(wanted) <= set(names)]
        if not found:
            wanted = " or ".join(",".join(each) for each in NAMES.values())
            raise self._problem(f"does not name the columns {wanted}: {excerpt(line.rstrip())}")
        if len(set(names)) < len(names):
            raise self._problem("names a column twice")
        self.kind, self._names = found[0], names

    def _blocks(self, on_torn: Callable[[int], None] | None) -> Iterator[Rows]:
        with open_lines(self.path) as file:
            self._header(file)
            held, failure = b"", None
            while failure is None:
                read, failure = _read_block(file)
                text = held + read
                end = text.rfind(b"\n") + 1
                held = text[end:]
                if len(held) > MAX_LINE_BYTES:
                    self._number += text.count(b"\n") + 1
                    raise self._too_long()
                if text[:end].strip():
                    yield self._rows(text[:end])
                self._number += text.count(b"\n")
                if not read and failure is None:
                    break
            if failure is not None:
                raise failure
            if held:
                self._number += 1
                what = f"has no end and may be cut off: {excerpt(held)}; add a newline if it is whole"
                self._tear(len(held), what, on_torn)

    def _rows(self, text: bytes) -> Rows:
        """Return the rows of whole lines, or name the first one that is not understood."""
        names = NAMES[self.kind]
        try:
            table = pcsv.read_csv(
                pa.BufferReader(text),
                pcsv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._names),
                pcsv.ParseOptions(quote_char=False),
                pcsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), include_columns=list(names)
                ),
            )
        except pa.ArrowInvalid:
            self._explain(text)
        rows = self._clean([column.combine_chunks() for column in table.columns])
        if rows is None:
            self._explain(text)
        return rows

    def _clean(self, columns: list[pa.Array]) -> Rows | None:
        """Return texts as `Rows`; None if one of them is not understood."""
        exchange, product, time, local, flag, side, price, size = columns
        self.exchange = self.exchange or exchange[0].as_py()
        if not _all(pc.equal(exchange, self.exchange)):
            return None
        if not all(map(is_product_id, pc.unique(product).to_pylist())):
            return None
        price, size = _plain(price), _plain(size)
        bid, ask = SIDES[self.kind]
        is_bid = pc.equal(side, bid)
        valid = [
            pc.match_substring_regex(price, _PRICE),
            pc.invert(pc.match_substring_regex(price, _ZERO)),
            pc.match_substring_regex(size, _SIZE),
            pc.or_(is_bid, pc.equal(side, ask)),
            pc.match_substring_regex(time, _TIME),
            pc.match_substring_regex(local, _TIME),
        ]
        if self.kind == BOOK:
            valid.append(pc.is_in(flag, pa.array(WORDS)))
            flag = pc.or_(pc.equal(flag, "true"), pc.equal(flag, "True"))
        else:
            valid.append(pc.match_substring_regex(flag, _TRADE_ID))
        if not all(map(_all, valid)):
            return None
        times = time.cast(pa.int64()), local.cast(pa.int64())
        told = np.asarray(times[1])
        is_ordered = told[0] >= self._last_local and bool((np.diff(told) >= 0).all())
        if not is_ordered or max(pc.max(each).as_py() for each in times) > MAX_MICROSECONDS:
            return None
        self._last_local = int(told[-1])
        return Rows(product, *times, flag, is_bid, price, size)

    def _explain(self, text: bytes) -> NoReturn:
        """Name the first line that is not understood."""
        last_local = self._last_local
        for line in text.split(b"\n")[:-1]:
            self._number += 1
            row = line.removesuffix(b"\r")
            if not row:
                continue
            try:
                last_local = check_row(row, self._names, self.kind, self.exchange, last_local)
            except MalformedError as error:
                raise self._problem(f"{error}: {excerpt(row)}") from None
        raise self._problem("or one before it is not CSV")


def _plain(decimals: pa.Array) -> pa.Array:
    """Return decimals with those that have an exponent written out."""
    places = np.flatnonzero(np.asarray(pc.match_substring(decimals, "e", ignore_case=True)))
    if not len(places):
        return decimals
    mask = np.zeros(len(decimals), np.bool_)
    mask[places] = True
    texts = map(written_out, decimals.take(pa.array(places)).to_pylist())
    return pc.replace_with_mask(decimals, pa.array(mask), pa.array(list(texts), pa.string()))


def _all(found: pa.Array) -> bool:
    return bool(pc.all(found, min_count=0).as_py())


def _read_block(file: BufferedIOBase) -> tuple[bytes, EOFError | None]:
    """Read about a block; with it what ends a packed file too early, after all that can be unpacked."""
    found: list[bytes] = []
    size = 0
    try:
        while size < _BLOCK_BYTES and (read := file.read1(_BLOCK_BYTES)):
            found.append(read)
            size += len(read)
    except EOFError as error:
        return b"".join(found), error
    return b"".join(found), None
