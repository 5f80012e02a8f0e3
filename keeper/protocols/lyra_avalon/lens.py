"""Answers of `contracts/src/AvalonLens.sol`: the market, and a position's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eth_abi.abi import decode

from keeper.margin.options.lyra_avalon.minimum import MinimumTerms

RECORD = 122
_STATE = (
    "(address,address,address,address,address,bool,uint256,bool,uint256[8],int256,"
    "(uint256,uint256,uint256,uint256),(uint256,uint256,bool)[])"
)
_ACTIVE = 1


@dataclass(frozen=True, slots=True)
class AvalonBoard:
    """Options of one expiry; a frozen one trades and liquidates nothing."""

    id: int
    expiry: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class AvalonState:
    """A market at one block: `spot` (18 decimals) is None while it is paused or its source has none. Of a
    penalty liquidators get `fee_share`; it is `least_penalty` in dollars at least."""

    adapter: str
    cache: str
    token: str
    quote: str
    base: str
    spot: int | None
    paused: bool
    terms: MinimumTerms
    fee_share: int
    least_penalty: int
    boards: Mapping[int, AvalonBoard]


@dataclass(frozen=True, slots=True)
class OptionPosition:
    """One position: `kind` by the contract's own numbers, `price` its strike's; amounts 18 decimals."""

    kind: int
    active: bool
    board: int
    price: int
    amount: int
    collateral: int
    expiry: int


def read_state(data: bytes) -> AvalonState:
    adapter, cache, token, quote, base, priced, spot, paused, least, rate, fees, boards = decode(
        [_STATE], data
    )[0]
    _, fee_share, _, least_penalty = fees
    return AvalonState(
        adapter,
        cache,
        token,
        quote,
        base,
        spot if priced else None,
        paused,
        MinimumTerms(*(*least, rate)),
        fee_share,
        least_penalty,
        MappingProxyType({each[0]: AvalonBoard(*each) for each in boards}),
    )


def read_position(record: bytes) -> OptionPosition:
    price, amount, collateral = (int.from_bytes(record[at : at + 32], "big") for at in (18, 50, 82))
    board, expiry = int.from_bytes(record[2:18], "big"), int.from_bytes(record[114:122], "big")
    return OptionPosition(record[0], record[1] == _ACTIVE, board, price, amount, collateral, expiry)
