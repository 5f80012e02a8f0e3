"""Top-ups of any amount, for a pool of unknown arithmetic: the contract itself shows what they do.

Only what no version has changed is used: the functions and their arguments, `getUserAccountData`, prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.config.policy import Step
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.model.cure import CureRequest, Unsized, action_words
from keeper.model.plan import Blocked, Plan
from keeper.protocols.aave_v3 import calls, offering
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.permissions import repay_closed, supply_closed
from keeper.protocols.aave_v3.planning import default_steps, unsized_cure
from keeper.protocols.cures import named, plan_of


@dataclass(frozen=True, slots=True)
class UnsizedTopUps:
    """Top-ups for one market's pool."""

    market: str
    pool: str

    def unsized_top_ups(
        self, state: PoolState, raw: AccountState, request: CureRequest
    ) -> list[Unsized | Blocked]:
        """The steps in their order; only assets that the account already uses as collateral are supplied."""
        steps = request.steps or default_steps(raw, state.market)
        return [self._unsized(state.market, raw, request, step) for step in steps]

    def _unsized(
        self, state: MarketState, raw: AccountState, request: CureRequest, step: Step
    ) -> Unsized | Blocked:
        reserves = {reserve.asset.lower(): reserve for reserve in state.reserves.values()}
        asset = named(step, (offering.asset(reserve, request.purse) for reserve in reserves.values()))
        if asset is None:
            return Blocked(f"{step.asset} is not in this market")
        reserve, name = reserves[asset.token], f"{action_words(step.action)} {asset.symbol}"
        closed = (supply_closed if step.action == "add_collateral" else repay_closed)(reserve)
        if step.action == "add_collateral" and not raw.uses_as_collateral(reserve.id):
            closed = closed or "the account does not use it as collateral"
        if closed:
            return Blocked(f"{name}: {closed}")
        affordable, owner = request.affordable(asset), request.owner
        most = min(affordable, request.payable(asset.token))
        if not most:
            nothing = owner.why[asset.token] if owner else "none to pay with"
            return Blocked(f"{name}: {nothing if affordable else 'the cap is used up'}")
        cure = unsized_cure(self.pool, request, step, asset, calls.VARIABLE)

        def plan(amount: int, floor: int) -> Plan:
            found = plan_of(self.market, request, cure, amount, floor, sized="by the contract's own view")
            return replace(found, sized_by_contract=True)

        return Unsized(name, most, plan)
