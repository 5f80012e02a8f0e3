"""The inputs of planning at one block, and how they are read: what plans ask of the chain in one call, and
from the store what the journal has promised and what caps leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keeper.chain.blocks import Head
from keeper.chain.calls import ALL_GAS, Answer, Call, Reads
from keeper.execution import journal, rehearsal
from keeper.model.cure import CureRequest, OwnerFunds
from keeper.model.plan import NATIVE, Blocked, Kind, Plan, kept_of
from keeper.model.purse import Purse
from keeper.policy.costs import Budget, Costs, affordable
from keeper.policy.routes import Route
from keeper.service.chain_context import ChainContext
from keeper.service.contract_versions import Abilities
from keeper.service.planning import data_fees, refused_routes
from keeper.service.planning.breach import Breach, cured_episodes, rewarded_episodes
from keeper.service.planning.contract_liquidations import ContractLiquidations, venue_of
from keeper.service.planning.costs import DAY, Budgets, costs_of
from keeper.service.planning.gas_money import SignerFundsRequest, gas_reserve
from keeper.service.planning.rehearsal_sizing import RehearsalSizing
from keeper.service.planning.work_reading import read_work

Key = tuple[str, str, Kind]
"""The key that identifies a breach within a block: market, account, kind."""


@dataclass(frozen=True, slots=True)
class PlanningInputs:
    """What is known when plans are made for the breaches due at one block.

    `funds`: token (lower case, NATIVE) → units that the payer has and has not promised. `purses` by market,
    `owners` by market and account, `budgets` and `sized` (top-ups that rehearsals sized) by `Breach.key`.
    `refused_routes` and `refused_tokens` by episode (id): what its attempts were refused with.
    """

    next_timestamp: int
    block_gas_limit: int
    costs: Costs
    funds: Mapping[str, int]
    purses: Mapping[str, Purse]
    budgets: Mapping[Key, Sequence[Budget]]
    owners: Mapping[tuple[str, str], OwnerFunds] = field(default_factory=dict)
    sized: Mapping[Key, Plan | Blocked] = field(default_factory=dict)
    refused_routes: Mapping[int, Sequence[Route]] = field(default_factory=dict)
    refused_tokens: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    answers: Mapping[Call, Answer] = field(default_factory=dict)
    """What was read of the work that accounts make, by the call that asked."""
    trading: ContractLiquidations | None = None
    """The exchange for this block's liquidations; None without a contract or without liquidations."""


@dataclass(frozen=True, slots=True)
class InputReader:
    """Reads the inputs for one chain and one payer at one block. `reads` is what is known already of the
    state, `signer_funds` the request under way."""

    chain: ChainContext
    payer: str
    head: Head
    next_timestamp: int
    reads: Reads
    signer_funds: SignerFundsRequest
    abilities: Abilities | None = None

    def read(self, due: Sequence[Breach]) -> PlanningInputs:
        """Read everything that planning for these breaches needs. NodeError where the chain does not
        answer."""
        trading = self._trading(due)
        found = self._purses(due, trading)
        signer = self.signer_funds.result()
        reserve = gas_reserve(self.chain.settings, signer.gas_price)
        recipient = trading.recipient if trading else ""
        work = read_work(self.chain.pool, self.reads, due)
        purses = {
            name: replace(
                each,
                payer=self.payer,
                recipient=recipient,
                gas_reserve=reserve,
                benchmarks={account: told for (at, account), told in work.benchmarks.items() if at == name},
            )
            for name, each in found.items()
        }
        funds = self._funds(purses, signer.native)
        owners = self._owners(due)
        day = Budgets(self.chain, self.head)
        budgets = {
            each.key: day.of(each.market.name, each.valuation.account, each.levels.protection) for each in due
        }
        return PlanningInputs(
            self.next_timestamp,
            self.head.gas_limit,
            costs_of(
                self.chain.settings,
                self.chain.markets,
                purses,
                signer.gas_price,
                self._data_cost(signer.gas_price),
                self._lost_today(),
            ),
            funds,
            purses,
            budgets,
            owners,
            {
                each.key: self._sized(each, purses[each.market.name], funds, budgets[each.key], owners)
                for each in due
                if each.levels.protection is not None and not each.known
            },
            refused_routes.ways(self.chain.store, rewarded_episodes(due)),
            refused_routes.tokens(self.chain.store, cured_episodes(due)),
            work.answers,
            trading,
        )

    def _trading(self, due: Sequence[Breach]) -> ContractLiquidations | None:
        chain = self.chain.settings.chain
        venue = venue_of(chain)
        if venue is None or not any(each.kind == "liquidate" for each in due):
            return None
        assert chain.liquidator is not None, "a venue is there for the contract"
        lacks = self.abilities.lacking("Liquidator", chain.liquidator) if self.abilities else frozenset[str]()
        return ContractLiquidations(chain, venue, lacks)

    def _purses(self, due: Sequence[Breach], trading: ContractLiquidations | None) -> dict[str, Purse]:
        """One call for all markets: the payer's balances, symbols, idle collateral, and the pools at which
        seizures can be sold."""
        markets = {each.market.name: each.market for each in due}
        accounts = {
            name: [
                each.valuation.account for each in due if each.market.name == name and each.kind == "top_up"
            ]
            for name in markets
        }
        calls = {
            name: market.adapter.planner.planning_calls(market.book.state, accounts[name], self.payer)
            for name, market in markets.items()
        }
        # Every market that is known lends, and tells of tokens whose pools do, whoever's accounts are due.
        known = [market for market in self.chain.markets if market.book.read]
        traded = {token for each in due for token in each.traded_tokens}
        selling = trading.calls(traded) if trading else []
        lending = trading.lending_calls(traded, known) if trading else []
        # Only code of ours is asked without a limit of gas.
        asked = [market for name, market in markets.items() if any(c.gas == ALL_GAS for c in calls[name])]
        lenses = [lens for market in asked for lens in market.adapter.mirror.lenses()]
        answers = self.reads.answers_to(
            [*selling, *(call for each in calls.values() for call in each), *lending],
            tuple(dict.fromkeys((*(trading.lenses() if trading else ()), *lenses))),
        )
        if trading:
            trading.read([answers[call] for call in selling], known, [answers[call] for call in lending])
        return {
            name: replace(
                market.adapter.planner.read_planning(market.book.state, accounts[name], self.payer, answers),
                updates=market.pulled.updates if market.pulled is not None else (),
            )
            for name, market in markets.items()
        }

    def _funds(self, purses: Mapping[str, Purse], native: int) -> dict[str, int]:
        with self.chain.store.session() as session:
            promised = [
                Plan.from_json(i.plan)
                for i in journal.open_intents(session, self.chain.name, self.chain.mode)
            ]
        return unpromised(purses.values(), native, promised, self.head.base_fee)

    def _owners(self, due: Sequence[Breach]) -> dict[tuple[str, str], OwnerFunds]:
        """What the contracts of those owners whose own money pays may spend; one call for all of them."""
        asked = [
            (each, payments, each.levels.protection.owner)
            for each in due
            if each.levels.protection is not None
            and each.levels.protection.owner is not None
            and (payments := each.market.adapter.owner_payments) is not None
        ]
        calls = [
            payments.owner_calls(each.market.book.state, each.valuation.account, money, self.payer)
            for each, payments, money in asked
        ]
        answers = self.reads.answers_to([call for each in calls for call in each])
        return {
            (each.market.name, each.valuation.account): payments.read_owner(
                each.market.book.state,
                each.valuation.account,
                money,
                self.payer,
                answers,
                self.next_timestamp,
            )
            for each, payments, money in asked
        }

    def _sized(
        self,
        breach: Breach,
        purse: Purse,
        funds: Mapping[str, int],
        budgets: Sequence[Budget],
        owners: Mapping[tuple[str, str], OwnerFunds],
    ) -> Plan | Blocked:
        """A top-up sized by rehearsals, where our arithmetic is not the contract's."""
        market, protection = breach.market, breach.levels.protection
        account, budget = breach.valuation.account, affordable(budgets, market.rate)
        assert protection is not None and budget is not None
        if market.adapter.unsized_cures is None:
            return Blocked("this protocol's top-ups are not sized without its arithmetic")
        request = CureRequest(
            account,
            self.next_timestamp,
            replace(purse, funds=funds),
            protection.steps,
            protection.target,
            budget,
            owners.get((market.name, account)),
        )
        raw = market.book.accounts[account]
        steps = market.adapter.unsized_cures.unsized_top_ups(market.book.state, raw, request)
        sizing = RehearsalSizing(self.chain.pool, self.payer, self.next_timestamp)
        return sizing.size(steps, breach.valuation.health or 0, protection.target)

    def _data_cost(self, gas_price: int) -> int:
        """Wei that the chain takes for a plan's data: as a fee, or as gas that no rehearsal shows."""
        fee = data_fees.wei(self.chain.settings.chain, self.chain.pool, self.head)
        unseen = rehearsal.unseen_of(self.chain.pool, self.payer, self.next_timestamp)
        return fee + unseen.whole(0, data_fees.SAMPLE.hex()) * gas_price

    def _lost_today(self) -> int:
        """Money that realizing bad debt may have cost today, on all chains."""
        if not self.chain.settings.policy.realize_bad_debt:
            return 0
        with self.chain.store.session() as session:
            return journal.lost_since(session, self.chain.mode, self.head.timestamp - DAY)


def unpromised(
    purses: Iterable[Purse], native: int, promised: Sequence[Plan], base_fee: int
) -> dict[str, int]:
    """What the payer holds, with `native` wei, less what open intents have promised, gas included."""
    funds: dict[str, int] = {}
    for each in purses:
        funds.update({token.lower(): amount for token, amount in each.funds.items()})
    funds[NATIVE] = native
    for plan in promised:
        token = plan.spend.token.lower()
        if plan.spend.from_signer:
            funds[token] = max(funds.get(token, 0) - plan.spend.amount, 0)
        if plan.kept:
            funds[kept_of(token)] = funds.get(kept_of(token), 0) + plan.kept
        funds[NATIVE] = max(funds[NATIVE] - plan.gas * base_fee - plan.value, 0)
    return funds
