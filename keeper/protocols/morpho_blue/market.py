"""A Morpho Blue singleton behind the keeper's interface: all its markets, or those that are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from keeper.book.entries import Entries
from keeper.book.source import Touched
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter
from keeper.config import Market
from keeper.errors import ConfigError
from keeper.margin.lending.morpho.market import ORACLE_PRICE_SCALE
from keeper.margin.lending.morpho.position import (
    Position,
    borrowed_up,
    collateral_value_down,
    health_factor_down,
    liquidation_price_up,
)
from keeper.margin.lending.morpho.shares import VIRTUAL_ASSETS, VIRTUAL_SHARES
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.plan import Plan
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
from keeper.protocols.morpho_blue import events, lens, planning, positions
from keeper.protocols.morpho_blue.lens import NO_DEBT_HEALTH, Pair
from keeper.protocols.morpho_blue.positions import borrower_of, id_of
from keeper.protocols.without import Without

BASE_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Stake:
    """One borrower's position in one market."""

    id: str
    position: Position


@dataclass(frozen=True, slots=True)
class Singleton:
    """All followed markets at one block, by id."""

    pairs: Mapping[str, Pair]


class MorphoBlueMarket(Without):
    """Implements MarketAdapter. An account is a borrower in one market: see `positions`.

    Values are in units of each market's loan token; plans in base currency, of which a whole loan token is
    worth what `loan_prices` says (by symbol or address), else 1.
    """

    protocol = "morpho-blue"
    called = (
        f"liquidate({lens.PARAMS},address,uint256,uint256,bytes)",
        f"supplyCollateral({lens.PARAMS},uint256,address,bytes)",
        f"repay({lens.PARAMS},uint256,uint256,address,bytes)",
    )

    def __init__(self, name: str, settings: Market) -> None:
        self.name = name
        self.contract = settings.address
        self.from_block = settings.from_block
        self._wanted = frozenset(each.lower() for each in settings.market_ids)
        self._loan_prices = {name.lower(): price for name, price in settings.loan_prices.items()}
        self._numbers = positions.Numbers()
        self._numbers.note(sorted(self._wanted))

    @classmethod
    def of(cls, name: str, settings: Market) -> MorphoBlueMarket:
        return cls(name, settings)

    # Copying: see BookSource.

    def lenses(self) -> tuple[Lens, ...]:
        return (lens.lens(),)

    def log_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), events.TOPICS)

    def discovery_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), events.DISCOVERY)

    def touched(self, logs: Iterable[Log]) -> Touched:
        heard = list(logs)
        self._numbers.note(each for each in events.created(heard) if self._follows(each))
        return events.touched(heard, self._wanted)

    def _follows(self, market_id: str) -> bool:
        return not self._wanted or market_id in self._wanted

    def market_call(self, references: Iterable[int]) -> Call:
        # What a record refers to is its market; those without positions are followed as they are created.
        numbers = {*references, *range(1, len(self._numbers.ids))}
        return lens.markets_call(self.contract, [self._numbers.ids[n] for n in sorted(numbers)])

    def read_market(self, answer: Answer) -> Singleton:
        if not answer.ok:
            raise ConfigError(
                "does not answer as Morpho Blue",
                where=f"markets.{self.name}.address {self.contract}",
                remedy="Name the singleton that holds all markets",
            )
        pairs = lens.read_markets(answer)
        missing = sorted(self._wanted - pairs.keys())
        if missing:
            raise ConfigError(
                f"is no market of {self.contract}",
                where=f"markets.{self.name}.market_ids {missing[0]}",
                remedy="Copy the id from the singleton's CreateMarket event; another singleton has others",
            )
        return Singleton(pairs)

    def covers(self, state: Singleton, references: Iterable[int]) -> bool:
        return all(self._numbers.ids[number] in state.pairs for number in references)

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return lens.positions_call(self.contract, accounts)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return positions.split(accounts, answer)

    def decode(self, record: bytes) -> Stake:
        return Stake(positions.market_id(record), positions.decode(record))

    def reference(self, record: bytes) -> int:
        return self._numbers.of(positions.market_id(record))

    def entries(self, many: Sequence[bytes]) -> Entries:
        return positions.entries(many, self._numbers)

    def weights(self, state: Singleton, timestamp: int, legs: Sequence[int]) -> Weights | None:
        power, need = np.zeros(positions.LEGS), np.zeros(positions.LEGS)
        opaque = set()
        for leg in legs:
            pair = state.pairs.get(self._numbers.ids[leg // 2])
            if pair is None or not pair.usable or not pair.price:
                opaque.add(leg)
            elif leg % 2:
                totals = pair.at(timestamp)
                need[leg] = (totals.total_borrow_assets + VIRTUAL_ASSETS) / (
                    totals.total_borrow_shares + VIRTUAL_SHARES
                )
            else:
                power[leg] = pair.price * pair.terms.lltv / (ORACLE_PRICE_SCALE * WAD)
        # Collateral's value and its weighing are rounded down once each; a debt is rounded up once.
        return Weights(power=power, need=need, power_dust=2.0, need_dust=1.0, opaque=frozenset(opaque))

    def sums(self, many: Sequence[bytes]) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for record in many:
            stake = self.decode(record)
            found[stake.id] = found.get(stake.id, 0) + stake.position.borrow_shares
        return found

    def unbalanced(self, state: Singleton, sums: Mapping[str, int]) -> str:
        """Borrow shares are only ever added and taken away: they must agree to the unit."""
        for pair in state.pairs.values():
            if sums.get(pair.id, 0) != pair.totals.total_borrow_shares:
                return (
                    f"all positions of {pair.id} owe {sums.get(pair.id, 0)} shares, the market counts "
                    f"{pair.totals.total_borrow_shares}"
                )
        return ""

    def view_call(self, account: str) -> Call:
        return lens.valued_call(self.contract, id_of(account), borrower_of(account))

    def read_view(self, account: str, answer: Answer) -> Valuation | None:
        if not answer.ok or len(answer.data) != 128:
            return None
        words = [int.from_bytes(answer.data[i : i + 32], "big") for i in range(0, 128, 32)]
        collateral, debt, lltv, health = words
        return Valuation(account, collateral, debt, lltv, None if health == NO_DEBT_HEALTH else health)

    # Valuing.

    def revision(self, state: Singleton) -> int:
        return 1

    def version(self, state: Singleton) -> str | None:
        return "1.0"

    def base_decimals(self, state: Singleton) -> int:
        return BASE_DECIMALS

    def decimals(self, state: Singleton, account: str) -> int:
        """Of an account's values: its loan token's."""
        return state.pairs[id_of(account)].loan_decimals

    def value(self, state: Singleton, accounts: Mapping[str, Stake], timestamp: int) -> list[Valuation]:
        totals = {pair.id: pair.at(timestamp) for pair in state.pairs.values()}
        found = []
        for account, stake in accounts.items():
            pair, now = state.pairs[stake.id], totals[stake.id]
            price = pair.price or 0
            health = health_factor_down(stake.position, now, price, pair.terms)
            found.append(
                Valuation(
                    account,
                    collateral_value_down(stake.position.collateral, price),
                    borrowed_up(stake.position, now),
                    pair.terms.lltv,
                    None if health == NO_DEBT_HEALTH else health,
                )
            )
        return found

    def value_records(
        self, state: Singleton, records: Mapping[str, bytes], timestamp: int
    ) -> list[Valuation]:
        return self.value(state, {a: self.decode(record) for a, record in records.items()}, timestamp)

    def priced_assets(self, state: Singleton) -> list[PricedAsset]:
        return [
            PricedAsset(
                pair.id,
                self._asset(pair, pair.collateral, {}).price if pair.usable else None,
                lens.oracle_call(self.contract, pair.id),
                erc20_calls.symbol(pair.collateral),
                token=pair.collateral.lower(),
            )
            for pair in state.pairs.values()
        ]

    def leg_assets(self, state: Singleton, legs: Sequence[int]) -> list[str]:
        ids = self._numbers.ids
        # A debt is counted in the loan token itself: no price moves it.
        return [f"{ids[leg // 2]}:loan" if leg % 2 else ids[leg // 2] for leg in legs]

    def priced_by(self, state: Singleton, raw: Stake) -> frozenset[str]:
        return frozenset({raw.id}) if raw.position.borrow_shares else frozenset()

    def traded(self, state: Singleton, raw: Stake) -> frozenset[str]:
        pair = state.pairs[raw.id]
        return frozenset({pair.loan.lower(), pair.collateral.lower()})

    def notices(self, state: Singleton) -> Mapping[str, str]:
        return {}

    def indices(self, state: Singleton, timestamp: int) -> dict[str, dict[str, int]]:
        return {
            pair.id: {
                "borrow_assets": now.total_borrow_assets,
                "borrow_shares": now.total_borrow_shares,
                "supply_assets": now.total_supply_assets,
            }
            for pair in state.pairs.values()
            for now in [pair.at(timestamp)]
        }

    def explain(
        self, state: Singleton, account: str, raw: Stake, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        pair = state.pairs[raw.id]
        [valuation] = self.value(state, {account: raw}, timestamp)
        breaks = liquidation_price_up(raw.position, pair.at(timestamp), pair.terms)
        base = 10**pair.loan_decimals
        unit = 10**pair.collateral_decimals
        lines = (
            AssetLine(
                asset=pair.collateral,
                symbol=symbols.get(pair.id, pair.collateral),
                decimals=pair.collateral_decimals,
                price=(pair.price or 0) * unit // ORACLE_PRICE_SCALE,
                supplied=raw.position.collateral,
                collateral=valuation.collateral,
                threshold=pair.terms.lltv // 10**14,
                owed=0,
                debt=0,
                breaks_at=None if breaks is None else breaks * unit // ORACLE_PRICE_SCALE,
            ),
            AssetLine(
                asset=pair.loan,
                symbol=symbols.get(pair.loan.lower(), pair.loan),
                decimals=pair.loan_decimals,
                price=base,
                supplied=0,
                collateral=0,
                threshold=0,
                owed=valuation.debt,
                debt=valuation.debt,
                breaks_at=None,
            ),
        )
        return Explanation(valuation, lines, "Morpho Blue 1.0: collateral × price × LLTV ÷ debt")

    # Planning.

    def _tokens(self, state: Singleton) -> list[str]:
        return sorted({t.lower() for pair in state.pairs.values() for t in (pair.loan, pair.collateral)})

    def planning_calls(self, state: Singleton, accounts: Sequence[str], payer: str) -> list[Call]:
        return erc20_calls.facts_calls(self._tokens(state), payer)

    def read_planning(self, state: Singleton, accounts: Sequence[str], answers: Iterable[Answer]) -> Facts:
        return erc20_calls.read_facts(self._tokens(state), answers)

    def gas_price_asset(self, state: Singleton, facts: Facts, symbol: str) -> int | None:
        for asset in self.assets(state, facts).values():
            if asset.symbol == symbol:
                return asset.price
        return None

    def assets(self, state: Singleton, facts: Facts) -> Mapping[str, Asset]:
        found: dict[str, Asset] = {}
        for pair in state.pairs.values():
            if pair.usable:
                for token in (pair.loan, pair.collateral):
                    found.setdefault(token.lower(), self._asset(pair, token, facts.symbols))
        return found

    def _asset(self, pair: Pair, token: str, symbols: Mapping[str, str]) -> Asset:
        """A token of a market at the market's own price; the loan token at what the operator says."""
        loan = pair.loan.lower()
        names = (loan, symbols.get(loan, loan).lower())
        said = next((self._loan_prices[name] for name in names if name in self._loan_prices), Decimal(1))
        worth = int(said * 10**BASE_DECIMALS)
        if token == pair.loan:
            return Asset(loan, symbols.get(loan, loan), worth, 10**pair.loan_decimals)
        unit = 10**pair.collateral_decimals
        price = (pair.price or 0) * unit * worth // (ORACLE_PRICE_SCALE * 10**pair.loan_decimals)
        name = token.lower()
        return Asset(name, symbols.get(name, name), price, unit)

    def offers(
        self, state: Singleton, account: str, raw: Stake, timestamp: int, facts: Facts
    ) -> list[Offer] | Impossible:
        pair = state.pairs[raw.id]
        return planning.offers(
            self.contract,
            pair,
            borrower_of(account),
            raw.position,
            timestamp,
            self._asset(pair, pair.loan, facts.symbols),
            self._asset(pair, pair.collateral, facts.symbols),
        )

    def plan_liquidation(
        self,
        state: Singleton,
        account: str,
        raw: Stake,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
    ) -> list[Plan] | Impossible:
        found = self.offers(state, account, raw, timestamp, facts)
        if isinstance(found, Impossible):
            return found
        plans = inventory.plans(self.name, account, found, funds)
        return plans or Impossible(f"the signer holds no {found[0].pays.symbol} to repay with")

    def plan_top_up(
        self,
        state: Singleton,
        account: str,
        raw: Stake,
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
        pair = state.pairs[raw.id]
        return planning.top_up(
            self.name,
            self.contract,
            pair,
            account,
            raw.position,
            timestamp,
            funds,
            steps,
            target,
            budget_base,
            self._asset(pair, pair.loan, facts.symbols),
            self._asset(pair, pair.collateral, facts.symbols),
        )
