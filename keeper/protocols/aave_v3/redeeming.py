"""aTokens taken in a liquidation, turned into what they stand for as far as the pool can pay."""

from __future__ import annotations

from keeper.margin.lending.aave.state import Reserve
from keeper.model.blocked import Blocked
from keeper.model.format import format_amount
from keeper.model.plan import Plan, Spend
from keeper.protocols.aave_v3 import calls
from keeper.protocols.aave_v3.permissions import repay_closed

REDEEM_GAS = 350_000
ERRORS = "aave_v3_errors"


def redemption(
    market: str, pool: str, reserve: Reserve, symbol: str, owner: str, held: int
) -> Plan | Blocked:
    """Withdraw what `owner` holds (token units) or, where the pool has less, all it can pay out."""
    closed = repay_closed(reserve)
    if closed:
        return Blocked(f"redeem a{symbol}: {closed}")
    amount = min(held, reserve.available_liquidity)
    if not amount:
        return Blocked(f"redeem a{symbol}: the pool has no {symbol} to pay out")
    asked = calls.ALL if amount == held else amount
    return Plan(
        market=market,
        account=owner,
        kind="redeem",
        action="withdraw",
        target=pool,
        data="0x" + calls.withdraw(reserve.asset, asked, owner).hex(),
        spend=Spend(reserve.a_token, "", amount),
        spend_base=0,
        gain_base=amount * reserve.price // reserve.unit,
        gas=REDEEM_GAS,
        summary={"redeem": f"{format_amount(amount, reserve.decimals)} {symbol}"},
        errors=ERRORS,
    )
