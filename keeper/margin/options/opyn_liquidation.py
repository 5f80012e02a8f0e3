"""Liquidation of Opyn Gamma naked margin vaults: when one is liquidatable, and at which auction price.

Source: opynfinance/GammaProtocol contracts/core/MarginCalculator.sol, isLiquidatable and _getDebtPrice. The
collateral paid per repaid option rises linearly over the auction from its cash value less the oracle's
deviation to the vault's whole collateral per option.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.options.fixed_point import div, from_units, mul, to_units_down
from keeper.margin.options.opyn import Vault, collateral_of, from_price
from keeper.margin.options.opyn_naked import NakedParameters, naked_required

AUCTION_SECONDS = 3_600
_SECONDS_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class AuctionRound:
    """The oracle round an auction starts from: `price` of the underlying (8 decimals) at `timestamp`."""

    price: int
    timestamp: int

    def __post_init__(self) -> None:
        natural(self.price, "round.price")
        natural(self.timestamp, "round.timestamp")


def debt_price(
    vault: Vault,
    start: AuctionRound,
    now: int,
    expiry: int,
    updated: int,
    parameters: NakedParameters,
    oracle_deviation: int = 0,
) -> int | None:
    """Collateral units paid per repaid option, rounded down; None where the vault is not liquidatable.

    Times are Unix seconds; `updated` is when the vault was last changed: the round must be later.
    `oracle_deviation` is scaled to 1e27. The required margin uses the round's price and the time left now.
    Raises `MarginError` where the contract would revert.
    """
    if vault.short_amount == 0:
        return None
    if now >= expiry:
        raise MarginError("the option has expired", field="expiry", remedy="Settle the vault instead")
    if start.timestamp <= updated:
        raise MarginError(
            "the round is not later than the vault's last update",
            field="round.timestamp",
            remedy="Use a later one",
        )
    if start.timestamp > now:
        raise MarginError("the round is in the future", field="round.timestamp", remedy="Use a past one")
    held = collateral_of(vault)
    required = naked_required(
        is_put=vault.is_put,
        short_amount=vault.short_amount,
        strike=vault.short_strike,
        price=start.price,
        upper_bound=parameters.upper_bound(expiry - now),
        spot_shock=parameters.spot_shock,
    )
    if required <= held:
        return None
    ending = div(held, from_price(vault.short_amount))
    elapsed = now - start.timestamp
    if elapsed >= AUCTION_SECONDS:
        return to_units_down(ending, vault.collateral_decimals)
    starting = _starting_price(vault, start.price, natural(oracle_deviation, "oracle_deviation"))
    # seconds enter with 18 decimals below the fixed point's 27, so a second is 1e9
    seconds, whole = (from_units(s, _SECONDS_DECIMALS) for s in (elapsed, AUCTION_SECONDS))
    price = starting + div(mul(ending - starting, seconds), whole)
    return to_units_down(min(price, ending), vault.collateral_decimals)


def _starting_price(vault: Vault, price: int, oracle_deviation: int) -> int:
    spot, strike = from_price(price), from_price(vault.short_strike)
    cash_value = max(strike - spot if vault.is_put else spot - strike, 0)
    start = max(cash_value - mul(oracle_deviation, spot), 0)
    return start if vault.is_put else div(start, spot)
