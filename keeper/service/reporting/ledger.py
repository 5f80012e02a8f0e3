"""The ledger: what each of our transactions really brought and cost, from its receipt, at its block's prices.

Every included transaction is booked, reverts and allowances too. An entry names its block: after a reorg it
is made anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, or_, select

from keeper.alerts import keeper_alerts
from keeper.chain import blocks
from keeper.chain.answers import CannotError, WrongStateError
from keeper.chain.blocks import Head
from keeper.chain.calls import run as read
from keeper.chain.contract_reads import ContractReads
from keeper.chain.logs import parse
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import journal, transactions
from keeper.execution.receipts import Receipts
from keeper.execution.turns import Turns
from keeper.model.format import format_money
from keeper.model.money import WAD, Rate
from keeper.model.offer import Asset
from keeper.model.plan import NATIVE
from keeper.model.purse import Purse
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.native_price import native_price
from keeper.service.reporting.receipts import gas_wei, movements
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction
from keeper.store.tables.states import IntentState, TransactionState

log = structlog.get_logger()

# Told after so many rounds of which each asked several times.
_STATELESS = 3
_MINED = (TransactionState.INCLUDED, TransactionState.FINAL)


@dataclass(frozen=True, slots=True)
class Priced:
    """A token at a market's price, and what that market's base units are worth."""

    asset: Asset
    rate: Rate

    def worth(self, units: int) -> int:
        """Money, rounded down."""
        return self.rate.down(self.asset.worth(units))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one chain, whose markets have been read at least once."""

    chain: ChainContext
    troubles: dict[int, str] = field(default_factory=dict, compare=False, repr=False)
    """Why transactions (ids) could not be booked when last tried; each reason is alerted once."""
    stateless: Counter[int] = field(default_factory=Counter, compare=False, repr=False)
    """How often no node had the state of these transactions' blocks: a backend that is behind has it soon."""
    turns: Turns = field(default_factory=Turns, compare=False, repr=False)

    def book(self) -> int:
        """Book every included transaction that is not booked for its block; returns how many were.

        One that cannot be booked is reported, tried again the next time, and delays no other. When none could
        be booked for want of an answer, the last error is raised.
        """
        with self.chain.store.session() as session:
            waiting = unbooked(session, self.chain.name)
            markets = {t.id: _market_of(session, t) for t in waiting}
        known = [each for each in self.chain.markets if each.book.head is not None]
        booked, unanswered, receipts = 0, list[Exception](), Receipts(self.chain.pool)

        def ask(transaction: Transaction) -> None:
            nonlocal booked
            name = markets[transaction.id]
            own = [market for market in known if market.name == name]
            others = [market for market in known if market.name != name]
            booked += self._tried(transaction, [*own, *others], receipts)

        def untold(_: Transaction, error: Exception) -> None:
            unanswered.append(error)

        self.turns.go(waiting if known else (), lambda each: each.id or 0, ask, untold)
        if unanswered and not booked:
            raise unanswered[-1]
        return booked

    def _tried(self, transaction: Transaction, markets: list[Market], receipts: Receipts) -> bool:
        """Book one transaction; report a failure that is its own."""
        try:
            return self._book(transaction, markets, receipts)
        except SQLAlchemyError:
            raise
        except (WrongStateError, CannotError) as error:
            # No node has its block's state any more: others may be younger.
            self.stateless[transaction.id or 0] += 1
            if self.stateless[transaction.id or 0] >= _STATELESS:
                self._not_posted(transaction, error)
        except UnreachableError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever one receipt does, the others are booked)
            self._not_posted(transaction, error)
        return False

    def _not_posted(self, transaction: Transaction, error: Exception) -> None:
        """Alert, once per cause, that a transaction is not in the ledger."""
        assert transaction.id is not None
        why = str(error) or repr(error)
        if self.troubles.get(transaction.id) == why:
            return
        self.troubles[transaction.id] = why
        log.error("not posted", chain=self.chain.name, transaction=transaction.hash, error=why)
        with self.chain.store.session() as session:
            keeper_alerts.not_posted(session, self.chain.name, transaction.hash, why)

    def _book(self, transaction: Transaction, markets: list[Market], receipts: Receipts) -> bool:
        """Book one transaction. `markets`: whose prices count, its own market's before the others'."""
        assert transaction.block is not None and transaction.id is not None
        head = blocks.by_number(self.chain.pool, transaction.block)
        receipt = None if head is None else receipts.of(transaction.hash, head, head.number)
        if receipt is None or head is None or head.hash != receipt["blockHash"]:
            return False
        if head.hash != transaction.block_hash:
            # The chain has moved on and the journal has not: it will, and then this is asked again.
            return False
        prices, native = self._prices(head, markets)
        moved = movements(receipt["logs"], {transaction.sender.lower(), *self._liquidator(head)})
        if coins := self._coins(transaction, receipt):
            moved[NATIVE] = coins
        worth, unpriced = value(moved, prices)
        wei = gas_wei(receipt)
        if native is None:
            unpriced.append("gas")
        entry = LedgerEntry(
            transaction_id=transaction.id,
            block_hash=head.hash,
            timestamp=head.timestamp,
            market=markets[0].name,
            moved=json.dumps([_line(token, units, prices) for token, units in moved.items()]),
            unpriced=", ".join(unpriced),
            value=worth,
            gas_wei=wei,
            gas=-(-wei * (native or 0) // WAD),
        )
        with self.chain.store.session() as session:
            session.merge(entry)
        log.info(
            "booked",
            transaction=transaction.hash,
            value=format_money(worth),
            gas=format_money(entry.gas),
            unpriced=unpriced,
        )
        return True

    def _coins(self, transaction: Transaction, receipt: Mapping[str, Any]) -> int:
        """Wei that came to us besides tokens, less those sent with the call: no log shows them, but each
        protocol's adapter reports what it pays."""
        if int(receipt["status"], 16) != 1:
            return 0
        logs = parse(receipt["logs"])
        rewards = (market.adapter.native_rewards for market in self.chain.markets)
        return sum(each.rewards(logs) for each in rewards if each is not None) - transaction.value

    def _liquidator(self, head: Head) -> Iterator[str]:
        """Our contract and who owned it at a block (lower case)."""
        if address := self.chain.settings.chain.liquidator:
            yield address.lower()
            reads = ContractReads(self.chain.pool, head)
            if owner := reads.read_or_none(reads.at("Liquidator", address).functions.owner()):
                yield str(owner).lower()

    def _prices(self, head: Head, markets: Sequence[Market]) -> tuple[Mapping[str, Priced], int | None]:
        """Every token of these markets and the native coin at a block, at the price of the first market that
        knows one; one call."""
        calls = [market.adapter.mirror.market_call(market.book.references) for market in markets]
        lenses = tuple(dict.fromkeys(lens for market in markets for lens in market.adapter.mirror.lenses()))
        answers = iter(read(self.chain.pool, head, calls, lenses))
        symbols = _symbols(markets)
        known = {market.name: Purse({}, {**symbols, **_own_symbols(market)}) for market in markets}
        then = []
        for market in markets:
            answer = next(answers)
            try:
                state = market.adapter.mirror.read_market(answer)
            except KeeperError as error:
                # Another market's trouble: what only it prices is told to be without a price.
                if market is markets[0]:
                    raise
                log.info("books without a market", market=market.name, error=str(error))
                continue
            then.append(replace(market, book=market.book.under(state), prices=None))
        priced: dict[str, Priced] = {}
        for market in then:
            for token, asset in market.adapter.planner.assets(market.book.state, known[market.name]).items():
                priced.setdefault(token, Priced(asset, market.rate))
        native = native_price(self.chain.settings, then, known)
        if native is not None:
            priced[NATIVE] = Priced(Asset(NATIVE, NATIVE, native, WAD), Rate())
        return priced, native


def unbooked(session: Session, chain: str) -> list[Transaction]:
    """Included transactions that are not booked for their present block."""
    rows = session.exec(
        select(Transaction)
        .join(LedgerEntry, col(LedgerEntry.transaction_id) == col(Transaction.id), isouter=True)
        .where(
            Transaction.chain == chain,
            col(Transaction.state).in_(_MINED),
            or_(col(LedgerEntry.block_hash).is_(None), LedgerEntry.block_hash != Transaction.block_hash),
        )
        .order_by(col(Transaction.id))
    ).all()
    return list(rows)


def earned(session: Session, intent: Intent) -> Decimal | None:
    """What an intent earned: what its transactions brought, less their gas, in whole units of account.

    Intents that share a transaction bear equal parts of the gas; those that were done share the proceeds by
    their expected gain. None while nothing of it is booked."""
    total, found = Decimal(0), False
    for transaction in journal.transactions_of(session, intent.id or 0):
        booking = session.get(LedgerEntry, transaction.id)
        if booking is None or booking.block_hash != transaction.block_hash:
            continue
        carried = transactions.intents_of(session, transaction.id or 0)
        done = [each for each in carried if each.state == IntentState.SETTLED] or carried
        weights = {each.id: max(each.gain, 1) for each in done}
        share = booking.value * weights.get(intent.id, 0) // sum(weights.values())
        net = share - -(-booking.gas // len(carried))
        total, found = total + Decimal(net).scaleb(-18), True
    return total if found else None


def value(moved: Mapping[str, int], prices: Mapping[str, Priced]) -> tuple[int, list[str]]:
    """Money of all movements (each rounded down), and the tokens that have no price."""
    priced = {token: units for token, units in moved.items() if token in prices and prices[token].asset.price}
    worth = sum(prices[token].worth(units) for token, units in priced.items())
    return worth, [token for token in moved if token not in priced]


def _market_of(session: Session, transaction: Transaction) -> str:
    carried = transactions.intents_of(session, transaction.id or 0)
    return carried[0].market if carried else ""


def _symbols(markets: Sequence[Market]) -> dict[str, str]:
    """The symbol that any of these markets has for a token (lower case)."""
    found: dict[str, str] = {}
    for market in markets:
        own = _own_symbols(market)
        for each in market.adapter.valuer.priced_assets(market.book.state) if own else ():
            if each.asset in own:
                found.setdefault((each.token or each.asset).lower(), own[each.asset])
    return found


def _own_symbols(market: Market) -> dict[str, str]:
    return market.prices.symbols if market.prices else {}


def _line(token: str, units: int, prices: Mapping[str, Priced]) -> dict[str, str]:
    if token not in prices:
        return {"token": token, "symbol": token, "units": str(units), "decimals": "0"}
    asset = prices[token].asset
    decimals = str(len(str(asset.unit)) - 1)
    return {"token": token, "symbol": asset.symbol, "units": str(units), "decimals": decimals}
