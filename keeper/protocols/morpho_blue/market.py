"""A Morpho Blue singleton behind the keeper's interface: all its markets, or those that are named."""

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
from keeper.margin.lending.morpho.market import ORACLE_PRICE_SCALE, MarketState
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
from keeper.model.blocked import Blocked
from keeper.model.cure import Action, Step
from keeper.model.offer import Asset, Offer
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation
from keeper.protocols import erc20_calls
from keeper.protocols.adapter import Adapter
from keeper.protocols.base import PricedAsset
from keeper.protocols.cures import ENDLESS, Cure, CureRequest
from keeper.protocols.lenses import packed
from keeper.protocols.morpho_blue import events, lens, planning, positions
from keeper.protocols.morpho_blue.lens import LENS, Pair
from keeper.protocols.morpho_blue.positions import borrower_of, id_of

MOST_UNLISTED = 2_048
"""So many unlisted markets are read at a block, the oldest first: nothing is done there anyway."""
MOST_PRICE = 2**256 - 1
"""No contract can say more; what a stranger's numbers multiply to is kept to it."""


@dataclass(frozen=True, slots=True)
class Stake:
    """One borrower's position in one market."""

    id: str
    position: Position


@dataclass(frozen=True, slots=True)
class Singleton:
    """All followed markets at one block, by id. `unread` are those of which not even the stored state was
    ever read: whoever has a stake there cannot be valued."""

    pairs: Mapping[str, Pair]
    unread: frozenset[str] = frozenset()


class MorphoBlueMarket(Adapter[Singleton, Stake]):
    """An account is a borrower in one market: see `positions`.

    Values are in units of each market's loan token; plans in base currency, of which a whole loan token is
    worth what `loan_prices` says (by symbol or address), else 1.
    """

    protocol = "morpho-blue"
    called = (planning.LIQUIDATE, planning.SUPPLY, planning.REPAY)
    lens, view_words, scale = LENS, 4, 8
    what = "Morpho Blue"
    remedy = "Name the singleton that holds all markets"

    def __init__(self, name: str, settings: MarketSettings) -> None:
        super().__init__(name, settings.address, settings.from_block)
        self._wanted = frozenset(each.lower() for each in settings.market_ids)
        self._trusts_all = settings.unlisted == "act"
        self._loan_prices = {name.lower(): price for name, price in settings.loan_prices.items()}
        self._last: dict[str, Pair] = {}
        self._left_out: frozenset[str] = frozenset()
        self._numbers = positions.Numbers()
        self._numbers.note(sorted(self._wanted))

    @classmethod
    def of(cls, name: str, settings: MarketSettings) -> Self:
        return cls(name, settings)

    # Copying.

    def log_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), events.TOPICS)

    def discovery_filter(self, state: Singleton) -> LogFilter:
        return LogFilter((self.contract.lower(),), events.DISCOVERY)

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts:
        heard = list(logs)
        self._numbers.note(each for each in events.created(heard) if self._follows(each))
        found = events.touched(heard, self._wanted)
        followed = frozenset(each for each in found.accounts if self._numbers.of(id_of(each)))
        return replace(found, accounts=followed)

    def _follows(self, market_id: str) -> bool:
        return not self._wanted or market_id in self._wanted

    def _vouched(self, pair: Pair) -> bool:
        """Whether the operator stands for this market: its oracle and its tokens are not just anybody's."""
        return self._trusts_all or pair.id in self._wanted

    def is_strangers(self, asset: str) -> bool:
        return asset not in self._wanted

    def is_trusted_part(self, state: Singleton, part: str) -> bool:
        return self._trusts_all or part in self._wanted

    def _says(self, pair: Pair) -> Decimal | None:
        """What a whole loan token is worth by the operator's word, if he says it."""
        # A stranger calls his token what he likes.
        names = (pair.loan.lower(), pair.loan_symbol.lower())[: 2 if self._vouched(pair) else 1]
        return next((self._loan_prices[name] for name in names if name in self._loan_prices), None)

    def _strange(self, pair: Pair) -> str:
        """Why no money goes into this market; empty where it may."""
        if self._trusts_all:
            return ""
        if pair.id in self._wanted:
            unsaid = (
                f"what a whole {pair.loan_symbol} is worth is not said: set markets.{self.name}.loan_prices"
            )
            return "" if self._says(pair) else unsaid
        listing = f"if you trust it, list {pair.id} in markets.{self.name}.market_ids"
        return f"anybody can have made this market and its oracle: {listing}"

    def _ids(self, references: Iterable[int]) -> list[str]:
        # What a record refers to is its market; those without positions are followed as they are created.
        numbers = {*references, *range(1, len(self._numbers.ids))}
        return [self._numbers.ids[n] for n in sorted(numbers)]

    def market_call(self, references: Iterable[int]) -> Call:
        """Of the markets that the operator trusts: what strangers made has no part in it."""
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
                where=f"markets.{self.name}.market_ids {missing[0]}",
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

    def weights(self, state: Singleton, timestamp: int, legs: Sequence[int]) -> Weights | None:
        power, need = np.zeros(positions.LEGS), np.zeros(positions.LEGS)
        unbounded = set()
        for leg in legs:
            pair = state.pairs.get(self._numbers.ids[leg // 2])
            if pair is None or not pair.usable or not pair.price:
                unbounded.add(leg)
            elif leg % 2:
                totals = pair.at(timestamp)
                need[leg] = (totals.total_borrow_assets + VIRTUAL_ASSETS) / (
                    totals.total_borrow_shares + VIRTUAL_SHARES
                )
            else:
                power[leg] = pair.price * pair.terms.lltv / (ORACLE_PRICE_SCALE * WAD)
        # Collateral's value and its weighing are rounded down once each; a debt is rounded up once.
        return Weights(power=power, need=need, power_dust=2.0, need_dust=1.0, unbounded=frozenset(unbounded))

    def counted(self, raw: Stake) -> Mapping[str, int]:
        return {f"borrow shares of {raw.id}": raw.position.borrow_shares}

    def totals(self, state: Singleton) -> Mapping[str, int]:
        pairs = state.pairs.values()
        return {f"borrow shares of {pair.id}": pair.totals.total_borrow_shares for pair in pairs}

    def view_call(self, account: str) -> Call:
        return lens.valued_call(self.contract, id_of(account), borrower_of(account))

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        collateral, debt, lltv, health = view
        return Valuation(account, collateral, debt, lltv, None if health == ENDLESS else health)

    # Valuing.

    def revision(self, state: Singleton) -> int:
        return 1

    def version(self, state: Singleton) -> str | None:
        return "1.0"

    def decimals(self, state: Singleton, account: str) -> int:
        """Of an account's values: its loan token's."""
        return state.pairs[id_of(account)].loan_decimals

    def unit_worth(self, state: Singleton, account: str) -> float:
        pair = state.pairs.get(id_of(account))
        if pair is None or not self._vouched(pair):
            return 0.0
        return float((self._says(pair) or Decimal(1)) * 10**self.scale / 10**pair.loan_decimals)

    def value(self, state: Singleton, accounts: Mapping[str, Stake], timestamp: int) -> list[Valuation]:
        ids = {stake.id for stake in accounts.values()} & state.pairs.keys()
        totals = {each: state.pairs[each].at(timestamp) for each in ids}
        return [
            _valued(state, a, stake, totals[stake.id]) for a, stake in accounts.items() if stake.id in ids
        ]

    def valued(self, state: Singleton, account: str, raw: Stake, timestamp: int) -> Valuation:
        return _valued(state, account, raw, state.pairs[raw.id].at(timestamp))

    def priced_assets(self, state: Singleton) -> list[PricedAsset]:
        return [
            *(
                PricedAsset(
                    pair.id,
                    self._asset(pair, pair.collateral, {}).price if pair.usable else None,
                    self._oracle_call(pair.id),
                    erc20_calls.symbol(pair.collateral),
                    token=pair.collateral.lower(),
                    trusted=self._vouched(pair),
                )
                for pair in state.pairs.values()
            ),
            *(
                PricedAsset(each, None, self._oracle_call(each), self._oracle_call(each), trusted=False)
                for each in sorted(state.unread)
            ),
        ]

    def _oracle_call(self, market_id: str) -> Call:
        return LENS.call("oracleOf(address,bytes32)", self.contract, bytes.fromhex(market_id[2:]))

    def leg_assets(self, state: Singleton, legs: Sequence[int]) -> list[str]:
        ids = self._numbers.ids
        # A debt is counted in the loan token itself: no price moves it.
        return [f"{ids[leg // 2]}:loan" if leg % 2 else ids[leg // 2] for leg in legs]

    def price_dependencies(self, state: Singleton, raw: Stake) -> frozenset[str]:
        return frozenset({raw.id}) if raw.position.borrow_shares else frozenset()

    def liquidation_tokens(self, state: Singleton, raw: Stake) -> frozenset[str]:
        pair = state.pairs.get(raw.id)
        # At a stranger's token nothing is asked.
        if pair is None or not self._vouched(pair):
            return frozenset()
        return frozenset({pair.loan.lower(), pair.collateral.lower()})

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

    def lines(
        self, state: Singleton, valuation: Valuation, raw: Stake, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        pair = state.pairs[raw.id]
        breaks = liquidation_price_up(raw.position, pair.at(timestamp), pair.terms)
        unit = 10**pair.collateral_decimals
        has = AssetLine(
            pair.collateral,
            symbols.get(pair.collateral.lower(), pair.collateral),
            pair.collateral_decimals,
            (pair.price or 0) * unit // ORACLE_PRICE_SCALE,
            supplied=raw.position.collateral,
            collateral=valuation.collateral,
            threshold=pair.terms.lltv // 10**14,
            breaks_at=None if breaks is None else breaks * unit // ORACLE_PRICE_SCALE,
        )
        owes = AssetLine(
            pair.loan,
            symbols.get(pair.loan.lower(), pair.loan),
            pair.loan_decimals,
            10**pair.loan_decimals,
            owed=valuation.debt,
            debt=valuation.debt,
        )
        return (has, owes), "Morpho Blue 1.0: collateral × price × LLTV ÷ debt"

    def loan_tokens(self, state: Singleton) -> Mapping[str, str]:
        return {pair.loan.lower(): pair.loan_symbol for pair in state.pairs.values()}

    def setup_warnings(self, state: Singleton) -> Sequence[tuple[str, str]]:
        found = []
        if not self._wanted:
            done = "acted on" if self._trusts_all else "watched, and nothing is done there"
            everyone = f"all {len(state.pairs)} markets are {done}; anybody makes one with his own oracle"
            found.append((everyone, f"List the markets that you trust in markets.{self.name}.market_ids"))
        assumed = {pair.loan_symbol for pair in state.pairs.values() if not self._says(pair)}
        if assumed:
            prices = f"markets.{self.name}.loan_prices"
            each = f"a whole {', '.join(sorted(assumed))}"
            if self._trusts_all:
                found.append(
                    (f"{each} is counted as 1 of the base currency", f"Set {prices} for what is no dollar")
                )
            else:
                found.append(
                    (
                        f"what {each} is worth is not said: nothing is done there",
                        f"Set {prices}; a dollar is 1",
                    )
                )
        return found

    # Planning.

    def tokens(self, state: Singleton) -> Sequence[str]:
        trusted = [pair for pair in state.pairs.values() if self._vouched(pair)]
        return sorted({t.lower() for pair in trusted for t in (pair.loan, pair.collateral)})

    def market_warnings(self, state: Singleton) -> Mapping[str, str]:
        found = {}
        if self._numbers.unfollowed:
            most = len(self._numbers.ids) - 1
            found["unfollowed"] = (
                f"more than {most} markets: later ones are not followed; list those you trust"
            )
        if self._left_out:
            found["unread"] = (
                f"more than {MOST_UNLISTED} markets that nobody listed have accounts: later ones are not read"
            )
        return found

    def assets(self, state: Singleton, facts: Purse) -> Mapping[str, Asset]:
        found: dict[str, Asset] = {}
        known = [pair for pair in state.pairs.values() if pair.usable and self._vouched(pair)]
        # What the operator says of a token counts before what any market's oracle does.
        for pair in known:
            found.setdefault(pair.loan.lower(), self._asset(pair, pair.loan, facts.symbols))
        for pair in known:
            found.setdefault(pair.collateral.lower(), self._asset(pair, pair.collateral, facts.symbols))
        return found

    def _asset(self, pair: Pair, token: str, symbols: Mapping[str, str]) -> Asset:
        """A token of a market at the market's own price; the loan token at what the operator says."""
        loan = pair.loan.lower()
        worth = int((self._says(pair) or Decimal(1)) * 10**self.scale)
        if token == pair.loan:
            return Asset(loan, pair.loan_symbol, worth, 10**pair.loan_decimals)
        unit = 10**pair.collateral_decimals
        price = (pair.price or 0) * unit * worth // (ORACLE_PRICE_SCALE * 10**pair.loan_decimals)
        price = min(price, MOST_PRICE)
        name = token.lower()
        return Asset(name, symbols.get(name, name), price, unit)

    def offers(
        self, state: Singleton, account: str, raw: Stake, timestamp: int, facts: Purse
    ) -> list[Offer] | Blocked:
        pair = state.pairs[raw.id]
        if why := self._strange(pair):
            return Blocked(why)
        return planning.offers(
            self.contract,
            pair,
            borrower_of(account),
            raw.position,
            timestamp,
            self._asset(pair, pair.loan, facts.symbols),
            self._asset(pair, pair.collateral, facts.symbols),
        )

    def closed(self, state: Singleton, raw: Stake, wish: CureRequest) -> str:
        pair = state.pairs[raw.id]
        if why := self._strange(pair):
            return why
        return "" if pair.usable else "the market's oracle or rate model does not answer"

    def takes(self, state: Singleton, raw: Stake, wish: CureRequest) -> Sequence[tuple[Action, Asset]]:
        pair, symbols = state.pairs[raw.id], wish.facts.symbols
        loan, collateral = (self._asset(pair, token, symbols) for token in (pair.loan, pair.collateral))
        return [("repay", loan), ("supply", collateral)]

    def way(
        self, state: Singleton, raw: Stake, wish: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        return planning.way(self.contract, state.pairs[raw.id], raw.position, wish, step, asset)


def _valued(state: Singleton, account: str, raw: Stake, now: MarketState) -> Valuation:
    pair, price = state.pairs[raw.id], state.pairs[raw.id].price or 0
    health = health_factor_down(raw.position, now, price, pair.terms)
    return Valuation(
        account,
        collateral_value_down(raw.position.collateral, price),
        borrowed_up(raw.position, now),
        pair.terms.lltv,
        None if health == ENDLESS else health,
    )
