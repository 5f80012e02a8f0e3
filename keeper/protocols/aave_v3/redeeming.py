"""Redemption of aTokens taken in a liquidation, as far as the pool can pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import balance_of, read_symbol, read_uint, symbol
from keeper.model.format import format_amount
from keeper.model.plan import Blocked, Plan, Spend
from keeper.protocols.aave_v3.calls import ALL, ERRORS, WITHDRAW
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.permissions import repay_closed

REDEEM_GAS = 350_000


@dataclass(frozen=True, slots=True)
class Redemptions:
    """Redemptions from one market's pool."""

    market: str
    pool: str

    def claim_reads(self, state: PoolState, asset: str, owner: str) -> list[Call]:
        reserve = state.reserve_of(asset)
        return [balance_of(reserve.a_token, owner), symbol(asset)] if reserve else []

    def plan_redemption(
        self, state: PoolState, asset: str, owner: str, answers: Mapping[Call, Answer]
    ) -> Plan | Blocked | None:
        """Withdraw what `owner` holds (token units) or, where the pool has less, all it can pay out."""
        reserve = state.reserve_of(asset)
        held = read_uint(answers[balance_of(reserve.a_token, owner)]) if reserve else 0
        if reserve is None or not held:
            return None
        name = read_symbol(answers[symbol(asset)], asset)
        closed = repay_closed(reserve)
        if closed:
            return Blocked(f"redeem a{name}: {closed}")
        amount = min(held, reserve.available_liquidity)
        if not amount:
            return Blocked(f"redeem a{name}: the pool has no {name} to pay out")
        data = encoded(WITHDRAW, reserve.asset, ALL if amount == held else amount, owner)
        return Plan(
            market=self.market,
            account=owner,
            kind="redeem",
            action="withdraw",
            target=self.pool,
            data="0x" + data.hex(),
            spend=Spend(reserve.a_token, "", amount),
            spend_base=0,
            gain_base=amount * reserve.price // reserve.unit,
            gas=REDEEM_GAS,
            summary={"redeem": f"{format_amount(amount, reserve.decimals)} {name}"},
            errors=ERRORS,
        )
