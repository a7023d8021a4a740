"""Plain characters in place of those that a stream cannot take: `+-` for a plus-minus sign, `#` for a bar."""

import codecs
from typing import Final, TextIO

_PLAIN: Final = {"\u00b1": "+-", "\u25b4": "^", "\u25be": "v", "\u2588": "#", "\u258c": "#"}
"""Plain replacements of the characters that we print; any other character is escaped."""
_HANDLER: Final = "booktape.plain"


def plain_for(encoding: str, text: str) -> str:
    """Return a text that an encoding can hold.

    >>> plain_for("ascii", "3 \u00b1 1 \u25b4"), len(plain_for("utf-8", "3 \u00b1 1"))
    ('3 +- 1 ^', 5)
    """
    return text if text.isascii() else text.encode(encoding, _HANDLER).decode(encoding)


def never_fail(stream: TextIO) -> None:
    """Let a stream print every text, whatever its encoding."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    plain = (_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in found)
    return "".join(plain), error.end


codecs.register_error(_HANDLER, _replace)
