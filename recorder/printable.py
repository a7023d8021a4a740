"""Text of others on a terminal or in a log: it must not steer either."""


def printable(text: str, longest: int = 300) -> str:
    r"""Return text on one line, control characters escaped, at most so long.

    >>> printable("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    shown = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)
