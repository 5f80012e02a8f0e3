"""One borrower in a Morpho Blue market: debt, borrowing capacity, health, and seizable collateral.

`price` is the oracle's: loan token per collateral token, scaled by 1e36·10^(loan − collateral decimals).
Source: morpho-org/morpho-blue 1.0.0, src/Morpho.sol (`_isHealthy`, `liquidate`); the figures that the
contract does not have (ltv, usage, withdrawable) after morpho-org/sdks, packages/blue-sdk.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.checks import natural
from keeper.margin.interface import Requirement
from keeper.margin.lending.morpho.market import MAX_UINT256, ORACLE_PRICE_SCALE, MarketState, MarketTerms
from keeper.margin.lending.morpho.shares import to_assets_down, to_assets_up, to_shares_up
from keeper.margin.rounding import mul_div_down, mul_div_up, wad_div_down, wad_div_up, wad_mul_down


@dataclass(frozen=True, slots=True)
class Position:
    """`collateral` in collateral token units; shares of the market's totals."""

    collateral: int
    borrow_shares: int
    supply_shares: int = 0

    def __post_init__(self) -> None:
        natural(self.collateral, "collateral")
        natural(self.borrow_shares, "borrow_shares")
        natural(self.supply_shares, "supply_shares")


def borrowed_up(position: Position, market: MarketState) -> int:
    """Debt in loan token units, rounded up."""
    return to_assets_up(position.borrow_shares, market.total_borrow_assets, market.total_borrow_shares)


def supplied_down(position: Position, market: MarketState) -> int:
    """Supply in loan token units, rounded down."""
    return to_assets_down(position.supply_shares, market.total_supply_assets, market.total_supply_shares)


def collateral_value_down(collateral: int, price: int) -> int:
    """Collateral in loan token units, rounded down."""
    return mul_div_down(collateral, natural(price, "price"), ORACLE_PRICE_SCALE)


def max_borrow_down(collateral: int, price: int, lltv: int) -> int:
    """⌊⌊collateral·price / 1e36⌋·lltv⌋, loan token units."""
    return wad_mul_down(collateral_value_down(collateral, price), lltv)


def is_healthy(position: Position, market: MarketState, price: int, terms: MarketTerms) -> bool:
    """Whether the debt is at most the collateral at its LLTV; if so, the contract does not liquidate."""
    if position.borrow_shares == 0:
        return True
    return max_borrow_down(position.collateral, price, terms.lltv) >= borrowed_up(position, market)


def health_factor_down(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """max borrow / debt in wad, rounded down; 2²⁵⁶−1 without debt."""
    debt = borrowed_up(position, market)
    if debt == 0:
        return MAX_UINT256
    return wad_div_down(max_borrow_down(position.collateral, price, terms.lltv), debt)


def ltv_up(position: Position, market: MarketState, price: int) -> int:
    """debt / collateral value in wad, rounded up; 2²⁵⁶−1 where there is debt and no collateral value."""
    debt, value = borrowed_up(position, market), collateral_value_down(position.collateral, price)
    if value == 0:
        return MAX_UINT256 if debt else 0
    return wad_div_up(debt, value)


def capacity_usage_up(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """1 / health in wad, rounded up; 2²⁵⁶−1 where health is 0."""
    health = health_factor_down(position, market, price, terms)
    return MAX_UINT256 if health == 0 else wad_div_up(10**18, health)


def borrowable(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """How much more may be borrowed, loan token units."""
    room = max_borrow_down(position.collateral, price, terms.lltv) - borrowed_up(position, market)
    return max(0, room)


def required_collateral_up(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """The least collateral with which this debt is healthy, exact; 2²⁵⁶−1 where no amount is enough."""
    debt = borrowed_up(position, market)
    if debt == 0:
        return 0
    if natural(price, "price") == 0 or terms.lltv == 0:
        return MAX_UINT256
    return mul_div_up(wad_div_up(debt, terms.lltv), ORACLE_PRICE_SCALE, price)


def withdrawable_collateral(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """Withdrawable collateral as the SDK computes it: collateral − ⌈⌈debt·1e36/price⌉/lltv⌉, at least 0.

    The contract truncates the collateral's value in between, so this can be too much, by the collateral that
    one unit of the loan token buys: `required_collateral_up` is exact.
    """
    if natural(price, "price") == 0 or terms.lltv == 0:
        return 0 if position.borrow_shares else position.collateral
    needed = mul_div_up(borrowed_up(position, market), ORACLE_PRICE_SCALE, price)
    return max(0, position.collateral - wad_div_up(needed, terms.lltv))


def liquidation_price_up(position: Position, market: MarketState, terms: MarketTerms) -> int | None:
    """Price (the oracle's scale) below which the position is liquidatable, rounded up; None without debt.

    2²⁵⁶−1 where the collateral at its LLTV is nothing.
    """
    if position.borrow_shares == 0:
        return None
    power = wad_mul_down(position.collateral, terms.lltv)
    if power == 0:
        return MAX_UINT256
    return mul_div_up(borrowed_up(position, market), ORACLE_PRICE_SCALE, power)


def seized_down(repaid_shares: int, market: MarketState, price: int, incentive_factor: int) -> int:
    """Collateral units that repaying `repaid_shares` gives the liquidator, rounded down at each step."""
    repaid = to_assets_down(repaid_shares, market.total_borrow_assets, market.total_borrow_shares)
    return mul_div_down(wad_mul_down(repaid, incentive_factor), ORACLE_PRICE_SCALE, price)


def repaid_shares_up(seized: int, market: MarketState, price: int, incentive_factor: int) -> int:
    """Shares that a liquidator must repay to seize `seized` collateral units, rounded up at each step."""
    quoted = mul_div_up(seized, price, ORACLE_PRICE_SCALE)
    return to_shares_up(
        wad_div_up(quoted, incentive_factor), market.total_borrow_assets, market.total_borrow_shares
    )


def seizable(position: Position, market: MarketState, price: int, terms: MarketTerms) -> int:
    """Collateral units that the largest allowed liquidation would seize; 0 while healthy."""
    if natural(price, "price") == 0 or is_healthy(position, market, price, terms):
        return 0
    whole = seized_down(position.borrow_shares, market, price, terms.incentive_factor)
    return min(position.collateral, whole)


def requirement(position: Position, market: MarketState, price: int, terms: MarketTerms) -> Requirement:
    """Loan token units: equity is the collateral at its LLTV, both requirements are the debt."""
    debt = borrowed_up(position, market)
    power = max_borrow_down(position.collateral, price, terms.lltv)
    return Requirement(
        initial=debt,
        maintenance=debt,
        equity=power,
        parts={
            "collateral_value": collateral_value_down(position.collateral, price),
            "debt": debt,
            "borrowable": max(0, power - debt),
            "seizable": seizable(position, market, price, terms),
        },
    )
