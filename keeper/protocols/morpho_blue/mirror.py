"""The keeper's copy of a Morpho Blue singleton: its markets, accounts touched by events, everybody's
stake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

import numpy as np

from keeper.book.entries import Entries
from keeper.book.source import ChangedAccounts
from keeper.chain.calls import Answer, Call
from keeper.chain.logs import Log, LogFilter
from keeper.config import MarketSettings
from keeper.errors import ConfigError
from keeper.margin.lending.morpho.market import ORACLE_PRICE_SCALE
from keeper.margin.lending.morpho.position import Position
from keeper.margin.lending.morpho.shares import VIRTUAL_ASSETS, VIRTUAL_SHARES
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.protocols.adapter import Adapter
from keeper.protocols.event_table import account_at, topic
from keeper.protocols.lenses import packed
from keeper.protocols.morpho_blue import lens, planning, positions
from keeper.protocols.morpho_blue.lens import LENS, Pair
from keeper.protocols.morpho_blue.positions import borrower_of, id_of
from keeper.protocols.morpho_blue.settings import MorphoBlueSettings

CREATE_MARKET = topic("CreateMarket(bytes32,(address,address,address,address,uint256))")
_SUPPLY_COLLATERAL = topic("SupplyCollateral(bytes32,address,address,uint256)")
_BORROW = topic("Borrow(bytes32,address,address,address,uint256,uint256)")

# Where the borrower stands among the topics; the market's id is the first after the event's own.
_BORROWER = {
    _SUPPLY_COLLATERAL: 3,
    topic("WithdrawCollateral(bytes32,address,address,address,uint256)"): 2,
    _BORROW: 2,
    topic("Repay(bytes32,address,address,uint256,uint256)"): 3,
    topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)"): 3,
}
_TOPICS = (CREATE_MARKET, *_BORROWER)
_DISCOVERY = (CREATE_MARKET, _SUPPLY_COLLATERAL, _BORROW)
MOST_UNLISTED = 2_048
"""Unlisted markets read at a block, at most, the oldest first: nothing is done there anyway."""
MOST_PRICE = 2**256 - 1
"""The greatest price that a contract can answer; products of a stranger's numbers are capped at it."""


@dataclass(frozen=True, slots=True)
class Stake:
    """One borrower's position in one market."""

    id: str
    position: Position


@dataclass(frozen=True, slots=True)
class Singleton:
    """All followed markets at one block, by id. `unread` are those whose stored state was never read:
    accounts with a stake there cannot be valued."""

    pairs: Mapping[str, Pair]
    unread: frozenset[str] = frozenset()


class MorphoMirror(Adapter[Singleton, Stake]):
    """Mirror of a singleton. An account is a borrower in one market: see `positions`.

    Values are in units of each market's loan token; plans in base currency, in which a whole loan token is
    worth its `loan_prices` entry (by symbol or address), else 1.
    """

    protocol = "morpho-blue"
    called = (planning.LIQUIDATE, planning.SUPPLY, planning.REPAY)
    lens, view_words, scale = LENS, 4, 8
    what = "Morpho Blue"
    remedy = "Name the singleton that holds all markets"

    def __init__(self, name: str, settings: MarketSettings, *, is_local: bool = False) -> None:
        super().__init__(name, settings.address, settings.from_block)
        self.screener = self.references = self.stranger_reads = self.strangers = self.loan_pricing = self
        own = settings.own_as(MorphoBlueSettings)
        self._wanted = frozenset(each.lower() for each in own.market_ids)
        self._trusts_all = (own.untrusted_markets or ("act" if is_local else "watch")) == "act"
        self._loan_prices = {name.lower(): price for name, price in own.loan_prices.items()}
        self._last: dict[str, Pair] = {}
        self._left_out: frozenset[str] = frozenset()
        self._numbers = positions.Numbers()
        self._numbers.note(sorted(self._wanted))

    @classmethod
    def of(cls, name: str, settings: MarketSettings, *, is_local: bool = False) -> Self:
        return cls(name, settings, is_local=is_local)

    # Copying.

    @staticmethod
    def owner(account: str) -> str:
        return borrower_of(account)

    @staticmethod
    def part(account: str) -> str:
        return id_of(account) if account != borrower_of(account) else ""

    def log_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), _TOPICS)

    def discovery_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), _DISCOVERY)

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts:
        heard = [log for log in logs if not self._wanted or log.topics[1] in self._wanted]
        self._numbers.note(log.topics[1] for log in heard if log.topics[0] == CREATE_MARKET)
        placed = [(log, _BORROWER[log.topics[0]]) for log in heard if log.topics[0] in _BORROWER]
        accounts = {positions.key(account_at(log, place), log.topics[1]) for log, place in placed}
        return ChangedAccounts(frozenset(each for each in accounts if self._numbers.of(id_of(each))))

    def _vouched(self, pair: Pair) -> bool:
        """Whether the operator trusts this market: its oracle and tokens are not just anybody's."""
        return self._trusts_all or pair.id in self._wanted

    def is_strangers(self, asset: str) -> bool:
        return asset not in self._wanted

    def is_trusted_part(self, state: Singleton, part: str) -> bool:
        return self._trusts_all or part in self._wanted

    def _says(self, pair: Pair) -> Decimal | None:
        """What a whole loan token is worth by the operator's settings; None where they give no price."""
        # Strangers call their tokens what they like.
        names = (pair.loan.lower(), pair.loan_symbol.lower())[: 2 if self._vouched(pair) else 1]
        return next((self._loan_prices[name] for name in names if name in self._loan_prices), None)

    def loan_tokens(self, state: Singleton) -> Mapping[str, str]:
        return {pair.loan.lower(): pair.loan_symbol for pair in state.pairs.values()}

    def _strange(self, pair: Pair) -> str:
        """Why no money may go into this market; empty where it may."""
        if self._trusts_all:
            return ""
        if pair.id in self._wanted:
            unsaid = f"what a whole {pair.loan_symbol} is worth is not said: set {self.table}.loan_prices"
            return "" if self._says(pair) else unsaid
        listing = f"if you trust it, list {pair.id} in {self.table}.market_ids"
        return f"anybody can have made this market and its oracle: {listing}"

    def _ids(self, references: Iterable[int]) -> list[str]:
        # What a record refers to is its market; those without positions are followed as they are created.
        numbers = {*references, *range(1, len(self._numbers.ids))}
        return [self._numbers.ids[n] for n in sorted(numbers)]

    def market_call(self, references: Iterable[int]) -> Call:
        """The call for the markets that the operator trusts; strangers' markets are read apart."""
        trusted = [each for each in self._ids(references) if self._trusts_all or each in self._wanted]
        return lens.markets_call(self.contract, trusted)

    def apart_calls(self, references: Iterable[int]) -> Sequence[Call]:
        if self._trusts_all:
            return ()
        # Those where somebody has a stake before those where nobody has one yet.
        staked = [self._numbers.ids[number] for number in sorted(references)]
        ids = [each for each in dict.fromkeys([*staked, *self._ids(())]) if each not in self._wanted]
        self._left_out = frozenset(ids[MOST_UNLISTED:]).intersection(staked)
        return self._apart(ids[:MOST_UNLISTED])

    def _apart(self, ids: Sequence[str]) -> list[Call]:
        size = lens.APART_MARKETS
        return [
            lens.markets_call(self.contract, ids[at : at + size], lens.APART_GAS)
            for at in range(0, len(ids), size)
        ]

    def rest_calls(self, call: Call, answer: Answer) -> Sequence[Call]:
        asked = lens.ids_of(call)
        if answer.ok:
            read = lens.read_markets(answer.data).keys()
            left = [each for each in asked if each not in read]
            return self._apart(left) if read else ()
        if answer.starved:
            return [call]
        half = len(asked) // 2
        return [
            lens.markets_call(self.contract, some, call.gas) for some in (asked[:half], asked[half:]) if half
        ]

    def read_state(self, data: bytes) -> Singleton:
        return self._known(lens.read_markets(data))

    def with_apart(self, state: Singleton, answers: Iterable[tuple[Call, Answer]]) -> Singleton:
        pairs = dict(state.pairs)
        asked: set[str] = set()
        for call, answer in answers:
            asked.update(lens.ids_of(call))
            if answer.ok:
                pairs.update(self._known(lens.read_markets(answer.data)).pairs)
        silent = asked - pairs.keys()
        # What was read once is still there, but at what price and rate nobody says.
        last = {each: self._last[each] for each in silent if each in self._last}
        pairs.update({each: replace(pair, price=None, rate=None) for each, pair in last.items()})
        return Singleton(pairs, frozenset(silent - last.keys()) | self._left_out)

    def _known(self, read: Mapping[str, Pair | None]) -> Singleton:
        missing = sorted(each for each, pair in read.items() if pair is None and each in self._wanted)
        if missing:
            raise ConfigError(
                f"is no market of {self.contract}",
                where=f"{self.table}.market_ids {missing[0]}",
                remedy="Copy the id from the singleton's CreateMarket event; another singleton has others",
            )
        pairs = {each: pair for each, pair in read.items() if pair is not None}
        self._last.update(pairs)
        return Singleton(pairs)

    def covers(self, state: Singleton, references: Iterable[int]) -> bool:
        ids = (self._numbers.ids[number] for number in references)
        return all(each in state.pairs or each in state.unread for each in ids)

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return LENS.call("positions(address,bytes)", self.contract, packed(accounts))

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return positions.split(accounts, answer)

    def decode(self, record: bytes) -> Stake:
        return Stake(positions.market_id(record), positions.decode(record))

    def reference(self, record: bytes) -> int:
        return self._numbers.of(positions.market_id(record))

    def entries(self, many: Sequence[bytes]) -> Entries:
        return positions.entries(many, self._numbers)

    def factor_assets(self, state: Singleton, factors: Sequence[int]) -> list[str]:
        ids = self._numbers.ids
        # A debt is counted in the loan token itself: no price moves it.
        return [f"{ids[factor // 2]}:loan" if factor % 2 else ids[factor // 2] for factor in factors]

    def weights(self, state: Singleton, timestamp: int, factors: Sequence[int]) -> Weights | None:
        equity, maintenance = np.zeros(positions.FACTORS), np.zeros(positions.FACTORS)
        unbounded = set()
        for factor in factors:
            pair = state.pairs.get(self._numbers.ids[factor // 2])
            if pair is None or not pair.usable or not pair.price:
                unbounded.add(factor)
            elif factor % 2:
                totals = pair.at(timestamp)
                maintenance[factor] = (totals.total_borrow_assets + VIRTUAL_ASSETS) / (
                    totals.total_borrow_shares + VIRTUAL_SHARES
                )
            else:
                equity[factor] = pair.price * pair.terms.lltv / (ORACLE_PRICE_SCALE * WAD)
        # Collateral's value and its weighing are rounded down once each; a debt is rounded up once.
        return Weights(
            equity=equity,
            maintenance=maintenance,
            equity_dust=2.0,
            maintenance_dust=1.0,
            unbounded=frozenset(unbounded),
        )
