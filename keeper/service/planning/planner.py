"""From breaches to decisions, by inputs that were read beforehand; asks no node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.model.cure import CureRequest
from keeper.model.money import Rate
from keeper.model.offer import Offer
from keeper.model.plan import Blocked, Plan, Spend
from keeper.model.purse import Purse
from keeper.policy.choose import Candidate, Decision, choose
from keeper.policy.costs import Budget, affordable
from keeper.policy.guards import Verdicts, at_market, closed, may_top_up
from keeper.policy.routes import Route, untried
from keeper.protocols import inventory
from keeper.service.planning.breach import Breach
from keeper.service.planning.contract_liquidations import LiquidationBatches, seal
from keeper.service.planning.inputs import PlanningInputs

Plans = Callable[[Mapping[str, int]], list[Plan] | Blocked]
"""The plans that are possible with these funds, best first, or why there are none."""

NOBODY = Blocked("no [signer] is configured: there is nobody to act")


def plan_block(due: Sequence[Breach], inputs: PlanningInputs | None) -> list[tuple[Breach, Decision]]:
    """A decision for each breach, in the order in which they should be sent. Without `inputs` nobody can
    act."""
    if inputs is None:
        return [(each, Decision(_candidate(each), NOBODY)) for each in due]
    planner = _Planner(inputs)
    by_key = {each.key: each for each in due}
    batches = LiquidationBatches(inputs.block_gas_limit) if inputs.trading else None
    chosen = choose([planner.candidate(each) for each in due], inputs.funds, inputs.costs, batches)
    return [(by_key[each.candidate.key], _sealed(each)) for each in chosen]


def _sealed(decision: Decision) -> Decision:
    """The decision with its plan complete: target and calldata of the transaction that carries it out."""
    return decision if decision.plan is None else Decision(decision.candidate, seal(decision.plan))


def _candidate(
    breach: Breach,
    budgets: Sequence[Budget] = (),
    plan: Plans = lambda _: Blocked(""),
    reserve: Callable[[Plan], None] = lambda _: None,
) -> Candidate:
    """The candidate that choosing compares, from a breach and its plans."""
    valuation = breach.valuation
    return Candidate(
        *breach.key,
        valuation.health or 0,
        budgets,
        plan,
        reserve,
        underwater=valuation.net < 0,
        rate=breach.market.rate,
        unpaid=breach.upkeep and breach.levels.protection is not None,
        chore=breach.chore is not None,
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    inputs: PlanningInputs

    def candidate(self, breach: Breach) -> Candidate:
        """The candidate that choosing compares, from a breach."""
        budgets, trading = self.inputs.budgets[breach.key], self.inputs.trading
        if breach.chore is not None:
            return _candidate(breach, plan=self._chore(breach))
        if breach.upkeep:
            return _candidate(breach, budgets, self._work(breach))
        if breach.levels.protection is None:
            reserve = trading.reserve if trading else lambda _: None
            return _candidate(breach, budgets, self._liquidation(breach), reserve)
        return _candidate(breach, budgets, self._top_up(breach) if breach.known else self._sized(breach))

    def _verdicts(self, breach: Breach, assets: frozenset[str]) -> Verdicts:
        return breach.market.prices.verdicts(assets) if breach.market.prices is not None else {}

    def _sized(self, breach: Breach) -> Plans:
        """A plan sized by rehearsals beforehand: only whether the money is still there remains to be
        checked."""
        market, purse = breach.market, self.inputs.purses[breach.market.name]
        raw = market.book.accounts[breach.valuation.account]
        verdicts = self._verdicts(breach, market.adapter.valuer.price_dependencies(market.book.state, raw))
        found = self.inputs.sized[breach.key]

        def plans(left: Mapping[str, int]) -> list[Plan] | Blocked:
            if isinstance(found, Blocked):
                return found
            if found.spend.from_signer and left.get(found.spend.token, 0) < found.spend.amount:
                return Blocked("the signer's money goes to another account first")
            return confirmed_plans([found], verdicts, purse)

        return plans

    def _top_up(self, breach: Breach) -> Plans:
        market, account, protection = breach.market, breach.valuation.account, breach.levels.protection
        assert protection is not None
        state, raw, planner = market.book.state, market.book.accounts[account], market.adapter.planner
        purse, owner = self.inputs.purses[market.name], self.inputs.owners.get((market.name, account))
        refused = self.inputs.refused_tokens.get(breach.episode.id or 0, {})
        assets = market.adapter.valuer.price_dependencies(state, raw)
        verdicts = self._verdicts(breach, assets)

        def plans(funds: Mapping[str, int]) -> list[Plan] | Blocked:
            budget = affordable(self.inputs.budgets[breach.key], market.rate)
            assert budget is not None
            why = may_top_up(assets, verdicts, purse.symbols)
            if why:
                return Blocked(why)

            def sized(without: frozenset[str]) -> Plan | Blocked:
                left = {token: amount for token, amount in funds.items() if token not in without}
                request = CureRequest(
                    account,
                    self.inputs.next_timestamp,
                    replace(purse, funds=left),
                    protection.steps,
                    protection.target,
                    budget,
                    owner.without(without) if owner is not None else None,
                    refused=without,
                    most_slippage=protection.max_slippage,
                    cheapest=protection.cheapest,
                    capital_cost=protection.capital_cost,
                )
                return planner.plan_top_up(state, raw, request)

            found = best_open(sized, refused, protection.target)
            return confirmed_plans(found if isinstance(found, Blocked) else [found], verdicts, purse)

        return plans

    def _chore(self, breach: Breach) -> Plans:
        """The chore that the market needs, while none of its prices is in doubt: some chores make prices
        final."""
        market = breach.market
        assets = frozenset(each.asset for each in market.adapter.valuer.priced_assets(market.book.state))
        symbols = self.inputs.purses[market.name].symbols
        why = closed(assets, self._verdicts(breach, assets), symbols)
        return lambda _: Blocked(why) if why else [chore_plan(breach)]

    def _work(self, breach: Breach) -> Plans:
        """The account's rewarded work, done by the signer itself."""
        market, account, upkeep = breach.market, breach.valuation.account, breach.market.adapter.upkeep
        assert upkeep is not None, "the work comes from where there is some"
        state, purse = market.book.state, self.inputs.purses[market.name]
        raw, timestamp = market.book.accounts[account], self.inputs.next_timestamp
        offers = upkeep.work(state, account, raw, timestamp, purse, self.inputs.answers)

        def plans(funds: Mapping[str, int]) -> list[Plan] | Blocked:
            found = self._with_fees(inventory.liquidations(market.name, account, offers, funds), market.rate)
            if breach.levels.protection is None or isinstance(found, Blocked):
                return found
            # Done whatever it earns: what prices cost that are brought along, the owner's day pays for.
            coins = self.inputs.costs.coins
            return [replace(each, spend_base=market.rate.base_up(coins(each.value))) for each in found]

        return plans

    def _offers(self, breach: Breach) -> tuple[list[Offer] | Blocked, frozenset[str]]:
        """What the market offers for taking over the debt, or for its own money, and the assets whose prices
        the offers depend on."""
        market, account = breach.market, breach.valuation.account
        state, purse = market.book.state, self.inputs.purses[market.name]
        if breach.sale:
            assert market.adapter.seller is not None, "what is on sale has a seller"
            return market.adapter.seller.sales(state, purse), breach.traded_tokens
        raw = market.book.accounts[account]
        offers = market.adapter.planner.offers(state, account, raw, self.inputs.next_timestamp, purse)
        return offers, market.adapter.valuer.price_dependencies(state, raw)

    def _with_fees(self, found: list[Plan] | Blocked, rate: Rate) -> list[Plan] | Blocked:
        """The plans with the coins that go along as a cost: the fees of the prices that they bring."""
        if isinstance(found, Blocked):
            return found
        return [
            replace(each, gain_base=each.gain_base - rate.base_up(self.inputs.costs.coins(each.value)))
            for each in found
        ]

    def _liquidation(self, breach: Breach) -> Plans:
        """Plans that take one of the offers, with borrowed money or the payer's own, while no price is in
        doubt."""
        market, account, trading = breach.market, breach.valuation.account, self.inputs.trading
        offers, assets = self._offers(breach)
        purse = self.inputs.purses[market.name]
        refused = self.inputs.refused_routes.get(breach.episode.id or 0, ())
        verdicts = self._verdicts(breach, assets)
        shut = closed(assets, verdicts, purse.symbols)

        def plans(funds: Mapping[str, int]) -> list[Plan] | Blocked:
            if shut:
                return Blocked(shut)
            found = inventory.liquidations(market.name, account, offers, funds)
            own = self._with_fees(at_market(found, verdicts, purse.symbols), market.rate)
            if reason := market.settings.own.no_claims_reason:
                own = paid_out_plans(own, reason)
            if trading is None:
                return open_plans(own, refused)
            borrowed = trading.plans(market, account, offers, purse, refused)
            return open_plans(either(at_market(borrowed, verdicts, purse.symbols), own), refused)

        return plans


def chore_plan(breach: Breach) -> Plan:
    """The plan of a chore: it spends nothing but gas, within what its gas budget has left."""
    chore = breach.chore
    assert chore is not None, "the market wants something done"
    return Plan(
        market=breach.market.name,
        account=breach.valuation.account,
        kind="settle",
        action=chore.name,
        target=chore.target,
        data="0x" + chore.data.hex(),
        spend=Spend("", "", 0),
        spend_base=0,
        gain_base=0,
        gas=chore.gas,
        summary={chore.name: chore.why},
        postcondition=chore.postcondition,
        errors=chore.errors,
        gas_budget=breach.gas_left,
    )


def best_open(
    sized: Callable[[frozenset[str]], Plan | Blocked], refused: Mapping[str, int], target: int
) -> Plan | Blocked:
    """The best plan where refused tokens (paused, blacklisted) close only their own steps.

    A token refused once is left out where the other steps reach the target or do no less; a token refused
    more often is left out wherever the others do anything."""
    found = sized(frozenset(refused))
    if refused and _reached(found) < target:
        again = sized(frozenset(token for token, count in refused.items() if count > 1))
        found = again if _reached(again) > _reached(found) else found
    return sized(frozenset()) if refused and isinstance(found, Blocked) else found


def _reached(found: Plan | Blocked) -> int:
    """The health that a top-up is meant to reach; -1 where there is none."""
    return -1 if isinstance(found, Blocked) else int(found.summary.get("health_after", 0))


def open_plans(found: list[Plan] | Blocked, refused: Sequence[Route]) -> list[Plan] | Blocked:
    """The plans without those over routes that were refused in this episode, as long as others remain."""
    return found if isinstance(found, Blocked) else untried(found, refused)


def confirmed_plans(found: list[Plan] | Blocked, verdicts: Verdicts, purse: Purse) -> list[Plan] | Blocked:
    """The top-ups, or Blocked while nothing confirms the price of what they spend."""
    if isinstance(found, Blocked):
        return found
    why = may_top_up([plan.spend.token.lower() for plan in found], verdicts, purse.symbols)
    return Blocked(why) if why else found


def paid_out_plans(found: list[Plan] | Blocked, reason: str) -> list[Plan] | Blocked:
    """The plans without liquidations that would bring claims only; `reason` says why claims are not
    wanted."""
    if isinstance(found, Blocked):
        return found
    paid = [each for each in found if not each.redeem]
    return paid or Blocked(f"the pool has none of the collateral to pay out ({reason})")


def either(first: list[Plan] | Blocked, second: list[Plan] | Blocked) -> list[Plan] | Blocked:
    """The plans of both; if there are none, why the first has none."""
    if isinstance(first, Blocked):
        return first if isinstance(second, Blocked) else second
    return first if isinstance(second, Blocked) else [*first, *second]
