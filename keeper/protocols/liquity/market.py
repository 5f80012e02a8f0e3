"""A trove system behind the keeper's interface. Base currency is the debt token, 18 decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from keeper.book.entries import Entries, Sparse
from keeper.book.source import Touched
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter
from keeper.config import Market as Settings
from keeper.errors import ConfigError
from keeper.margin.lending.liquity.interest import Stored, at
from keeper.margin.lending.liquity.trove import collateral_ratio_down
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.plan import NATIVE, Plan
from keeper.protocols import erc20_calls, inventory
from keeper.protocols.base import (
    Asset,
    AssetLine,
    Explanation,
    Facts,
    Impossible,
    Offer,
    OwnerFunds,
    PricedAsset,
    Step,
    Valuation,
)
from keeper.protocols.liquity import events, lens, planning
from keeper.protocols.liquity.lens import System
from keeper.protocols.liquity.planning import TroveFacts
from keeper.protocols.without import Without

DECIMALS = 18
# The ratio at which everything changes is told of when the system's is this much above it.
_NEAR_PERCENT = 110


class TroveMarket(Without):
    """Implements MarketAdapter for one TroveManager. Mezo's arithmetic is known; Liquity v1, which liquidates
    by the system's ratio too, is watched only. Troves are few: all are valued exactly."""

    protocol = "liquity"
    called = (planning.LIQUIDATE,)
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "borrowerOperations()": (planning.ADD, planning.REPAY)
    }

    def __init__(self, name: str, address: str, from_block: int) -> None:
        self.name = name
        self.contract = address
        self.from_block = from_block

    @classmethod
    def of(cls, name: str, settings: Settings) -> TroveMarket:
        return cls(name, settings.address, settings.from_block)

    # Copying: see BookSource.

    def lenses(self) -> tuple[Lens, ...]:
        return (lens.lens(),)

    def log_filter(self, state: System) -> LogFilter:
        return LogFilter((self.contract.lower(), state.operations, state.active_pool), events.TOPICS)

    def discovery_filter(self, state: System) -> LogFilter:
        return LogFilter((self.contract.lower(), state.operations), events.UPDATED)

    def touched(self, logs: Iterable[Log]) -> Touched:
        return events.touched(logs)

    def market_call(self, references: Iterable[int]) -> Call:
        return lens.market_call(self.contract)

    def read_market(self, answer: Answer) -> System:
        if not answer.ok:
            raise ConfigError(
                "does not answer as a TroveManager",
                where=f"markets.{self.name}.address {self.contract}",
                remedy="Name the TroveManager of a system of the Liquity family",
            )
        return lens.read_system(answer)

    def covers(self, state: System, references: Iterable[int]) -> bool:
        return True

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return lens.accounts_call(self.contract, accounts)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return lens.split(accounts, answer)

    def decode(self, record: bytes) -> Stored:
        return lens.read_trove(record)

    def reference(self, record: bytes) -> int:
        return 0

    def entries(self, many: Sequence[bytes]) -> Entries:
        none = Sparse(np.zeros(len(many) + 1, np.int32), np.zeros(0, np.int32), np.zeros(0))
        return Entries(1, none, none, np.ones(len(many), np.bool_))

    def weights(self, state: System, timestamp: int, legs: Sequence[int]) -> Weights | None:
        return Weights(power=np.zeros(1), need=np.zeros(1))

    def sums(self, many: Sequence[bytes]) -> Mapping[str, int]:
        return {"stakes": sum(self.decode(record).stake for record in many)}

    def unbalanced(self, state: System, sums: Mapping[str, int]) -> str:
        """Stakes are only ever added and taken away: they must agree to the unit."""
        if sums.get("stakes", 0) == state.stakes:
            return ""
        return f"all troves have stakes of {sums.get('stakes', 0)}, the market counts {state.stakes}"

    def view_call(self, account: str) -> Call:
        return lens.valued_call(self.contract, account)

    def read_view(self, account: str, answer: Answer) -> Valuation | None:
        if not answer.ok or len(answer.data) != 160:
            return None
        _, worth, debt, mcr, ratio = (
            int.from_bytes(answer.data[i : i + 32], "big") for i in range(0, 160, 32)
        )
        return Valuation(account, worth, debt, mcr, ratio * WAD // mcr if debt else None)

    # Valuing.

    def revision(self, state: System) -> int:
        return 2 if state.interest else 1

    def version(self, state: System) -> str | None:
        return "musd-1" if state.interest else None

    def base_decimals(self, state: System) -> int:
        return DECIMALS

    def decimals(self, state: System, account: str) -> int:
        return DECIMALS

    def value(self, state: System, accounts: Mapping[str, Stored], timestamp: int) -> list[Valuation]:
        found = []
        for account, stored in accounts.items():
            trove = at(stored, state.given, timestamp)
            worth = trove.coll * (state.price or 0) // WAD
            health = planning.health_down(trove, state)
            found.append(Valuation(account, worth, trove.debt, state.terms.mcr, health))
        return found

    def value_records(self, state: System, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        return self.value(state, {a: self.decode(record) for a, record in records.items()}, timestamp)

    def priced_assets(self, state: System) -> list[PricedAsset]:
        source = lens.source_call(self.contract)
        return [PricedAsset(NATIVE, state.price, source, lens.symbol_call())]

    def leg_assets(self, state: System, legs: Sequence[int]) -> list[str]:
        return [NATIVE for _ in legs]

    def priced_by(self, state: System, raw: Stored) -> frozenset[str]:
        return frozenset({NATIVE}) if raw.active else frozenset()

    def traded(self, state: System, raw: Stored) -> frozenset[str]:
        return frozenset({state.debt_token})

    def notices(self, state: System) -> Mapping[str, str]:
        found = {}
        ratio, ccr = collateral_ratio_down(state.whole, state.price or 0), state.terms.ccr
        words = f"the system's ratio is {ratio / WAD:.4f}, the critical one {ccr / WAD:.4f}"
        if state.price is not None and ratio < ccr:
            found["recovery"] = f"recovery mode: {words}"
        elif state.price is not None and ratio < ccr * _NEAR_PERCENT // 100:
            found["near_recovery"] = f"recovery mode is near: {words}"
        if state.troves and not state.stability_pool:
            found["stability_pool"] = "the stability pool is empty: liquidated debt falls to all other troves"
        return found

    def indices(self, state: System, timestamp: int) -> dict[str, dict[str, int]]:
        given = state.given
        return {NATIVE: {"coll": given.coll, "principal": given.principal, "interest": given.interest}}

    def explain(
        self, state: System, account: str, raw: Stored, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        [valuation] = self.value(state, {account: raw}, timestamp)
        trove, mcr, price = at(raw, state.given, timestamp), state.terms.mcr, state.price or 0
        # The highest price at which ⌊coll·price/debt⌋ < MCR.
        breaks = (mcr * trove.debt - 1) // trove.coll if trove.coll else None
        basis = mcr // 10**14
        token = state.debt_token
        lines = (
            AssetLine(NATIVE, NATIVE, 18, price, trove.coll, valuation.collateral, basis, 0, 0, breaks),
            AssetLine(token, symbols.get(token, token), 18, WAD, 0, 0, 0, trove.debt, trove.debt, None),
        )
        return Explanation(valuation, lines, "Trove: collateral × price ÷ debt ÷ least ratio")

    # Planning.

    def planning_calls(self, state: System, accounts: Sequence[str], payer: str) -> list[Call]:
        sides = ("getPrev(address)", "getNext(address)")
        hints = [Call(state.sorted_troves, planning.call(side, a)) for a in accounts for side in sides]
        return [*erc20_calls.facts_calls([state.debt_token], payer), *hints]

    def read_planning(self, state: System, accounts: Sequence[str], answers: Iterable[Answer]) -> Facts:
        left = iter(answers)
        facts = erc20_calls.read_facts([state.debt_token], left)
        hints = {a: (_address(next(left)), _address(next(left))) for a in accounts}
        return TroveFacts(facts.funds, {**facts.symbols, NATIVE: NATIVE}, hints=hints)

    def gas_price_asset(self, state: System, facts: Facts, symbol: str) -> int | None:
        """The collateral is what gas is paid with, whatever it is called."""
        return state.price

    def assets(self, state: System, facts: Facts) -> Mapping[str, Asset]:
        token = state.debt_token
        found = {token: Asset(token, facts.symbol(token), WAD, WAD)}
        if state.price is not None:
            found[NATIVE] = Asset(NATIVE, NATIVE, state.price, WAD)
        return found

    def offers(
        self, state: System, account: str, raw: Stored, timestamp: int, facts: Facts
    ) -> list[Offer] | Impossible:
        token = self.assets(state, facts)[state.debt_token]
        return planning.offers(self.contract, state, account, at(raw, state.given, timestamp), token)

    def plan_liquidation(
        self,
        state: System,
        account: str,
        raw: Stored,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
    ) -> list[Plan] | Impossible:
        found = self.offers(state, account, raw, timestamp, facts)
        return found if isinstance(found, Impossible) else inventory.plans(self.name, account, found, funds)

    def plan_top_up(
        self,
        state: System,
        account: str,
        raw: Stored,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        target: int,
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> Plan | Impossible:
        if owner is not None:
            return Impossible("owners' own money is not supported in this protocol")
        return planning.top_up(
            self.name,
            self.contract,
            state,
            account,
            at(raw, state.given, timestamp),
            facts,
            self.assets(state, facts),
            funds,
            steps,
            target,
            budget_base,
        )


def _address(answer: Answer) -> str:
    return f"0x{erc20_calls.read_uint(answer):040x}"
