"""From breaches to decisions: what planning must know is read in one call, then everything is chosen at
once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.chain.reads import Reads
from keeper.config import Settings
from keeper.execution import journal, rehearsal
from keeper.execution.journal import Mode
from keeper.model.blocked import Blocked
from keeper.model.cure import CureRequest, OwnerFunds
from keeper.model.offer import Offer
from keeper.model.plan import NATIVE, Kind, Plan, kept_of
from keeper.model.purse import Purse
from keeper.policy.choose import Candidate, Decision, choose
from keeper.policy.costs import Budget, affordable
from keeper.policy.guards import at_market, closed, may_top_up
from keeper.policy.routes import Route
from keeper.protocols import inventory
from keeper.service.contract_versions import Abilities
from keeper.service.markets import Market
from keeper.service.planning import data_fees, refused_routes
from keeper.service.planning.breach import Breach, episodes_of
from keeper.service.planning.candidates import candidate_of, sealed, traded_tokens
from keeper.service.planning.contract_liquidations import ContractLiquidations, LiquidationBatches, venue_of
from keeper.service.planning.costs import DAY, Budgets, costs_of
from keeper.service.planning.gas_money import gas_reserve
from keeper.service.planning.options import best_open, confirmed_plans, either, open_plans, paid_out_plans
from keeper.service.planning.rehearsal_sizing import RehearsalSizing
from keeper.service.planning.signer_funds import SignerFundsRequest
from keeper.store.database import Store


@dataclass(frozen=True, slots=True)
class BlockPlanner:
    """Plans for one chain at one block. `payer` is who acts; without one nothing can be planned. `runs` are
    all markets of the chain; `reads` and `means` what is known already, or on its way."""

    pool: NodePool
    runs: Sequence[Market]
    store: Store
    settings: Settings
    head: Head
    next_timestamp: int
    mode: Mode
    payer: str | None
    reads: Reads
    means: SignerFundsRequest | None
    abilities: Abilities | None = None

    def decide(self, wanted: list[Breach]) -> list[tuple[Breach, Decision]]:
        """A decision for each wanted action, in the order in which they should be sent."""
        if not wanted:
            return []
        if self.payer is None:
            no_one = Blocked("no [signer] is configured: there is nobody to act")
            return [(w, Decision(candidate_of(w), no_one)) for w in wanted]
        trading = self._trading(wanted)
        assert self.means is not None, "whoever acts has means"
        facts = self._facts(wanted, self.payer, trading)
        means = self.means.result()
        price = means.gas_price
        kept = gas_reserve(self.settings, self.pool.name, price)
        recipient = trading.recipient if trading else ""
        facts = {
            name: replace(each, payer=self.payer, recipient=recipient, gas_reserve=kept)
            for name, each in facts.items()
        }
        funds = self._funds(facts, means.native)
        owners = self._owners(wanted, self.payer)
        refused = refused_routes.ways(self.store, episodes_of(wanted, "liquidate"))
        unspent = refused_routes.tokens(self.store, episodes_of(wanted, "top_up"))
        budgets = Budgets(self.settings, self.store, self.mode, self.head)
        by_key: dict[tuple[str, str, Kind], Breach] = {}
        candidates = []
        for each in wanted:
            candidate = self.candidate_of(
                each,
                facts[each.run.name],
                funds,
                budgets.of(each.run.name, each.valuation.account, each.levels.protection),
                owners.get((each.run.name, each.valuation.account)),
                trading,
                refused.get(each.episode.id or 0, ()),
                unspent.get(each.episode.id or 0, {}),
            )
            by_key[candidate.key] = each
            candidates.append(candidate)
        costs = costs_of(
            self.settings, self.pool.name, self.runs, facts, price, self._of_data(price), self._lost()
        )
        batches = LiquidationBatches(self.head.gas_limit) if trading else None
        chosen = choose(candidates, funds, costs, batches)
        return [(by_key[d.candidate.key], sealed(d)) for d in chosen]

    def _trading(self, wanted: list[Breach]) -> ContractLiquidations | None:
        """The exchange for this tick's liquidations; None without a contract or without liquidations."""
        chain = self.settings.chains[self.pool.name]
        venue = venue_of(chain)
        if venue is None or not any(w.kind == "liquidate" for w in wanted):
            return None
        assert chain.liquidator is not None, "a venue is there for the contract"
        lacks = self.abilities.lacking("Liquidator", chain.liquidator) if self.abilities else frozenset[str]()
        return ContractLiquidations(chain, venue, lacks)

    def _lost(self) -> int:
        """Money that realizing bad debt may have cost today, on all chains."""
        if not self.settings.policy.realize_bad_debt:
            return 0
        with self.store.session() as session:
            return journal.lost_since(session, self.mode, self.head.timestamp - DAY)

    def _of_data(self, gas_price: int) -> int:
        """Wei that the chain takes for a plan's data: as a fee, or as gas that no rehearsal shows."""
        assert self.payer is not None, "nothing is planned for nobody"
        fee = data_fees.of(self.settings.chains[self.pool.name]).wei(self.pool, self.head)
        unseen = rehearsal.unseen_of(self.pool, self.payer, self.next_timestamp)
        return fee + unseen.whole(0, data_fees.SAMPLE.hex()) * gas_price

    def _facts(
        self, wanted: list[Breach], payer: str, trading: ContractLiquidations | None
    ) -> dict[str, Purse]:
        """One call for all markets: the payer's balances, symbols, collateral not in use, and the pools at
        which seizures can be sold."""
        runs = {w.run.name: w.run for w in wanted}
        accounts = {
            name: [w.valuation.account for w in wanted if w.run.name == name and w.kind == "top_up"]
            for name in runs
        }
        calls = {
            name: run.adapter.planner.planning_calls(run.book.state, accounts[name], payer)
            for name, run in runs.items()
        }
        # Every market that is known lends, and tells of tokens whose pools do, whoever's accounts are due.
        known, traded = [run for run in self.runs if run.book.read], traded_tokens(wanted)
        selling = trading.calls(traded) if trading else []
        lending = trading.lending_calls(traded, known) if trading else []
        lenses = trading.lenses() if trading else ()
        whole = [*selling, *(c for each in calls.values() for c in each), *lending]
        answers = self.reads.answers_to(whole, lenses)
        if trading:
            trading.read([answers[call] for call in selling], known, [answers[call] for call in lending])
        return {
            name: run.adapter.planner.read_planning(run.book.state, accounts[name], payer, answers)
            for name, run in runs.items()
        }

    def _funds(self, facts: Mapping[str, Purse], native: int) -> dict[str, int]:
        """What the payer holds, less what open intents have promised; gas money included."""
        funds: dict[str, int] = {}
        for each in facts.values():
            funds.update({token.lower(): amount for token, amount in each.funds.items()})
        funds[NATIVE] = native
        with self.store.session() as session:
            promised = [
                Plan.from_json(i.plan) for i in journal.open_intents(session, self.pool.name, self.mode)
            ]
        for plan in promised:
            token = plan.spend.token.lower()
            if plan.spend.from_signer:
                funds[token] = max(funds.get(token, 0) - plan.spend.amount, 0)
            if plan.kept:
                funds[kept_of(token)] = funds.get(kept_of(token), 0) + plan.kept
            funds[NATIVE] = max(funds[NATIVE] - plan.gas * self.head.base_fee - plan.value, 0)
        return funds

    def _owners(self, wanted: list[Breach], payer: str) -> dict[tuple[str, str], OwnerFunds]:
        """What the contracts of those owners whose own money pays may spend; one call for all of them."""
        asked = [
            (w, payments, w.levels.protection.owner)
            for w in wanted
            if w.levels.protection is not None
            and w.levels.protection.owner is not None
            and (payments := w.run.adapter.owner_payments) is not None
        ]
        calls = [
            payments.owner_calls(w.run.book.state, w.valuation.account, money, payer)
            for w, payments, money in asked
        ]
        answers = self.reads.answers_to([call for each in calls for call in each])
        return {
            (w.run.name, w.valuation.account): payments.read_owner(
                w.run.book.state, w.valuation.account, money, payer, answers, self.next_timestamp
            )
            for w, payments, money in asked
        }

    def _by_contract(
        self,
        wanted: Breach,
        facts: Purse,
        funds: Mapping[str, int],
        budgets: Sequence[Budget],
        owner: OwnerFunds | None,
    ) -> Callable[[Mapping[str, int]], list[Plan] | Blocked]:
        """Sized beforehand, by rehearsals; at the choice only whether the money is still there counts."""
        run, protection = wanted.run, wanted.levels.protection
        account, budget = wanted.valuation.account, affordable(budgets, run.rate)
        assert protection is not None and budget is not None and self.payer is not None
        unsized = run.adapter.unsized_cures
        if unsized is None:
            no_way = Blocked("this protocol's top-ups are not sized without its arithmetic")
            return lambda left: no_way
        purse, timestamp = replace(facts, funds=funds), self.next_timestamp
        request = CureRequest(account, timestamp, purse, protection.steps, protection.target, budget, owner)
        steps = unsized.unsized_top_ups(run.book.state, run.book.accounts[account], request)
        sizing = RehearsalSizing(self.pool, self.payer, self.next_timestamp)
        found = sizing.size(steps, wanted.valuation.health or 0, protection.target)

        def plan(left: Mapping[str, int]) -> list[Plan] | Blocked:
            if isinstance(found, Blocked):
                return found
            if found.spend.from_signer and left.get(found.spend.token, 0) < found.spend.amount:
                return Blocked("the signer's money goes to another account first")
            return [found]

        return plan

    def candidate_of(
        self,
        wanted: Breach,
        facts: Purse,
        funds: Mapping[str, int],
        budgets: Sequence[Budget],
        owner: OwnerFunds | None,
        trading: ContractLiquidations | None,
        refused: Sequence[Route],
        unspent: Mapping[str, int],
    ) -> Candidate:
        run, account = wanted.run, wanted.valuation.account
        if wanted.sale:
            return self._sale(wanted, facts, budgets, trading, refused)
        raw = run.book.accounts[account]
        protection = wanted.levels.protection
        assets = run.adapter.valuer.price_dependencies(run.book.state, raw)
        verdicts = run.prices.verdicts(assets) if run.prices is not None else {}
        if protection is not None and not wanted.known:
            sized = self._by_contract(wanted, facts, funds, budgets, owner)

            def by_contract(left: Mapping[str, int]) -> list[Plan] | Blocked:
                return confirmed_plans(sized(left), verdicts, facts)

            return candidate_of(wanted, budgets, by_contract)
        if protection is None:
            offers = run.adapter.planner.offers(run.book.state, account, raw, self.next_timestamp, facts)
            return self._taking(wanted, offers, assets, facts, budgets, trading, refused)

        def top_up(funds: Mapping[str, int]) -> list[Plan] | Blocked:
            budget = affordable(budgets, run.rate)
            assert budget is not None and protection is not None
            why = may_top_up(assets, verdicts, facts.symbols)
            if why:
                return Blocked(why)

            def sized(without: frozenset[str]) -> Plan | Blocked:
                assert budget is not None and protection is not None
                has = {token: amount for token, amount in funds.items() if token not in without}
                request = CureRequest(
                    account,
                    self.next_timestamp,
                    replace(facts, funds=has),
                    protection.steps,
                    protection.target,
                    budget,
                    owner.without(without) if owner is not None else None,
                )
                return run.adapter.planner.plan_top_up(run.book.state, raw, request)

            found = best_open(sized, unspent, protection.target)
            return confirmed_plans(found if isinstance(found, Blocked) else [found], verdicts, facts)

        return candidate_of(wanted, budgets, top_up)

    def _sale(
        self,
        wanted: Breach,
        facts: Purse,
        budgets: Sequence[Budget],
        trading: ContractLiquidations | None,
        refused: Sequence[Route],
    ) -> Candidate:
        """To buy what the market sells."""
        seller = wanted.run.adapter.seller
        assert seller is not None, "what is on sale has a seller"
        offers: list[Offer] | Blocked = seller.sales(wanted.run.book.state, facts)
        assets = frozenset(traded_tokens([wanted]))
        return self._taking(wanted, offers, assets, facts, budgets, trading, refused)

    def _taking(
        self,
        wanted: Breach,
        offers: list[Offer] | Blocked,
        assets: frozenset[str],
        facts: Purse,
        budgets: Sequence[Budget],
        trading: ContractLiquidations | None,
        refused: Sequence[Route],
    ) -> Candidate:
        """To take one of the offers, with borrowed money or the payer's own, while the prices of `assets` are
        not in doubt."""
        run, account = wanted.run, wanted.valuation.account
        verdicts = run.prices.verdicts(assets) if run.prices is not None else {}
        shut = closed(assets, verdicts, facts.symbols)

        def liquidate(funds: Mapping[str, int]) -> list[Plan] | Blocked:
            if shut:
                return Blocked(shut)
            found = inventory.liquidations(run.name, account, offers, funds)
            own = at_market(found, verdicts, facts.symbols)
            if not run.settings.own.takes_claims:
                own = paid_out_plans(own)
            if trading is None:
                return open_plans(own, refused)
            borrowed = trading.plans(run, account, offers, facts, refused)
            return open_plans(either(at_market(borrowed, verdicts, facts.symbols), own), refused)

        return candidate_of(wanted, budgets, liquidate, trading.reserve if trading else lambda _: None)
