"""Liquidations, which cost nothing and earn the gas compensation, and top-ups by the trove's owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.margin.lending.least import least
from keeper.margin.lending.liquity.trove import Trove, coll_gas_compensation_down, collateral_ratio_down
from keeper.margin.rounding import WAD
from keeper.plan import NATIVE, Check, Plan, Spend
from keeper.protocols.amounts import units
from keeper.protocols.base import Asset, Deal, Facts, Impossible, Offer, Step
from keeper.protocols.liquity.lens import System

LIQUIDATION_GAS = 550_000
ERRORS = "liquity_errors"
TOP_UP_GAS = 500_000
NOBODY = "0x" + "00" * 20
ADD = "addColl(address,address)"
REPAY = "repayMUSD(uint256,address,address)"
LIQUIDATE = "batchLiquidateTroves(address[])"


@dataclass(frozen=True, slots=True)
class TroveFacts(Facts):
    """With the neighbours of each trove in the sorted list, from which its new place is searched."""

    hints: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def call(signature: str, *arguments: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return function_signature_to_4byte_selector(signature) + encode(types, arguments)


def health_down(trove: Trove, state: System) -> int | None:
    """The ratio over the least one, 1e18: below it exactly where the contract's ratio is. None: no debt."""
    if not trove.debt:
        return None
    return collateral_ratio_down(trove, state.price or 0) * WAD // state.terms.mcr


def offers(manager: str, state: System, account: str, trove: Trove, token: Asset) -> list[Offer] | Impossible:
    """To liquidate the trove, which takes nothing and brings the gas compensation."""
    if state.price is None:
        return Impossible("the price feed is stale: nothing can be liquidated")
    if state.troves <= 1:
        return Impossible("it is the last trove, which the system never liquidates")
    if (health_down(trove, state) or WAD) >= WAD:
        return Impossible("health is back above 1")
    deal = Deal(0, 0, state.terms.gas_reserve, (call(LIQUIDATE, [account]),))
    coins = coll_gas_compensation_down(trove.coll, state.terms)
    return [
        Offer(
            token,
            token,
            manager,
            (0,),
            lambda _: deal,
            LIQUIDATION_GAS,
            errors=ERRORS,
            besides=coins * state.price // WAD,
        )
    ]


def top_up(
    market: str,
    manager: str,
    state: System,
    account: str,
    trove: Trove,
    facts: Facts,
    assets: Mapping[str, Asset],
    funds: Mapping[str, int],
    steps: Sequence[Step],
    target: int,
    budget_base: int,
) -> Plan | Impossible:
    """The first step that reaches `target` alone; else the first that helps; else why none does."""
    if facts.payer.lower() != account:
        return Impossible(f"only a trove's owner can add to it or repay, and the signer is {facts.payer}")
    if state.price is None:
        return Impossible("the price feed is stale: the market takes nothing")
    recovery = collateral_ratio_down(state.whole, state.price) < state.terms.ccr
    chosen: Plan | None = None
    reasons = []
    for step in steps or (Step("repay", state.debt_token), Step("supply", NATIVE)):
        asset = next((a for a in assets.values() if step.asset.lower() in (a.token, a.symbol.lower())), None)
        if asset is None or (asset.token == NATIVE) != (step.action == "supply"):
            reasons.append(f"{step.action} {step.asset} is nothing this market takes")
            continue
        most = min(_most(state, trove, asset, facts, funds), budget_base * asset.unit // asset.price)
        amount = least(partial(_reaches, state, trove, asset, target), most) or most
        if amount <= 0:
            reasons.append(f"{step.action} {asset.symbol}: neither funds, nor cap, nor least debt allow any")
            continue
        reached = health_down(_after(trove, asset, amount), state) or 0
        if reached < WAD and not recovery:
            reasons.append(f"{step.action} {asset.symbol}: not enough for the least ratio; no less is taken")
            continue
        plan = _plan(market, manager, state, account, trove, asset, amount, facts)
        plan = replace(plan, summary={**plan.summary, "health_after": str(reached)})
        if reached >= target:
            return plan
        chosen = chosen or plan
    return chosen or Impossible("; ".join(reasons))


def _most(state: System, trove: Trove, asset: Asset, facts: Facts, funds: Mapping[str, int]) -> int:
    """What the payer has, and what the debt may fall by: its least and the gas reserve stay."""
    if asset.token == NATIVE:
        return max(funds.get(NATIVE, 0) - facts.kept_native, 0)
    stays = state.terms.gas_reserve + state.min_net_debt
    return max(min(funds.get(asset.token, 0), trove.debt - stays), 0)


def _after(trove: Trove, asset: Asset, amount: int) -> Trove:
    if asset.token == NATIVE:
        return replace(trove, coll=trove.coll + amount)
    return replace(trove, debt=trove.debt - amount)


def _reaches(state: System, trove: Trove, asset: Asset, target: int, amount: int) -> bool:
    return (health_down(_after(trove, asset, amount), state) or 0) >= target


def _plan(
    market: str,
    manager: str,
    state: System,
    account: str,
    trove: Trove,
    asset: Asset,
    amount: int,
    facts: Facts,
) -> Plan:
    """A call on BorrowerOperations, which takes coins as value and burns the debt token without allowance."""
    hints = facts.hints.get(account, (NOBODY, NOBODY)) if isinstance(facts, TroveFacts) else (NOBODY, NOBODY)
    supply = asset.token == NATIVE
    data = call(ADD, *hints) if supply else call(REPAY, amount, *hints)
    held = "0x" + call("getTroveColl(address)", account).hex()
    return Plan(
        market=market,
        account=account,
        kind="top_up",
        action="supply" if supply else "repay",
        target=state.operations,
        data="0x" + data.hex(),
        spend=Spend(asset.token, "", amount, burned=not supply),
        spend_base=-(-amount * asset.price // asset.unit),
        gain_base=0,
        gas=TOP_UP_GAS,
        summary={"supply" if supply else "repay": f"{units(amount, 18)} {asset.symbol}"},
        postcondition=Check(manager, held, 0, trove.coll + amount) if supply else None,
        value=amount if supply else 0,
        errors=ERRORS,
    )
