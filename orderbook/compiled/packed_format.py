"""A frame as packed integers: what a reader of text found in it, to be read again in a fraction of the time.

A packed row of a batch has the kind `PACKED`, its exchange time in a column beside it, and these bytes in
place of its payload:

- a byte of flags; then, by its flags, the sequence_num, the book time, and the last trade_id that is named;
- of a frame with trades their number, and of each its id, its time, side (bit 0) and whether it is history
  (bit 1), price and size; of any other frame with events that are not one update their number, and of each
  event whether it is a snapshot and the change behind its last;
- of a frame with changes a byte: the power of ten of which all its prices are multiples, the tick; then the
  number of ticks of the first price, and the changes.

A number is a byte with the count of its bytes (at most seven) in bits 0 to 2, and a power of ten from bit 3
on, then these bytes. A change is a byte with the side in bit 0, the lengths of what follows, and a power of
ten of the size from bit 6 on; then the ticks from the price before, and the size. A frame with a number that
does not fit is not packed. Numbers are read as eight bytes, so as many must be there behind the last row.
"""

from typing import Final

# Flags of a row.
BOOK: Final = 1  # it is a frame of the book
SEQUENCE: Final = 2
BOOK_TIME: Final = 4  # which is not the exchange time
NAMED: Final = 8
TRADES: Final = 16
EVENTS: Final = 32  # not just one update
TIMELESS: Final = 64  # it has no exchange time

TICK_LENGTHS: Final = 1, 2, 3, 6
"""Bytes of a number of ticks, by bits 1 and 2 of a change; bits 3 to 5 are those of its size."""
SIZE_ZEROS: Final = 0, 4, 6, 8
"""Powers of ten of a size, by bits 6 and 7."""
