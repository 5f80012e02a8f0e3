"""From breaches to decisions: what planning must know is read in one call, then everything is chosen at
once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from keeper.chain.blocks import Head
from keeper.chain.calls import run as read
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.execution import journal
from keeper.execution.journal import Mode
from keeper.plan import Kind, Plan
from keeper.policy.choose import NATIVE, Costs, Decision, Request, choose
from keeper.policy.guarding import at_market, closed, may_top_up
from keeper.policy.levels import WAD, Levels
from keeper.protocols.base import Facts, Impossible, Valuation
from keeper.service.markets import MarketRun
from keeper.store.database import Store
from keeper.store.tables import Episode

DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Wanted:
    """A breach that asks for an action, with the episode it belongs to."""

    run: MarketRun
    valuation: Valuation
    levels: Levels
    episode: Episode

    @property
    def kind(self) -> Kind:
        return "top_up" if self.levels.protection else "liquidate"


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one chain at one block. `payer` is who acts; without one nothing can be planned."""

    pool: NodePool
    store: Store
    settings: Settings
    head: Head
    next_timestamp: int
    mode: Mode
    payer: str | None

    def decide(self, wanted: list[Wanted]) -> list[tuple[Wanted, Decision]]:
        """A decision for each wanted action, in the order in which they should be sent."""
        if not wanted:
            return []
        if self.payer is None:
            no_one = Impossible("no [signer] is configured: there is nobody to act")
            return [(w, Decision(_request(w, None), no_one)) for w in wanted]
        facts = self._facts(wanted, self.payer)
        funds = self._funds(facts, self.payer)
        by_request: dict[int, Wanted] = {}
        requests = []
        for each in wanted:
            request = self._request(each, facts[each.run.name])
            by_request[id(request)] = each
            requests.append(request)
        chosen = choose(requests, funds, self._costs(wanted, facts))
        return [(by_request[id(d.request)], d) for d in chosen]

    def _facts(self, wanted: list[Wanted], payer: str) -> dict[str, Facts]:
        """One call for all markets: the payer's balances, symbols, collateral not in use."""
        runs = {w.run.name: w.run for w in wanted}
        accounts = {
            name: [w.valuation.account for w in wanted if w.run.name == name and w.kind == "top_up"]
            for name in runs
        }
        calls = {
            name: run.adapter.planning_calls(run.book.state, accounts[name], payer)
            for name, run in runs.items()
        }
        answers = iter(read(self.pool, self.head, [c for each in calls.values() for c in each]))
        return {
            name: run.adapter.read_planning(
                run.book.state, accounts[name], [next(answers) for _ in calls[name]]
            )
            for name, run in runs.items()
        }

    def _funds(self, facts: Mapping[str, Facts], payer: str) -> dict[str, int]:
        """What the payer holds, less what open intents have promised; gas money included."""
        funds: dict[str, int] = {}
        for each in facts.values():
            funds.update({token.lower(): amount for token, amount in each.funds.items()})
        balance = self.pool.call("eth_getBalance", payer, {"blockHash": self.head.hash})
        funds[NATIVE] = int(balance, 16)
        with self.store.session() as session:
            promised = [
                Plan.from_json(i.plan) for i in journal.open_intents(session, self.pool.name, self.mode)
            ]
        for plan in promised:
            token = plan.spend.token.lower()
            funds[token] = max(funds.get(token, 0) - plan.spend.amount, 0)
            funds[NATIVE] = max(funds[NATIVE] - plan.gas * self.head.base_fee, 0)
        return funds

    def _costs(self, wanted: list[Wanted], facts: Mapping[str, Facts]) -> Costs:
        policy = self.settings.policy
        run = wanted[0].run
        decimals = run.adapter.base_decimals(run.book.state)
        market = run.prices.market_price(policy.native_asset) if run.prices is not None else None
        native = (
            _base(policy.native_price, decimals)
            if policy.native_price is not None
            else market or run.adapter.gas_price_asset(run.book.state, facts[run.name], policy.native_asset)
        )
        return Costs(self.head.base_fee, native, _base(policy.min_profit, decimals))

    def _request(self, wanted: Wanted, facts: Facts) -> Request:
        run, account = wanted.run, wanted.valuation.account
        raw = run.book.accounts[account]
        budget = self._budget(wanted)
        protection = wanted.levels.protection
        verdicts = run.prices.judgements if run.prices is not None else {}
        assets = run.adapter.priced_by(run.book.state, raw)
        if protection is None:
            shut = closed(assets, verdicts, facts.symbols)
            plan = partial(
                run.adapter.plan_liquidation, run.book.state, account, raw, self.next_timestamp, facts
            )

            def liquidate(funds: Mapping[str, int]) -> list[Plan] | Impossible:
                return Impossible(shut) if shut else at_market(plan(funds), verdicts, facts.symbols)

            return Request(run.name, account, "liquidate", wanted.valuation.health or 0, budget, liquidate)

        def top_up(funds: Mapping[str, int]) -> list[Plan] | Impossible:
            assert budget is not None and protection is not None
            why = may_top_up(assets, verdicts, facts.symbols)
            if why:
                return Impossible(why)
            found = run.adapter.plan_top_up(
                run.book.state,
                account,
                raw,
                self.next_timestamp,
                facts,
                funds,
                protection.steps,
                protection.target,
                budget,
            )
            if isinstance(found, Impossible):
                return found
            why = may_top_up([found.spend.token.lower()], verdicts, facts.symbols)
            return Impossible(why) if why else [found]

        return Request(run.name, account, "top_up", wanted.valuation.health or 0, budget, top_up)

    def _budget(self, wanted: Wanted) -> int | None:
        """Base units the account may still cost today, the cap less what 24 hours of intents spent."""
        run, account = wanted.run, wanted.valuation.account
        decimals = run.adapter.base_decimals(run.book.state)
        caps = []
        if self.settings.policy.max_per_day is not None:
            caps.append(_base(self.settings.policy.max_per_day, decimals))
        if wanted.levels.protection is not None:
            caps.append(wanted.levels.protection.max_per_day * 10**decimals // WAD)
        if not caps:
            return None
        with self.store.session() as session:
            spent = journal.spent_since(session, run.name, account, self.mode, self.head.timestamp - DAY)
        return max(min(caps) - spent, 0)


def _base(amount: Decimal, decimals: int) -> int:
    """Whole units of the base currency as base units."""
    return int(amount * 10**decimals)


def _request(wanted: Wanted, budget: int | None) -> Request:
    return Request(
        wanted.run.name,
        wanted.valuation.account,
        wanted.kind,
        wanted.valuation.health or 0,
        budget,
        lambda _: Impossible(""),
    )
