"""JSON documents: Structs whose fields, in order, are the keys."""

from typing import Self

import msgspec


class Document(msgspec.Struct, frozen=True, rename=lambda name: name.rstrip("_")):
    """A JSON document, or a part of one; the key of a field `from_` is "from"."""

    @classmethod
    def of(cls, source: object, **computed: object) -> Self:
        """Return the document of a value: computed fields, and the value's attributes for all others."""
        found = {name: getattr(source, name) for name in cls.__struct_fields__ if name not in computed}
        return cls(**found, **computed)


def to_json(document: object) -> bytes:
    """Return a document as indented JSON that ends in a newline."""
    return msgspec.json.format(encode(document), indent=2) + b"\n"


def encode(document: object) -> bytes:
    """Return a document as JSON; bytes of a name that are not UTF-8 become the text of an escape."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_printable(msgspec.to_builtins(document)))


def _printable(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case list() | tuple():
            return [_printable(each) for each in value]
        case dict():
            return {_printable(name): _printable(each) for name, each in value.items()}
    return value
