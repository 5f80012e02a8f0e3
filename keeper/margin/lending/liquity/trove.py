"""A trove, its ratios, and whether and how it is liquidated in normal and in recovery mode.

Source: liquity/dev, packages/contracts/contracts/TroveManager.sol, Dependencies/LiquityBase.sol.
Collateral, debt, price and ratios in 18 decimals; every division rounds down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.rounding import WAD

MAX_UINT256 = 2**256 - 1
LIQUITY_V1 = Provenance("1", date(2021, 4, 5), "liquity/dev, LiquityBase.sol")


@dataclass(frozen=True, slots=True)
class LiquityTerms:
    """Minimum (mcr) and critical (ccr) collateral ratio, gas reserve in LUSD; 1/`gas_divisor` of the
    collateral compensates the liquidator's gas."""

    mcr: int = 110 * WAD // 100
    ccr: int = 150 * WAD // 100
    gas_reserve: int = 200 * WAD
    gas_divisor: int = 200
    provenance: Provenance = LIQUITY_V1

    def __post_init__(self) -> None:
        if not WAD <= natural(self.mcr, "mcr") <= natural(self.ccr, "ccr"):
            raise MarginError("must be between 1e18 and ccr", field="mcr")
        natural(self.gas_reserve, "gas_reserve")
        if natural(self.gas_divisor, "gas_divisor") == 0:
            raise MarginError("must be above zero", field="gas_divisor")


V1 = LiquityTerms()


@dataclass(frozen=True, slots=True)
class Trove:
    """`coll` in ETH, `debt` in LUSD; both with pending rewards, the debt with the gas reserve."""

    coll: int
    debt: int

    def __post_init__(self) -> None:
        natural(self.coll, "coll")
        natural(self.debt, "debt")


class Mode(Enum):
    """How a trove would be liquidated."""

    NONE = "not liquidatable"
    OFFSET = "stability pool first, the rest redistributed"
    REDISTRIBUTE = "redistributed to all troves"
    CAPPED_OFFSET = "stability pool only, seizure capped at the minimum ratio"


@dataclass(frozen=True, slots=True)
class Liquidation:
    """Where debt and collateral go. The owner may claim `surplus`; `coll_gas` and `gas_reserve` go to the
    liquidator."""

    mode: Mode
    debt_offset: int = 0
    coll_to_pool: int = 0
    debt_redistributed: int = 0
    coll_redistributed: int = 0
    surplus: int = 0
    coll_gas: int = 0
    gas_reserve: int = 0


def collateral_ratio_down(trove: Trove, price: int) -> int:
    """⌊coll·price / debt⌋, 18 decimals; 2²⁵⁶−1 without debt. For the whole system it is the TCR."""
    return trove.coll * natural(price, "price") // trove.debt if trove.debt else MAX_UINT256


def health_down(trove: Trove, price: int, terms: LiquityTerms = V1) -> int | None:
    """Collateral ratio over `mcr`, 18 decimals; below 1 exactly where the ratio is below `mcr`. None without
    debt."""
    return collateral_ratio_down(trove, price) * WAD // terms.mcr if trove.debt else None


def equity_down(worth: int, debt: int, ratio: int, mcr: int) -> int:
    """⌊worth / MCR⌋: the most debt that collateral of this value may secure, 18 decimals.

    Below `debt` exactly where `ratio` is below `mcr`: `ratio` is of exact values, `worth` is rounded down.
    """
    carries = worth * WAD // mcr
    return carries if ratio < mcr else max(carries, debt)


def composite_debt(debt: int, terms: LiquityTerms = V1) -> int:
    """Debt with the gas reserve on top."""
    return natural(debt, "debt") + terms.gas_reserve


def coll_gas_compensation_down(coll: int, terms: LiquityTerms = V1) -> int:
    """The liquidator's share of the collateral, rounded down."""
    return natural(coll, "coll") // terms.gas_divisor


def in_recovery_mode(system: Trove, price: int, terms: LiquityTerms = V1) -> bool:
    """Whether TCR < CCR, strictly; `system` has all collateral and all debt."""
    return collateral_ratio_down(system, price) < terms.ccr


def liquidation(trove: Trove, system: Trove, price: int, pool: int, terms: LiquityTerms = V1) -> Liquidation:
    """The liquidation of this trove; mode NONE where the contract would not liquidate it.

    `pool` is the stability pool's LUSD. The contract never liquidates the last trove of the system: the
    caller checks that.
    """
    natural(pool, "pool")
    icr, tcr = collateral_ratio_down(trove, price), collateral_ratio_down(system, price)
    recovery = tcr < terms.ccr
    if recovery and icr <= WAD:
        return _shared(trove, 0, terms)
    if icr < terms.mcr:
        return _shared(trove, pool, terms)
    if recovery and icr < tcr and 0 < trove.debt <= pool:
        return _capped(trove, price, terms)
    return Liquidation(Mode.NONE)


def _shared(trove: Trove, pool: int, terms: LiquityTerms) -> Liquidation:
    gas = coll_gas_compensation_down(trove.coll, terms)
    coll = trove.coll - gas
    offset = min(trove.debt, pool)
    to_pool = coll * offset // trove.debt
    return Liquidation(
        Mode.OFFSET if offset else Mode.REDISTRIBUTE,
        debt_offset=offset,
        coll_to_pool=to_pool,
        debt_redistributed=trove.debt - offset,
        coll_redistributed=coll - to_pool,
        coll_gas=gas,
        gas_reserve=terms.gas_reserve,
    )


def _capped(trove: Trove, price: int, terms: LiquityTerms) -> Liquidation:
    capped = trove.debt * terms.mcr // price
    gas = coll_gas_compensation_down(capped, terms)
    return Liquidation(
        Mode.CAPPED_OFFSET,
        debt_offset=trove.debt,
        coll_to_pool=capped - gas,
        surplus=trove.coll - capped,
        coll_gas=gas,
        gas_reserve=terms.gas_reserve,
    )


def liquidation_ratio(system: Trove, price: int, terms: LiquityTerms = V1) -> int:
    """The ratio below which a trove may be liquidated now: MCR; in recovery mode the larger of MCR, TCR."""
    tcr = collateral_ratio_down(system, price)
    return max(terms.mcr, tcr) if tcr < terms.ccr else terms.mcr


def requirement(trove: Trove, system: Trove, price: int, terms: LiquityTerms = V1) -> Requirement:
    """Equity is the collateral's value, maintenance the debt at the liquidation ratio; LUSD, 36 decimals.

    Nothing is divided, so equity < maintenance exactly where the ratio is below the liquidation ratio.
    `initial` is the debt at the ratio for opening: MCR in normal mode, CCR in recovery mode.
    """
    ratio = liquidation_ratio(system, price, terms)
    opening = terms.ccr if in_recovery_mode(system, price, terms) else terms.mcr
    return Requirement(
        initial=trove.debt * opening,
        maintenance=trove.debt * ratio,
        equity=trove.coll * price,
        parts={
            "icr": collateral_ratio_down(trove, price),
            "tcr": collateral_ratio_down(system, price),
            "liquidation_ratio": ratio,
            "debt": trove.debt,
        },
    )
