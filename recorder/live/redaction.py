"""Secrets in texts: cut from addresses, and from frames in which an exchange repeats an API key.

A replaced secret leaves `REMOVED` in its place: the one exception to a frame being kept byte for byte.
"""

import json
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final
from urllib.parse import quote

REMOVED: Final = "[removed by booktape]"

_LONG: Final = 16
_WORD: Final = 8

_USER = re.compile(r"""((?:^|://|[\s'"(=]))[^\s/@?#'"(=]*(?::(?!//)[^\s@]*)?@""")
_FRAGMENT = re.compile(r"""(://[^\s'"#]*)#[^\s'")]*""")
_QUERY = re.compile(r"""([?&][^\s=&'")]*)=[^\s&'")]*""")


def without_secrets(text: str) -> str:
    """Return text with the users and passwords, the values of queries and the fragments of all addresses cut.

    >>> without_secrets("no connection to wss://me:word@host/feed?token=abc&x=1 (refused)")
    'no connection to wss://***@host/feed?token=***&x=*** (refused)'
    """
    return _QUERY.sub(r"\1=***", _FRAGMENT.sub(r"\1#***", _USER.sub(r"\1***@", text)))


class Redaction:
    """Replaces secrets in the texts of a connection, also if they are escaped.

    A secret of 16 characters is replaced anywhere, one of 8 if it is a whole word. A shorter one and a number
    may be a price: they are replaced only in a text that speaks of a passphrase.

    Args:
        secrets: the secrets.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        known = [secret for secret in secrets if secret]
        certain = [each for each in known if len(each) >= _WORD and each.strip("0123456789.")]
        self._certain, self._all = _pattern(certain), _pattern(known)

    def __call__(self, text: str) -> str:
        """Return a text without the secrets; the same text if it has none. O(text)."""
        words = self._all if "passphrase" in text else self._certain
        if "\\" in text:  # escapes can spell a secret in many ways
            with suppress(ValueError, RecursionError):
                plain = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
                if len(words.findall(plain)) > len(words.findall(text)):
                    text = plain
        return words.sub(REMOVED, text)


def _pattern(secrets: Collection[str]) -> re.Pattern[str]:
    """Return what matches all usual spellings of some secrets."""
    spellings = {
        spelling
        for each in secrets
        for spelling in (
            each,
            json.dumps(each)[1:-1],
            json.dumps(each, ensure_ascii=False)[1:-1],
            each.replace("/", "\\/"),
            quote(each, safe=""),
        )
    }
    patterns = (
        re.escape(each) if len(each) >= _LONG else rf"(?<!\w)(?<!\d\.){re.escape(each)}(?!\w|\.\d)"
        for each in sorted(spellings, key=len, reverse=True)
    )
    return re.compile("|".join(patterns) or "(?!)")
