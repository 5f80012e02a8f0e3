"""Accounts that hang on a price which the market's own oracle does not give."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.protocols.roles.market import PricedAsset
from keeper.service.markets import Market


def unvaluable_accounts(run: Market, assets: Sequence[PricedAsset]) -> dict[str, str]:
    """Accounts for which the contract needs a price that its oracle does not give."""
    silent = {each.asset for each in assets if each.price is None}
    if not silent:
        return {}
    why = {asset: _silence(run, asset) for asset in silent}
    found = {}
    accounts = run.book.accounts
    for account in accounts:
        # Strangers' markets are silent at most blocks: whoever is in another need not be looked at.
        if (part := run.adapter.part(account)) and part not in silent:
            continue
        missing = run.adapter.valuer.price_dependencies(run.book.state, accounts[account]) & silent
        if missing:
            found[account] = "; ".join(why[asset] for asset in sorted(missing))
    return found


def _silence(run: Market, asset: str) -> str:
    verdict = run.prices.judgements.get(asset) if run.prices is not None else None
    name = run.prices.symbols.get(asset, asset) if run.prices is not None else asset
    return f"{name} has no price: {verdict.closed}" if verdict else f"{name} has no price"
