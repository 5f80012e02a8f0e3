"""Explanation of an account's health, asset by asset, and the prices at which it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keeper.margin.lending.aave import health
from keeper.margin.lending.aave.fixed import WAD
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.state import AccountState
from keeper.model.bisection import edge
from keeper.model.valuation import AssetLine, Valuation

HIGHEST_FACTOR = 1_000


def lines(
    valuation: Valuation, raw: AccountState, market: AccruedMarket, symbols: Mapping[str, str]
) -> tuple[list[AssetLine], str]:
    """Every position, and the formula of the version's health."""
    found = []
    for position in raw.positions:
        accrued = market.reserves[position.reserve_id]
        value = health.value_position(position, raw, market)
        asset = accrued.reserve.asset
        price = health.price_for(accrued, raw.emode, market.emode(raw.emode), market.rules)
        found.append(
            AssetLine(
                asset=asset,
                symbol=symbols.get(asset, asset),
                decimals=accrued.reserve.decimals,
                price=price,
                supplied=value.supplied,
                collateral=value.collateral,
                threshold=value.threshold,
                owed=value.owed,
                debt=value.debt,
                breaks_at=_breaks_at(raw, market, position.reserve_id) if valuation.maintenance else None,
            )
        )
    formula = (
        "collateral × average threshold (truncated) ÷ debt"
        if market.rules.averages_threshold
        else "Σ collateral × threshold ÷ debt"
    )
    mode = f", e-mode {raw.emode}" if raw.emode else ""
    return found, f"Aave {market.rules.version}{mode}: {formula}"


def _breaks_at(raw: AccountState, market: AccruedMarket, reserve_id: int) -> int | None:
    """The nearest price of one asset, others unchanged, on whose far side health crosses 1.

    Found by bisection on exact health. Assets priced by an e-mode source have none of their own.
    """
    accrued = market.reserves[reserve_id]
    if health.price_for(accrued, raw.emode, market.emode(raw.emode), market.rules) != accrued.price:
        return None

    def healthy(price: int) -> bool:
        reserves = {**market.reserves, reserve_id: replace(accrued, price=price)}
        return health.account_data(raw, replace(market, reserves=reserves)).health >= WAD

    here = healthy(accrued.price)
    for far in (0, accrued.price * HIGHEST_FACTOR):
        if healthy(far) != here:
            return edge(lambda price: healthy(price) != here, far, accrued.price)
    return None
