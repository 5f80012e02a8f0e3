"""A position's key, its record, and its market's number.

An account of this protocol is one borrower in one market: its key is the borrower's address followed by the
market's id. A record is the id, the borrow shares and the collateral, as stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keeper.book.entries import Entries, one_a_row
from keeper.chain.calls import Answer
from keeper.margin.lending.morpho.position import Position
from keeper.protocols import lenses

ADDRESS_DIGITS = 42
_ID, _WORD, _RECORD = 32, 16, 64
FACTORS = 1 << 15
"""Two factors per market, collateral and debt: their prices move apart. Ethereum's singleton has some two
thousand markets; markets after the first 16,383 are not followed, and that is reported."""


def key(borrower: str, market_id: str) -> str:
    return borrower.lower() + market_id[2:].lower()


def borrower_of(account: str) -> str:
    return account[:ADDRESS_DIGITS]


def id_of(account: str) -> str:
    return "0x" + account[ADDRESS_DIGITS:]


class Numbers:
    """Markets by number, from 1 on, in the order in which they became known, as many as there are factors
    for. Anybody can make markets: later ones are not followed, with no other effect."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self.ids: list[str] = [""]
        self.unfollowed = 0
        """How many markets came too late, each time they were named."""

    def of(self, market_id: str) -> int:
        """The market's number; 0 for one that is not followed."""
        number = self._number.get(market_id)
        if number is None:
            if 2 * len(self.ids) >= FACTORS:
                self.unfollowed += 1
                return 0
            number = self._number[market_id] = len(self.ids)
            self.ids.append(market_id)
        return number

    def note(self, ids: Iterable[str]) -> None:
        for each in ids:
            self.of(each)


def split(accounts: Sequence[str], answer: Answer) -> dict[str, bytes]:
    """Each account's record: the market's id and what the lens answered."""
    found = lenses.split(accounts, answer, lambda data, at: 2 * _WORD)
    return {account: bytes.fromhex(account[ADDRESS_DIGITS:]) + words for account, words in found.items()}


def market_id(record: bytes) -> str:
    return "0x" + record[:_ID].hex()


def decode(record: bytes) -> Position:
    shares, collateral = record[_ID : _ID + _WORD], record[_ID + _WORD :]
    return Position(int.from_bytes(collateral, "big"), int.from_bytes(shares, "big"))


def entries(records: Sequence[bytes], numbers: Numbers) -> Entries:
    """A position's collateral is in factor 2n of its market's number n, its debt in factor 2n + 1."""
    size = len(records)
    data = np.frombuffer(b"".join(records), np.uint8).reshape(size, _RECORD)
    factors = 2 * np.fromiter((numbers.of(market_id(r)) for r in records), np.int32, size)
    words = np.ascontiguousarray(data[:, _ID:]).view(">u8").reshape(size, 4).astype(np.float64)
    shares = words[:, 0] * 2.0**64 + words[:, 1]
    collateral = words[:, 2] * 2.0**64 + words[:, 3]
    equity, maintenance = one_a_row(factors, collateral), one_a_row(factors + 1, shares)
    return Entries(FACTORS, equity, maintenance, np.zeros(size, np.bool_))
