"""Buying a trader's collateral for its debt, at a discount from the average price, which the vault opens to
anybody.

Source: perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/Vault.sol (liquidateCollateral).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from keeper.chain.calldata import encoded
from keeper.margin.perps.perp_v2_collateral import TokenLot, bought, most_repaid, most_sold
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked
from keeper.protocols.perp_v2.lens import CurieState
from keeper.protocols.perp_v2.records import Trader
from keeper.protocols.perp_v2.valuing import growths, pledge_of, valued

BUY = "liquidateCollateral(address,address,uint256,bool)"
GAS = 450_000
# What may be repaid follows averages and funding, and beyond it the vault refuses: so much of it is left.
LEFT = 200


def offers(
    state: CurieState, account: str, raw: Trader, timestamp: int, assets: Mapping[str, Asset]
) -> list[Offer] | Blocked:
    """Each collateral that can be bought, or why none can."""
    if state.paused:
        return Blocked("the exchange is paused")
    now = growths(state, timestamp)
    pledge, causes = pledge_of(state, raw, now)
    if not causes:
        return Blocked("its collateral is not for sale")
    initial = valued(state, account, raw, now).initial or 0
    repaid = most_repaid(pledge, initial, state.sales)
    found = []
    for token, amount in raw.tokens:
        each = state.tokens[token]
        if each.price and token in assets:
            # What it is sold for is now's price, whichever way the average still lags.
            now_worth = min(assets[token].price, each.spot * 10 ** (18 - each.price_decimals))
            gets = replace(assets[token], price=now_worth)
            lot = TokenLot(amount, each.price, each.discount, each.decimals, each.price_decimals)
            paid, _ = most_sold(lot, repaid, state.decimals)
            if paid - paid // LEFT > 0:
                found.append(_offer(state, account, lot, paid - paid // LEFT, assets, gets))
    return found or Blocked("none of its collateral has a price")


def _offer(
    state: CurieState, account: str, lot: TokenLot, most: int, assets: Mapping[str, Asset], gets: Asset
) -> Offer:
    def deal(spend: int) -> Quote | None:
        got = bought(lot, spend, state.decimals)
        if not got:
            return None
        return Quote(spend, spend, got, (encoded(BUY, account, gets.token, spend, True),))

    dollar = assets[state.settlement.lower()]
    return Offer(dollar, gets, state.vault.lower(), (most,), deal, GAS, "perp_v2_errors")
