"""The cost of buying a short back on Avalon, fees included, in the contract's integers (18 decimals).

Source: @lyrafinance/protocol 0.1.3-alpha, OptionMarketPricer (updateCacheAndGetTradeResult, getTradeResult)
and OptionGreekCache (updateStrikeExposureAndGetPrice, getPriceForForceClose). Averages of volatility are
inputs: they change a little from block to block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.options.lyra_avalon.option_prices import call_delta_and_vega, option_prices
from keeper.margin.rounding import WAD, wad_div_down, wad_mul_down

_STEP = 100
"""A trade of the standard size moves the board's volatility by 1 / 100: one percentage point."""


@dataclass(frozen=True, slots=True)
class TradeTerms:
    """`getPricingParams` in its order: shares and sizes with 18 decimals, times to expiry in seconds."""

    option_fee: int
    option_fee_1x: int
    option_fee_2x: int
    spot_fee: int
    spot_fee_1x: int
    spot_fee_2x: int
    vega_fee: int
    standard_size: int
    skew_share: int


@dataclass(frozen=True, slots=True)
class ClosingLimits:
    """`getTradeLimitParams` in its order: 18 decimals, `cutoff` in seconds, `caps_skew` 0 or 1."""

    min_delta: int
    min_forced_delta: int
    cutoff: int
    min_iv: int
    max_iv: int
    min_skew: int
    max_skew: int
    min_volatility: int
    max_volatility: int
    least_skew: int
    most_skew: int
    caps_skew: int


@dataclass(frozen=True, slots=True)
class VarianceTerms:
    """`getVarianceFeeParams` in its order; 18 decimals."""

    coefficient: int
    forced_coefficient: int
    skew_share: int
    usual_skew: int
    least_skew: int
    vega_share: int
    least_vega: int
    variance_share: int
    least_variance: int


@dataclass(frozen=True, slots=True)
class ForcedTerms:
    """`getForceCloseParams` in its order: periods in seconds, shocks and shares of spot with 18 decimals."""

    iv_period: int
    skew_period: int
    short_shock: int
    short_late_shock: int
    long_shock: int
    long_late_shock: int
    liquidation_shock: int
    liquidation_late_shock: int
    short_least: int
    liquidation_least: int


@dataclass(frozen=True, slots=True)
class ClosingTerms:
    """A market's terms, and of its state: net standardised vega, the pool's net asset value (`worth`), the
    strike's standardised vega per option, and averages of volatility and skew. 18 decimals."""

    trade: TradeTerms
    limits: ClosingLimits
    variance: VarianceTerms
    forced: ForcedTerms
    net_vega: int
    worth: int
    vega: int
    variance_iv: int
    forced_iv: int
    forced_skew: int

    @classmethod
    def read(cls, numbers: Sequence[int]) -> ClosingTerms:
        """Terms from all numbers in the order of the fields, as signed integers."""
        row = iter(numbers)
        return cls(
            TradeTerms(*islice(row, 9)),
            ClosingLimits(*islice(row, 12)),
            VarianceTerms(*islice(row, 9)),
            ForcedTerms(*islice(row, 10)),
            *row,
        )


@dataclass(frozen=True, slots=True)
class ShortLeg:
    """A short of one strike, `seconds` before expiry: the strike's `price`, spot, the board's volatility, the
    strike's skew and the interest rate; 18 decimals."""

    kind: ShortKind
    price: int
    seconds: int
    spot: int
    iv: int
    skew: int
    rate: int

    @property
    def pays(self) -> int:
        """Intrinsic value of one option, dollars."""
        gain = self.price - self.spot if self.kind == ShortKind.PUT_QUOTE else self.spot - self.price
        return max(gain, 0)

    def worth(self, volatility: int) -> int:
        """Price of one option at a volatility, dollars. MarginError where the contract reverts."""
        call, put = option_prices(self.seconds, volatility, self.spot, self.price, self.rate)
        return put if self.kind == ShortKind.PUT_QUOTE else call


def closing_cost(terms: ClosingTerms, leg: ShortLeg, amount: int, *, forced: bool) -> int | None:
    """Dollars (18 decimals) that buying `amount` back costs, `forced` by a force close. None where the market
    refuses the trade: volatility, skew, delta or time to expiry are outside its limits."""
    limits = terms.limits
    late = leg.seconds < limits.cutoff
    moved = wad_div_down(amount, terms.trade.standard_size) // _STEP
    skew = leg.skew + wad_mul_down(moved, terms.trade.skew_share)
    iv = leg.iv if forced else leg.iv + moved
    if forced and not limits.least_skew < skew < limits.most_skew:
        return None
    volatility = wad_mul_down(iv, skew)
    if not forced and (
        late or volatility > limits.max_volatility or iv > limits.max_iv or skew > limits.max_skew
    ):
        return None
    if limits.caps_skew:
        skew = max(min(skew, limits.most_skew), limits.least_skew)
        volatility = wad_mul_down(iv, skew)
    delta, vega = call_delta_and_vega(leg.seconds, volatility, leg.spot, leg.price, leg.rate)
    if forced:
        if not late and limits.min_forced_delta < delta < WAD - limits.min_forced_delta:
            return None
        price, traded = _forced_price(terms, leg, volatility, late=late)
    else:
        if not limits.min_delta <= delta <= WAD - limits.min_delta:
            return None
        price, traded = leg.worth(volatility), volatility
    premium = wad_mul_down(price, amount)
    return (
        premium
        + _flat_fees(terms.trade, leg, amount, premium)
        + _vega_fee(terms, amount, traded)
        + _variance_fee(terms, amount, vega, skew, abs(terms.variance_iv - iv), forced=forced)
    )


def _forced_price(terms: ClosingTerms, leg: ShortLeg, volatility: int, *, late: bool) -> tuple[int, int]:
    """Price of one option in a force close, and the volatility it is priced at."""
    forced = terms.forced
    highest = max(wad_mul_down(terms.forced_iv, terms.forced_skew), volatility)
    traded = wad_mul_down(highest, forced.short_late_shock if late else forced.short_shock)
    return max(leg.worth(traded), leg.pays + wad_mul_down(leg.spot, forced.short_least)), traded


def _flat_fees(trade: TradeTerms, leg: ShortLeg, amount: int, premium: int) -> int:
    of_price = _by_time(leg.seconds, trade.option_fee_1x, trade.option_fee_2x, trade.option_fee)
    of_spot = _by_time(leg.seconds, trade.spot_fee_1x, trade.spot_fee_2x, trade.spot_fee)
    return wad_mul_down(of_price, premium) + wad_mul_down(wad_mul_down(of_spot, leg.spot), amount)


def _by_time(seconds: int, once: int, twice: int, coefficient: int) -> int:
    if seconds <= once:
        return coefficient
    return wad_mul_down(coefficient, WAD + (seconds - once) * WAD // (twice - once))


def _vega_fee(terms: ClosingTerms, amount: int, volatility: int) -> int:
    """Vega fee in dollars; 0 where the pool's absolute net vega does not grow."""
    after = terms.net_vega + wad_mul_down(amount, terms.vega)
    if abs(terms.net_vega) >= abs(after):
        return 0
    used = wad_div_down(wad_mul_down(volatility, abs(after)), terms.worth)
    return wad_mul_down(wad_mul_down(terms.trade.vega_fee, used), amount)


def _variance_fee(
    terms: ClosingTerms, amount: int, vega: int, skew: int, variance: int, *, forced: bool
) -> int:
    of = terms.variance
    fee = of.forced_coefficient if forced else of.coefficient
    for factor in (
        of.least_vega + wad_mul_down(vega, of.vega_share),
        of.least_skew + wad_mul_down(abs(skew - of.usual_skew), of.skew_share),
        of.least_variance + wad_mul_down(variance, of.variance_share),
        amount,
    ):
        fee = wad_mul_down(fee, factor)
    return fee
