"""JSON documents of values: computed fields, attributes, and keys."""

import msgspec
import pytest

from orderbook.document import Document, encode, to_json


class Part(Document, frozen=True):
    """A document with a computed field whose key is a keyword, and an attribute of the value."""

    from_: str
    real: int


def test_fields() -> None:
    """Fields that are not computed are attributes of the value; a trailing underscore is no part of a key."""
    assert msgspec.json.encode(Part.of(5, from_="+5m")) == b'{"from":"+5m","real":5}'


def test_wrong_fields() -> None:
    """No field is left out or left over."""
    with pytest.raises(TypeError, match="to"):
        Part.of(5, from_="+5m", to="+6m")
    with pytest.raises(AttributeError, match="from_"):
        Part.of(5)


def test_names_that_are_not_utf_8() -> None:
    """A path of other bytes is readable text in JSON, wherever in the document it stands."""
    name = b"a\xff\xe9".decode(errors="surrogateescape")
    document = {name: [name, (1, name)], "of": Part(name, 5)}
    shown = "a\\udcff\\udce9"
    expected = {shown: [shown, [1, shown]], "of": {"from": shown, "real": 5}}
    assert msgspec.json.decode(encode(document)) == msgspec.json.decode(to_json(document)) == expected
