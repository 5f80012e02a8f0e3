"""Calls to `contracts/src/MorphoBlueLens.sol`, which is called without being deployed, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_symbol
from keeper.margin.lending.morpho import irm
from keeper.margin.lending.morpho.market import MarketState, MarketTerms, accrue
from keeper.protocols.lenses import LensContract

LENS = LensContract("MorphoBlueLens", "0x00000000000000000000000000000000ba7c00b1")
PARAMS = "(address,address,address,address,uint256)"
_TOTALS = "(uint128,uint128,uint128,uint128,uint128,uint128)"
_STATE = f"(bytes32,{PARAMS},{_TOTALS},uint256,bool,uint256,bool,int256,bool,uint8,uint8,bytes)"
MOST_DECIMALS = 36
"""Most decimals that a number can be shown or stored with: only displayed figures depend on a token's
decimals."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One market: its parameters, its totals as of the last update, and price and rate at the block.

    `price` is None where the oracle reverts; `rate` is the average borrow rate (wad per second) from the last
    update to the block, None where the rate model reverts; `rate_at_target` is the adaptive curve's, None for
    others.
    """

    id: str
    loan: str
    collateral: str
    oracle: str
    irm: str
    terms: MarketTerms
    totals: MarketState
    price: int | None
    rate: int | None
    rate_at_target: int | None
    loan_decimals: int
    collateral_decimals: int
    loan_symbol: str
    """The symbol by the token, which anybody can have made; its address where it gives none."""

    @property
    def params(self) -> tuple[str, str, str, str, int]:
        return (self.loan, self.collateral, self.oracle, self.irm, self.terms.lltv)

    @property
    def usable(self) -> bool:
        return self.price is not None and self.rate is not None

    def at(self, timestamp: int) -> MarketState:
        """Totals with interest to `timestamp`; with an unknown rate model, at the rate of the block."""
        elapsed = timestamp - self.totals.last_update
        rate = self.rate or 0
        if self.rate_at_target is not None:
            rate, _ = irm.borrow_rate(self.totals.utilization, self.rate_at_target, elapsed)
        return accrue(self.totals, rate, timestamp) if self.totals.total_borrow_assets else self.totals


# A view asks the market's oracle, which anybody can have made.
VIEW_GAS = 4_000_000
# Markets that nobody listed are read so many in a call: its answer is kept to 16 KiB.
APART_MARKETS, APART_GAS = 14, 8_000_000
_IDS_AT = 4 + 3 * 32


def markets_call(morpho: str, ids: Sequence[str], gas: int = 0) -> Call:
    call = LENS.call("markets(address,bytes32[])", morpho, [bytes.fromhex(each[2:]) for each in ids])
    return replace(call, gas=gas)


def ids_of(call: Call) -> list[str]:
    """The market ids that a `markets_call` asks for."""
    words = call.data[_IDS_AT:]
    return ["0x" + words[at : at + 32].hex() for at in range(0, len(words), 32)]


def valued_call(morpho: str, market_id: str, borrower: str) -> Call:
    of = bytes.fromhex(market_id[2:])
    return replace(LENS.call("valued(address,bytes32,address)", morpho, of, borrower), gas=VIEW_GAS)


def read_markets(data: bytes) -> dict[str, Pair | None]:
    """Markets by id, None for those that were never created. A market not among them was not read: the call
    had no gas left for it."""
    rows = decode([f"{_STATE}[]"], data)[0]
    return {"0x" + row[0].hex(): _pair(row) if row[2][4] else None for row in rows}


def _pair(row: Any) -> Pair:
    identity, params, totals, price, priced, rate, rated, target, adaptive, loan, collateral, symbol = row
    without_interest = params[3] == ZERO_ADDRESS
    return Pair(
        id="0x" + identity.hex(),
        loan=params[0],
        collateral=params[1],
        oracle=params[2],
        irm=params[3],
        terms=MarketTerms(params[4]),
        totals=MarketState(*totals),
        price=price if priced else None,
        rate=rate if rated else 0 if without_interest else None,
        rate_at_target=target if adaptive else None,
        loan_decimals=min(loan, MOST_DECIMALS),
        collateral_decimals=min(collateral, MOST_DECIMALS),
        loan_symbol=read_symbol(Answer(True, symbol), params[0].lower()),
    )
