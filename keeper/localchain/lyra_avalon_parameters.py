"""Lyra Avalon's parameters: each class has the fields of one of its structures, in their order, and the
values of the deploy recipe in its npm package. Fractions, prices and amounts are scaled 1e18, times are
seconds."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.model.money import WAD as WAD

HOUR = 3_600
DAY = 24 * HOUR
WEEK = 7 * DAY
UNLIMITED = 2**256 - 1
SECURITY_MODULE = "0x" + "efee" * 10
"""Receiver of the reserved part of fees and penalties."""


@dataclass(frozen=True)
class MinimumCollateral:
    """The minimum collateral of a short: the option's price at a shocked spot and volatility, which falls
    from A to B between two times to expiry; at least a static amount, at most what covers everything."""

    static_quote: int = 200 * WAD
    static_base: int = WAD // 5
    shock_volatility_a: int = 5 * WAD // 2
    shock_point_a: int = 2 * WEEK
    shock_volatility_b: int = 9 * WAD // 5
    shock_point_b: int = 8 * WEEK
    call_spot_shock: int = 6 * WAD // 5
    put_spot_shock: int = 4 * WAD // 5


@dataclass(frozen=True)
class LiquidationPenalty:
    """The penalty of a liquidation as a share of the remaining collateral, and the shares of it that the
    liquidator and the security module get."""

    penalty_ratio: int = WAD // 5
    liquidator_ratio: int = 2 * WAD // 5
    security_module_ratio: int = 3 * WAD // 10
    minimum: int = 15 * WAD


@dataclass(frozen=True)
class ForcedClose:
    """Pricing of options that are force closed or liquidated: averaging periods, volatility shocks, minimum
    shares of spot."""

    iv_period: int = 12 * HOUR
    skew_period: int = DAY
    short_shock: int = 6 * WAD // 5
    short_late_shock: int = 7 * WAD // 5
    long_shock: int = 4 * WAD // 5
    long_late_shock: int = WAD // 2
    liquidation_shock: int = 13 * WAD // 10
    liquidation_late_shock: int = 8 * WAD // 5
    short_spot_minimum: int = WAD // 100
    liquidation_spot_minimum: int = WAD // 50


@dataclass(frozen=True)
class GreekCaching:
    """When cached Greeks are stale, the periods over which volatility is averaged, and the interest rate."""

    max_strikes: int = 30
    acceptable_spot_move: int = WAD // 20
    stale_after: int = 3 * HOUR
    variance_iv_period: int = DAY
    variance_skew_period: int = 3 * DAY
    value_iv_period: int = DAY
    value_skew_period: int = 3 * DAY
    skew_floor: int = WAD // 2
    skew_cap: int = 2 * WAD
    rate: int = WAD // 20


@dataclass(frozen=True)
class AvalonTerms:
    """Terms of all boards: the farthest expiry, and fees."""

    max_expiry: int = 48 * WEEK
    security_module: str = SECURITY_MODULE
    fee_reserved: int = WAD // 10
    base_settlement_fee: int = 75 * WAD // 10_000


@dataclass(frozen=True)
class TradeFees:
    """Fees of opening and closing, and how a trade of the standard size moves volatility."""

    option_price: int = WAD // 100
    option_price_1x: int = 6 * WEEK
    option_price_2x: int = 16 * WEEK
    spot_price: int = WAD // 100
    spot_price_1x: int = 6 * WEEK
    spot_price_2x: int = 12 * WEEK
    vega: int = 100 * WAD
    standard_size: int = 5 * WAD
    skew_adjustment: int = 3 * WAD // 4


@dataclass(frozen=True)
class TradeLimits:
    """Deltas and volatilities at which trading is allowed, and the time before expiry at which it ends."""

    min_delta: int = 3 * WAD // 20
    min_forced_delta: int = WAD // 4
    cutoff: int = DAY // 2
    min_iv: int = 7 * WAD // 20
    max_iv: int = 2 * WAD
    min_skew: int = WAD // 2
    max_skew: int = 3 * WAD // 2
    min_volatility: int = 11 * WAD // 20
    max_volatility: int = 3 * WAD
    absolute_min_skew: int = 3 * WAD // 20
    absolute_max_skew: int = 5 * WAD
    cap_skews: bool = False


@dataclass(frozen=True)
class VarianceFees:
    """The additional fee while volatility is far from its average."""

    coefficient: int = WAD // 4
    forced_coefficient: int = WAD // 4
    skew_adjustment: int = 3 * WAD
    reference_skew: int = WAD
    minimum_skew_adjustment: int = WAD
    vega: int = WAD // 100
    minimum_vega: int = 0
    iv_variance: int = 3 * WAD // 2
    minimum_iv_variance: int = WAD


@dataclass(frozen=True)
class PoolTerms:
    """Deposits and withdrawals of liquidity, and the circuit breakers that halt them."""

    min_deposit: int = WAD
    deposit_delay: int = WEEK
    withdrawal_delay: int = WEEK
    withdrawal_fee: int = WAD // 100
    liquidity_threshold: int = WAD // 100
    liquidity_timeout: int = 3 * DAY
    iv_variance_threshold: int = WAD // 10
    skew_variance_threshold: int = 7 * WAD // 20
    iv_variance_timeout: int = 12 * HOUR
    skew_variance_timeout: int = 12 * HOUR
    guardian: str = ZERO_ADDRESS
    guardian_delay: int = 2 * WEEK
    settlement_timeout: int = 6 * HOUR
    max_fee_paid: int = WAD // 100


@dataclass(frozen=True)
class HedgerTerms:
    """How often and how far the pool hedges its delta."""

    interaction_delay: int = DAY
    hedge_cap: int = UNLIMITED
