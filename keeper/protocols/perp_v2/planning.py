"""What helps a trader: collateral that anybody may deposit for them."""

from __future__ import annotations

from dataclasses import replace

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset
from keeper.protocols.cures import ENDLESS, MOST, Cure, grown, needed
from keeper.protocols.perp_v2.lens import CurieState
from keeper.protocols.perp_v2.records import Trader
from keeper.protocols.perp_v2.valuing import growths, valued

DEPOSIT_FOR = "depositFor(address,address,uint256)"
DEPOSIT_GAS = 400_000


def cure(state: CurieState, raw: Trader, request: CureRequest, step: Step, asset: Asset) -> Cure:
    """A deposit into the vault, of the settlement token or of another collateral."""
    now = growths(state, request.timestamp)
    held = dict(raw.tokens).get(asset.token, 0)
    settles = asset.token == state.settlement.lower()

    def then(amount: int) -> int:
        more = after(raw, asset.token, amount, settles=settles)
        found = valued(state, request.account, more, now).health
        return ENDLESS if found is None else found

    view = "0x" + encoded("getBalanceByToken(address,address)", request.account, asset.token).hex()
    token = state.tokens.get(asset.token)
    room = None if token is None or not token.cap else max(token.cap - token.held, 0)
    return Cure(
        step,
        asset,
        needed(then, request.target, MOST),
        then,
        state.vault,
        lambda amount: encoded(DEPOSIT_FOR, request.account, asset.token, amount),
        DEPOSIT_GAS,
        "",
        grown(state.vault, view, raw.balance if settles else held),
        room=room,
        full="the cap of this collateral is reached",
    )


def after(raw: Trader, token: str, amount: int, *, settles: bool) -> Trader:
    """The trader after a deposit."""
    if settles:
        return replace(raw, balance=raw.balance + amount)
    held = dict(raw.tokens)
    held[token] = held.get(token, 0) + amount
    return replace(raw, tokens=tuple(held.items()))
