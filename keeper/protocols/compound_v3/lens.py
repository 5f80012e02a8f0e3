"""Answers of `contracts/src/CometLens.sol`."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import decode

from keeper.margin.lending.comet.rates import Curve, Totals, accrue
from keeper.margin.lending.comet.terms import CollateralTerms, CometTerms
from keeper.protocols.lenses import LensContract

LENS = LensContract("CometLens", "0x00000000000000000000000000000000ba7c00c3")
_INFO = "(uint8,address,address,uint64,uint64,uint64,uint64,uint128)"
_TOTALS = "(uint64,uint64,uint64,uint64,uint104,uint104,uint40,uint8)"
_CURVE = "(uint256,uint256,uint256,uint256)"
_ASSET = f"({_INFO},uint256,bool,uint256,uint256,bool)"
_STATE = (
    "(address,address,uint256,bool,uint256,uint256,uint256,uint256,uint256,bool,bool,bool,bool,"
    f"{_TOTALS},{_CURVE},{_CURVE},{_ASSET}[])"
)


@dataclass(frozen=True, slots=True)
class Collateral:
    """One collateral: `price` (8 decimals) None where its feed fails; `supplied`, `cap` and `reserves` in its
    units, the reserves being what is for sale."""

    asset: str
    terms: CollateralTerms
    price: int | None
    cap: int
    supplied: int
    reserves: int
    supply_paused: bool = False


@dataclass(frozen=True, slots=True)
class CometState:
    """A Comet at one block; `totals` as of its last accrual, `cash` its balance of base tokens."""

    base: str
    base_price: int | None
    terms: CometTerms
    borrow_min: int
    cash: int
    supply_paused: bool
    absorb_paused: bool
    buy_paused: bool
    totals: Totals
    supply: Curve
    borrow: Curve
    collaterals: tuple[Collateral, ...]
    base_supply_paused: bool = False

    def at(self, timestamp: int) -> Totals:
        """Indices with interest to `timestamp`."""
        return accrue(self.totals, self.supply, self.borrow, timestamp)


def read_market(data: bytes) -> CometState:
    row = decode([_STATE], data)[0]
    base, _, base_price, base_priced, *terms, borrow_min, cash = row[:9]
    supply_paused, base_supply_paused, absorb_paused, buy_paused = row[9:13]
    totals, supply, borrow, assets = row[13:]
    return CometState(
        base=base,
        base_price=base_price if base_priced else None,
        terms=CometTerms(*terms),
        borrow_min=borrow_min,
        cash=cash,
        supply_paused=supply_paused,
        absorb_paused=absorb_paused,
        buy_paused=buy_paused,
        totals=Totals(totals[0], totals[1], totals[4], totals[5], totals[6]),
        supply=Curve(*supply),
        borrow=Curve(*borrow),
        collaterals=tuple(
            Collateral(
                asset=info[1],
                terms=CollateralTerms(info[3], info[4], info[5], info[6]),
                price=price if priced else None,
                cap=info[7],
                supplied=supplied,
                reserves=reserves,
                supply_paused=closed,
            )
            for info, price, priced, supplied, reserves, closed in assets
        ),
        base_supply_paused=base_supply_paused,
    )
