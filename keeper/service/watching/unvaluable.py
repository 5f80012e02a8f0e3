"""Accounts that hang on a price which the market's own oracle does not give."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.protocols.roles.market import PricedAsset
from keeper.service.markets import Market


def unvaluable_accounts(market: Market, assets: Sequence[PricedAsset]) -> dict[str, str]:
    """Accounts for which the contract needs a price that its oracle does not give."""
    silent = {each.asset for each in assets if each.price is None}
    if not silent:
        return {}
    why = {asset: _silence(market, asset) for asset in silent}
    found = {}
    accounts = market.book.accounts
    for account in accounts:
        # Strangers' markets are silent at most blocks: whoever is in another need not be looked at.
        if (part := market.adapter.part(account)) and part not in silent:
            continue
        missing = market.adapter.valuer.price_dependencies(market.book.state, accounts[account]) & silent
        if missing:
            found[account] = "; ".join(why[asset] for asset in sorted(missing))
    return found


def _silence(market: Market, asset: str) -> str:
    verdict = market.prices.judgements.get(asset) if market.prices is not None else None
    name = market.prices.symbols.get(asset, asset) if market.prices is not None else asset
    return f"{name} has no price: {verdict.closed}" if verdict else f"{name} has no price"
