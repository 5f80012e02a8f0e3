"""What an Aave pool has prices for, and whose valuation depends on which."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.margin.lending.aave import bounds
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.margin.lending.aave.state import AccountState
from keeper.protocols.aave_v3 import calls
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.erc20_calls import symbol
from keeper.protocols.roles.valuer import PricedAsset


def priced_assets(state: PoolState) -> list[PricedAsset]:
    """Every reserve, and whatever e-mode categories (up to 3.1) take a price of their own from."""
    unpriced = {asset.lower() for asset in state.unpriced}
    found = {
        reserve.asset.lower(): None if reserve.asset.lower() in unpriced else reserve.price
        for reserve in state.market.reserves.values()
    }
    for category, source in state.emode_sources.items():
        price = None if category in state.unpriced_emodes else state.market.emodes[category].price
        found.setdefault(source.lower(), price)
    return [
        PricedAsset(asset, price, calls.source_of(state.oracle, asset), symbol(asset))
        for asset, price in found.items()
    ]


def price_dependencies(state: PoolState, raw: AccountState) -> frozenset[str]:
    """The pool reads the price of every reserve that the account's bitmap marks, of any amount; a category's
    own price replaces its members' and is read for whoever is in the category."""
    if not raw.positions:
        return frozenset()
    own = state.emode_sources.get(raw.emode) if raw.emode else None
    read = {own.lower()} if own else set()
    rules = BY_REVISION.get(state.revision)
    by_bitmap = rules is not None and rules.emode_by_bitmap
    for position in raw.positions:
        reserve = state.market.reserves[position.reserve_id]
        if own and not by_bitmap and reserve.emode_category == raw.emode:
            continue
        read.add(reserve.asset.lower())
    return frozenset(read)


def leg_assets(state: PoolState, legs: Sequence[int]) -> list[str]:
    """The asset, or a category's own price source, behind each leg; empty for a reserve that is gone."""
    rules = BY_REVISION.get(state.revision)
    by_bitmap = rules is not None and rules.emode_by_bitmap
    found = []
    for leg in legs:
        category, reserve_id = divmod(leg, bounds.RESERVES)
        reserve = state.market.reserves.get(reserve_id)
        own = state.emode_sources.get(category) if category else None
        if own and not by_bitmap and reserve is not None and reserve.emode_category == category:
            found.append(own.lower())
        else:
            found.append(reserve.asset.lower() if reserve is not None else "")
    return found
