"""The two feeds, by name. Light to import."""

from typing import Literal

Feed = Literal["exchange", "advanced"]

FEEDS: tuple[Feed, ...] = ("exchange", "advanced")
