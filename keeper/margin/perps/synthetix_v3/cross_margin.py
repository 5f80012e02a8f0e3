"""An account's margin as of version 3.13.0: several collaterals with discounts, debt, interest, rewards on
collateral, and the positions in several markets.

Source: @synthetixio/perps-market 3.13.0, contracts/storage (PerpsAccount, PerpsCollateralConfiguration,
GlobalPerpsMarketConfiguration, KeeperCosts, InterestRate, Position). Everything 18 decimals, USD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.perps.synthetix_v3.account import KeeperTerms, MarketTerms, keeper_reward, margin_ratios
from keeper.margin.perps.synthetix_v3.market import liquidation_windows, position_pnl
from keeper.margin.rounding import WAD, wad_div_trunc, wad_mul_trunc

NPM_3_13 = Provenance("3.13.0", date(2026, 11, 28), "@synthetixio/perps-market@3.13.0")
SECONDS_PER_YEAR = 31_557_600
"""Seconds of an average year (365.25 days), by which interest accrues."""


@dataclass(frozen=True, slots=True)
class Collateral:
    """An amount of a synth at its index sell `price`; snxUSD has price 1 and no skew scale.

    The discount grows with the amount over the spot market's `skew_scale` (0: no discount), times `scalar`,
    within `lower` and `upper` (18 decimals, 1 is all of it).
    """

    amount: int
    price: int = WAD
    skew_scale: int = 0
    scalar: int = 0
    lower: int = 0
    upper: int = 0

    def __post_init__(self) -> None:
        for name in ("amount", "price", "skew_scale", "scalar", "lower", "upper"):
            natural(getattr(self, name), name)

    @property
    def value(self) -> int:
        """Value without discount."""
        return wad_mul_trunc(self.amount, self.price)

    @property
    def discount(self) -> int:
        """Share of the value that does not count as margin."""
        if not self.skew_scale:
            return 0
        impact = wad_mul_trunc(wad_div_trunc(self.amount, self.skew_scale), self.scalar)
        return min(max(impact, self.lower), self.upper)

    @property
    def discounted(self) -> int:
        """Value that counts as margin."""
        return wad_mul_trunc(self.value, WAD - self.discount)


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """Signed `size` as last changed (`entry_*`), at the market's present price, funding and interest.

    `funding` is per unit of size, `interest` per dollar of locked notional, both accumulated since the market
    began; `locked_ratio` is the share of the notional that locks open interest.
    """

    size: int
    entry_price: int
    price: int
    terms: MarketTerms
    entry_funding: int = 0
    funding: int = 0
    entry_interest: int = 0
    interest: int = 0
    locked_ratio: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "entry_funding", "funding"):
            integer(getattr(self, name), name)
        for name in ("entry_price", "price", "entry_interest", "interest", "locked_ratio"):
            natural(getattr(self, name), name)

    @property
    def notional(self) -> int:
        return wad_mul_trunc(abs(self.size), self.price)

    @property
    def charged_interest(self) -> int:
        """Interest on the locked notional since the position was last changed."""
        locked = wad_mul_trunc(self.notional, self.locked_ratio)
        return wad_mul_trunc(locked, self.interest - self.entry_interest)

    @property
    def accrued_funding(self) -> int:
        """Funding since the position was last changed; positive: received."""
        return wad_mul_trunc(self.size, self.funding - self.entry_funding)

    @property
    def pnl(self) -> int:
        """Profit and loss from price, funding and interest."""
        return position_pnl(
            self.size, self.entry_price, self.price, self.entry_funding, self.funding, self.charged_interest
        )

    @property
    def margins(self) -> tuple[int, int]:
        """(initial, maintenance) margin, both with the flat minimum; zeros where the size is zero."""
        if not self.size:
            return 0, 0
        initial, maintenance = margin_ratios(self.size, self.terms)
        flat = self.terms.min_position_margin
        return (
            wad_mul_trunc(self.notional, initial) + flat,
            wad_mul_trunc(self.notional, maintenance) + flat,
        )


@dataclass(frozen=True, slots=True)
class CrossAccount:
    """One account: its collaterals, its positions, and its debt from earlier losses."""

    collaterals: Sequence[Collateral]
    positions: Sequence[OpenPosition] = ()
    debt: int = 0

    def __post_init__(self) -> None:
        natural(self.debt, "debt")

    @property
    def collateral_value(self) -> int:
        return sum(each.value for each in self.collaterals)

    @property
    def available_margin(self) -> int:
        """Discounted collateral, plus profit and loss, less debt; may be negative."""
        discounted = sum(each.discounted for each in self.collaterals)
        return discounted + sum(each.pnl for each in self.positions) - self.debt


def next_interest(accrued: int, rate: int, since: int, time: int) -> int:
    """Interest accumulated per dollar of locked notional at `time`; `rate` per year, recorded at `since`."""
    elapsed = wad_div_trunc(natural(time - since, "time"), SECONDS_PER_YEAR)
    return accrued + wad_mul_trunc(rate, elapsed)


def liquidation_reward(account: CrossAccount, keeper: KeeperTerms) -> int:
    """Total reward to keepers for flagging with the first window, and for each further window; 0 without
    positions. The flag reward is the larger of the markets' and the collateral's."""
    held = [each for each in account.positions if each.size]
    if not held:
        return 0
    flags = sum(wad_mul_trunc(each.notional, each.terms.flag_reward_ratio) for each in held)
    value = account.collateral_value
    rewards = max(flags, wad_mul_trunc(value, keeper.collateral_reward_ratio))
    first = keeper_reward(rewards, keeper.flag_cost + keeper.liquidate_cost, keeper, value)
    windows = max(liquidation_windows(each.size, each.terms.window_max) for each in held)
    further = keeper_reward(0, keeper.liquidate_cost, keeper) * (windows - 1) if windows else 0
    return first + further


def requirement(account: CrossAccount, keeper: KeeperTerms) -> Requirement:
    """Initial and maintenance margin, both with the liquidation reward, as `getRequiredMargins` returns them.

    With positions, liquidatable iff maintenance exceeds equity.
    """
    initial, maintenance = _margins(account)
    reward = liquidation_reward(account, keeper)
    return Requirement(
        initial=initial + reward,
        maintenance=maintenance + reward,
        equity=account.available_margin,
        parts={
            "initial_ex_reward": initial,
            "maintenance_ex_reward": maintenance,
            "liquidation_reward": reward,
            "collateral": account.collateral_value,
            "discount": account.collateral_value - sum(each.discounted for each in account.collaterals),
            "pnl": sum(each.pnl for each in account.positions),
            "debt": account.debt,
        },
    )


def _margins(account: CrossAccount) -> tuple[int, int]:
    """(initial, maintenance) margin of all positions, without rewards."""
    margins = [each.margins for each in account.positions]
    return sum(one for one, _ in margins), sum(other for _, other in margins)


def is_liquidatable(account: CrossAccount, keeper: KeeperTerms) -> bool:
    """Whether the account may be flagged: required > available margin, as in `canLiquidate`. So may an
    account without positions whose debt exceeds its discounted collateral. A flagged account is liquidatable
    whatever its margin."""
    return _margins(account)[1] + liquidation_reward(account, keeper) > account.available_margin


def is_margin_liquidatable(account: CrossAccount, keeper: KeeperTerms) -> bool:
    """Whether the collateral of an account without positions may be liquidated: it has debt, and its
    available margin does not cover the keeper's reward."""
    if any(each.size for each in account.positions) or not account.debt:
        return False
    value = account.collateral_value
    reward = keeper_reward(
        wad_mul_trunc(value, keeper.collateral_reward_ratio),
        keeper.flag_cost + keeper.liquidate_cost,
        keeper,
        value,
    )
    return account.available_margin - reward < 0
