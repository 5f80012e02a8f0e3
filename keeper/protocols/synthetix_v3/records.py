"""An account's record as `contracts/src/SynthetixV3Lens.sol` packs it."""

from __future__ import annotations

from dataclasses import dataclass

_HEAD, _STAKE, _POSITION, _ORDER = 35, 48, 96, 88
_FLAGGED, _WAITS = 1, 2


@dataclass(frozen=True, slots=True)
class Position:
    """Signed `size` in a market as last touched: price, and the funding and interest it has settled for."""

    market: int
    size: int
    price: int
    funding: int
    interest: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order that waits since `time`: signed `size`, its settlement strategy, the worst price it takes."""

    market: int
    size: int
    strategy: int
    time: int
    acceptable_price: int


@dataclass(frozen=True, slots=True)
class PerpsAccount:
    """An account as stored: (collateral, amount) of each it has, open positions, debt, its order."""

    flagged: bool
    debt: int
    collaterals: tuple[tuple[int, int], ...] = ()
    positions: tuple[Position, ...] = ()
    order: Order | None = None

    @property
    def feeds(self) -> int:
        """How many prices flagging it updates: those of its markets and of its collaterals but dollars."""
        return len(self.positions) + sum(identity != 0 for identity, _ in self.collaterals)


def length(data: bytes, at: int) -> int:
    """Bytes of the record that begins there; more than is left where it is cut off."""
    if len(data) < at + _HEAD:
        return _HEAD
    order = _ORDER if data[at] & _WAITS else 0
    return _HEAD + _STAKE * data[at + 33] + _POSITION * data[at + 34] + order


def has_order(record: bytes) -> bool:
    """Whether an order of the account waits, or has expired."""
    return bool(record[0] & _WAITS)


def decode(record: bytes) -> PerpsAccount:
    end = _HEAD + _STAKE * record[33]
    stakes = tuple(
        (_number(record, at, 16), _number(record, at + 16, 32)) for at in range(_HEAD, end, _STAKE)
    )
    after = end + _POSITION * record[34]
    return PerpsAccount(
        bool(record[0] & _FLAGGED),
        _number(record, 1, 32),
        stakes,
        tuple(_position(record, at) for at in range(end, after, _POSITION)),
        _order(record, after) if record[0] & _WAITS else None,
    )


def _position(record: bytes, at: int) -> Position:
    return Position(
        _number(record, at, 16),
        _signed(record, at + 16),
        _number(record, at + 32, 16),
        _signed(record, at + 48),
        _number(record, at + 64, 32),
    )


def _order(record: bytes, at: int) -> Order:
    return Order(
        _number(record, at, 16),
        _signed(record, at + 16),
        _number(record, at + 32, 16),
        _number(record, at + 48, 8),
        _number(record, at + 56, 32),
    )


def _number(record: bytes, at: int, size: int) -> int:
    return int.from_bytes(record[at : at + size], "big")


def _signed(record: bytes, at: int) -> int:
    return int.from_bytes(record[at : at + 16], "big", signed=True)
