"""What all results share: a repr of one line, a table in notebooks, and Arrow or pandas for calculations."""

from typing import Any

import msgspec
import pyarrow as pa

from orderbook.document import Document
from orderbook.errors import BooktapeError
from orderbook.notebook import html_of


class Result:
    """Base of everything that a job returns."""

    __slots__ = ()

    def summary(self) -> str:
        """Return one line for people."""
        raise NotImplementedError

    def table(self) -> pa.Table:
        """Return the result as an Arrow table."""
        raise NotImplementedError

    def _document(self) -> Document:
        """Return the JSON form; docs/json.md is generated from its type."""
        raise NotImplementedError

    def document(self) -> dict[str, object]:
        """Return what `--json` prints, as dicts, lists, text and numbers."""
        document: dict[str, object] = msgspec.to_builtins(self._document())
        return document

    def to_pandas(self) -> Any:
        """Return `table()` as a pandas DataFrame.

        Raises:
            BooktapeError: if pandas is not installed.
        """
        try:
            return self.table().to_pandas()
        except ModuleNotFoundError:
            raise BooktapeError("to_pandas() needs pandas: pip install pandas") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary()}>"

    def _repr_html_(self) -> str | None:
        return html_of(self)
