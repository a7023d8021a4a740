"""A NumPy archive (.npz) with one array that is written piece by piece, its length unknown until the end.

The array's header is written with room for any length, and again at the end; its checksum is then joined with
that of the values. The array is stored, not compressed: deflate is ten times slower.
"""

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from recorder.tape.store.writing import sync_file

_HEADER_BYTES: Final = 256
"""Bytes of the array's header, a multiple of 64 so that the array is aligned."""
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_ZIP64: Final = struct.Struct("<2H2Q")
_VERSION: Final = 45  # of zip with 64-bit sizes
_UNKNOWN: Final = 2**32 - 1  # see the 64-bit size
_DATE: Final = 0x21  # 1980-01-01, so that equal arrays are equal files
_POLYNOMIAL: Final = 0xEDB88320  # of CRC-32, as all polynomials here with the highest power in the lowest bit
_ONE: Final = 1 << 31


class NpzWriter:
    """Writes the array of a new file. Closing finishes it; without, it is no archive.

    Args:
        path: the file, which must not exist.
        dtype: of the array.
        name: its key in the archive.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], name: str = "data") -> None:
        self.path = path
        self.length = 0
        self._dtype = dtype
        self._name = f"{name}.npy".encode()
        self._crc = 0  # of the values
        self._file = path.open("xb", buffering=0)
        self._write(self._local_header(0, 0) + bytes(_HEADER_BYTES))

    def write(self, values: npt.NDArray[Any]) -> None:
        """Append values, contiguous. O(values)."""
        data = values.view(np.uint8).data
        self._crc = zlib.crc32(data, self._crc)
        self._write(data)
        self.length += len(values)

    def close(self) -> None:
        """Write what depends on the length, and make the file durable."""
        stored, header = self.length * self._dtype.itemsize, self._array_header()
        size = len(header) + stored
        crc = joined_crc(zlib.crc32(header), self._crc, stored)
        start = len(self._local_header(crc, size))
        self._file.seek(0)
        self._write(self._local_header(crc, size) + header)
        self._file.seek(start + size)
        self._write(self._directory(crc, size, start + size))
        self._file.close()
        sync_file(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _write(self, data: Any) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _array_header(self) -> bytes:
        described = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.length,),
        }
        text = repr(described).encode()
        magic = npy.magic(1, 0)
        room = _HEADER_BYTES - len(magic) - 2
        return magic + struct.pack("<H", room) + text.ljust(room - 1) + b"\n"

    def _local_header(self, crc: int, size: int) -> bytes:
        fields = (_VERSION, 0, 0, 0, _DATE, crc, _UNKNOWN, _UNKNOWN, len(self._name), _ZIP64.size)
        return _LOCAL.pack(b"PK\3\4", *fields) + self._name + _ZIP64.pack(1, 16, size, size)

    def _directory(self, crc: int, size: int, offset: int) -> bytes:
        fields = (_VERSION, _VERSION, 0, 0, 0, _DATE, crc, _UNKNOWN, _UNKNOWN, len(self._name))
        entry = _CENTRAL.pack(b"PK\1\2", *fields, _ZIP64.size, 0, 0, 0, 0, 0)
        entry += self._name + _ZIP64.pack(1, 16, size, size)
        wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, 1, 1, len(entry), offset)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, offset + len(entry), 1)
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), _UNKNOWN, 0)
        return entry + wide + locator + end


def joined_crc(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two pieces from those of each; `length` is the number of bytes of the second.

    >>> joined_crc(zlib.crc32(b"some"), zlib.crc32(b"thing"), 5) == zlib.crc32(b"something")
    True
    """
    shift, power = _ONE, _ONE >> 8  # x to the 8 for each byte
    while length:
        if length & 1:
            shift = _product(shift, power)
        power = _product(power, power)
        length >>= 1
    return _product(shift, first) ^ second


def _product(a: int, b: int) -> int:
    """Return the product of two polynomials modulo that of CRC-32."""
    product = 0
    for place in range(31, -1, -1):
        if a >> place & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
