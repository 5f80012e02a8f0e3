"""dYdX v4's liquidity tiers: initial margin grows with open interest, maintenance margin does not.

Rates in parts per million, amounts in quote quantums; IM and MM each round up.
A rate scaled by open interest is truncated to whole ppm before it is applied.
Source: dydxprotocol/v4-chain, protocol/x/perpetuals/types/liquidity_tier.go and x/perpetuals/lib/lib.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Provenance
from keeper.margin.rounding import mul_div_up

MILLION = 10**6
V4 = Provenance("4", date(2024, 6, 1), "dydxprotocol/v4-chain, x/perpetuals/types/liquidity_tier.go")


@dataclass(frozen=True, slots=True)
class LiquidityTier:
    """`initial_margin_ppm`, `maintenance_fraction_ppm` (of initial); caps of open interest in quote quantums.

    An upper cap of zero switches scaling by open interest off.
    """

    initial_margin_ppm: int
    maintenance_fraction_ppm: int
    open_interest_lower_cap: int = 0
    open_interest_upper_cap: int = 0
    provenance: Provenance = V4

    def __post_init__(self) -> None:
        for name in ("initial_margin_ppm", "maintenance_fraction_ppm"):
            if natural(getattr(self, name), name) > MILLION:
                raise MarginError("must not exceed 1,000,000 ppm", field=name)
        natural(self.open_interest_lower_cap, "open_interest_lower_cap")
        if natural(self.open_interest_upper_cap, "open_interest_upper_cap") < self.open_interest_lower_cap:
            raise MarginError("exceeds the upper cap", field="open_interest_lower_cap")

    @property
    def maintenance_margin_ppm(self) -> int:
        """Maintenance rate ⌊initial·fraction⌋, ppm."""
        return self.initial_margin_ppm * self.maintenance_fraction_ppm // MILLION

    def max_abs_funding_ppm(self, clamp_factor_ppm: int) -> int:
        """⌊factor·(initial − maintenance)⌋, ppm: the most a funding rate or premium vote may be."""
        spread = self.initial_margin_ppm - self.maintenance_margin_ppm
        return natural(clamp_factor_ppm, "clamp_factor_ppm") * spread // MILLION

    def adjusted_initial_ppm_down(self, open_interest: int) -> int:
        """Initial rate at an open interest, ppm: base + ⌊(1 − base)·(OI − lower)/(upper − lower)⌋.

        The base rate up to the lower cap; a million from the upper cap on.
        """
        lower, upper = self.open_interest_lower_cap, self.open_interest_upper_cap
        natural(open_interest, "open_interest")
        if upper and open_interest >= upper:
            return MILLION
        if not upper or open_interest <= lower:
            return self.initial_margin_ppm
        added = (MILLION - self.initial_margin_ppm) * (open_interest - lower) // (upper - lower)
        return self.initial_margin_ppm + added

    def initial_margin_up(self, notional: int, open_interest: int = 0, custom_ppm: int = 0) -> int:
        """Initial margin of an absolute notional, quote quantums; `custom_ppm`: the account's own rate, where
        higher."""
        ppm = max(self.adjusted_initial_ppm_down(open_interest), natural(custom_ppm, "custom_ppm"))
        return mul_div_up(natural(notional, "notional"), ppm, MILLION)

    def maintenance_margin_up(self, notional: int) -> int:
        """⌈⌈notional·initial⌉·fraction⌉, quote quantums: from the unscaled initial margin."""
        base = mul_div_up(natural(notional, "notional"), self.initial_margin_ppm, MILLION)
        return mul_div_up(base, self.maintenance_fraction_ppm, MILLION)
