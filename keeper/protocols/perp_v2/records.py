"""A trader's record as `contracts/src/PerpV2Lens.sol` packs it, and which markets and tokens it names."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.perps.perp_v2_ranges import RangeGrowth, TickGrowth

_MONEY, _TOKEN, _POSITION, _RANGE = 97, 52, 117, 406


@dataclass(frozen=True, slots=True)
class StoredRange:
    """A range: bounds, liquidity, debts, the growth it was settled at, and what grew beyond either bound."""

    lower: int
    upper: int
    liquidity: int
    settled: RangeGrowth
    base_debt: int
    quote_debt: int
    beyond_lower: TickGrowth
    beyond_upper: TickGrowth


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """A trader in one market (its base token, lower case): size, open notional, growth settled, ranges."""

    base: str
    size: int
    notional: int
    settled: int
    ranges: tuple[StoredRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Trader:
    """`balance` in units of the settlement token, `owed` profit not yet settled (18 decimals), `threshold`
    the debt beyond which collateral is due, and (token, amount) of each collateral."""

    balance: int
    owed: int
    threshold: int
    tokens: tuple[tuple[str, int], ...] = ()
    positions: tuple[StoredPosition, ...] = ()


def length(data: bytes, at: int) -> int:
    """Bytes of the record that begins there; more than is left where it is cut off."""
    end = at + _MONEY
    if end > len(data):
        return _MONEY
    end += _TOKEN * data[end - 1]
    if end >= len(data):
        return end + 1 - at
    count, end = data[end], end + 1
    for _ in range(count):
        end += _POSITION
        if end > len(data):
            break
        end += _RANGE * data[end - 1]
    return end - at


def decode(record: bytes) -> Trader:
    read = _Reader(record)
    balance, owed, threshold = read.signed(32), read.signed(32), read.number(32)
    tokens = tuple((read.address(), read.number(32)) for _ in range(read.number(1)))
    return Trader(balance, owed, threshold, tokens, tuple(_position(read) for _ in range(read.number(1))))


def _position(read: _Reader) -> StoredPosition:
    base, size, notional, settled = read.address(), read.signed(32), read.signed(32), read.signed(32)
    return StoredPosition(base, size, notional, settled, tuple(_range(read) for _ in range(read.number(1))))


def _range(read: _Reader) -> StoredRange:
    lower, upper, liquidity = read.signed(3), read.signed(3), read.number(16)
    settled = RangeGrowth(read.number(32), read.signed(32), read.signed(32), read.signed(32))
    base_debt, quote_debt = read.number(32), read.number(32)
    return StoredRange(lower, upper, liquidity, settled, base_debt, quote_debt, _growth(read), _growth(read))


def _growth(read: _Reader) -> TickGrowth:
    return TickGrowth(read.number(32), read.signed(32), read.signed(32))


class _Reader:
    """Takes a record's numbers one after the other."""

    def __init__(self, record: bytes) -> None:
        self._record, self._at = record, 0

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._record[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def signed(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big", signed=True)

    def address(self) -> str:
        return "0x" + self._take(20).hex()
