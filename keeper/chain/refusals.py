"""A node's demand when it refuses a bid: the least tip, read from its words whatever they are."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal

# Seconds for which a tip that a node asked for is a lower bound; after that a refusal tells it anew.
REMEMBERED = 600.0
# Of so many digits that no words cost more than a moment.
_FIGURE = re.compile(
    r"(?<![\w.])(0x[0-9a-f]{1,64}|\d[\d_,']{0,39}(?:\.\d{1,30})?(?:e\+?\d{1,2})?)\s*"
    r"(wei|kwei|mwei|gwei|ether|eth)?(?!\w|\.\d)",
    re.IGNORECASE,
)
# What a protocol calls its errors is no figure of the refusal.
_CODES = re.compile(r"\b(?:error|code|http|status)\W{0,3}-?\d{3,5}\b", re.IGNORECASE)
# "multiple" and "stipulated" speak of no tip.
_TIP = re.compile(r"tip(?!l|ul)|priority|underpriced.*minimum needed", re.DOTALL)
_BASE_FEE = re.compile(
    r"base[\s_-]?fee\w*(?:\s+per\s+gas)?\W{0,4}(?:(?:of|is|was)\s+)?[\d_,'.]*", re.IGNORECASE
)
_UNITS = {"wei": 1, "kwei": 10**3, "mwei": 10**6, "gwei": 10**9, "eth": 10**18, "ether": 10**18}
_SEPARATORS = str.maketrans("", "", "_,'")
# A figure with a point and no unit is no number of wei.
_UNIT_OF_FRACTIONS = 10**9


def figures(text: str) -> Iterator[int]:
    """Every number in a text as wei: decimal or hexadecimal, with or without a unit."""
    for number, unit in _FIGURE.findall(text):
        if number.lower().startswith("0x"):
            yield int(number, 16)
            continue
        try:
            value = Decimal(number.translate(_SEPARATORS))
            whole = value == value.to_integral_value()
            wei = int(value * (_UNITS.get(unit.lower()) or (1 if whole else _UNIT_OF_FRACTIONS)))
        except ArithmeticError:
            continue
        yield wei


def least_asked(text: str, bid: int, ceiling: int, ours: Iterable[int]) -> int | None:
    """The smallest figure above `bid` and no higher than `ceiling` (wei per gas) that is not a number of our
    own transaction; None where the text has none."""
    own = set(ours)
    text = _CODES.sub(" ", text)
    found = [each for each in figures(text) if bid < each <= ceiling and each not in own]
    return min(found, default=None)


def of_tips(text: str) -> str:
    """The part of a refusal that may name a tip: all but its base fees."""
    return _BASE_FEE.sub(" ", text)


def says_tip(text: str) -> bool:
    """Whether a refusal is about the tip, and not just about the price of gas."""
    return _TIP.search(text.lower()) is not None


class TipFloor:
    """The least tip that the nodes of a chain were lately seen to ask for; 0 while none did."""

    def __init__(self) -> None:
        self._wei = 0
        self._until = 0.0

    @property
    def wei(self) -> int:
        return self._wei if time.monotonic() < self._until else 0

    def learn(self, wei: int) -> None:
        """Record that a node asked for this much."""
        self._wei, self._until = max(self.wei, wei), time.monotonic() + REMEMBERED
