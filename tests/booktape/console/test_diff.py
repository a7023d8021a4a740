"""A diff on a terminal."""

from booktape.console.diff import beside


def test_beside() -> None:
    """Long texts are cut to a line around their first difference, which is marked."""
    a, b = "x" * 1000 + "\x00same" + "A" + "y" * 500, "x" * 1000 + "\x00same" + "B" + "y" * 500
    line_a, line_b, mark = beside([("A", a), ("B", b)], 80)
    assert len(line_a) == len(line_b) == 80
    at = mark.index("^")
    assert (line_a[:at][1:], line_a[at], line_b[at]) == (line_b[:at][1:], "A", "B")
    assert "from character 1,006 on" in mark
    assert len(list(beside([("A", a), ("B", a)], 80))) == 1
