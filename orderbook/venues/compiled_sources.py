"""The files of the compiled readers, below the package `orderbook`; light to import."""

from typing import Final

READERS: Final = (
    "venues/compiled_readers.py",
    "venues/coinbase/compiled.py",
    "venues/exchange/compiled.py",
    "venues/advanced/compiled.py",
    "venues/advanced/compiled_updates.py",
    "venues/coinbase/compiled_trades.py",
)
"""If one changes, all is compiled again."""
