"""The books: what every transaction of ours really brought and cost, from its receipt, at its block's prices.

Whatever a block has is booked, reverts and allowances too. A booking names the block it is of: if the chain
decides otherwise, it is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector
from sqlmodel import Session, col, or_, select

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.execution import journal, transactions
from keeper.protocols.base import Asset, Facts
from keeper.service.markets import MarketRun
from keeper.store.database import Store
from keeper.store.tables import Booking, Intent, IntentState, Transaction, TransactionState

log = structlog.get_logger()

TRANSFER = "0x" + event_signature_to_log_topic("Transfer(address,address,uint256)").hex()
_OWNER = function_signature_to_4byte_selector("owner()")
WAD = 10**18
_MINED = (TransactionState.INCLUDED, TransactionState.FINAL)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the books of one chain are made from. `runs` are its markets, read at least once."""

    pool: NodePool
    store: Store
    settings: Settings
    runs: Sequence[MarketRun]

    def book(self) -> int:
        """Book every transaction in a block that is not booked for that block; how many were."""
        with self.store.session() as session:
            waiting = unbooked(session, self.pool.name)
            markets = {t.id: _market_of(session, t) for t in waiting}
        known = [each for each in self.runs if each.book.head is not None]
        booked = 0
        for transaction in waiting if known else ():
            at = next((r for r in known if r.name == markets[transaction.id]), known[0])
            booked += self._book(transaction, at)
        return booked

    def _book(self, transaction: Transaction, at: MarketRun) -> bool:
        assert transaction.block is not None and transaction.id is not None
        receipt = self.pool.call("eth_getTransactionReceipt", transaction.hash)
        head = blocks.by_number(self.pool, transaction.block)
        if receipt is None or head is None or head.hash != receipt["blockHash"]:
            return False
        if head.hash != transaction.block_hash:
            # The chain has moved on and the journal has not: it will, and then this is asked again.
            return False
        assets, native, owner = self._prices(head, at)
        liquidator = self.settings.chains[self.pool.name].liquidator
        ours = {transaction.sender.lower(), owner} | ({liquidator.lower()} if liquidator else set())
        moved = movements(receipt["logs"], ours)
        worth, unpriced = value(moved, assets)
        wei = gas_wei(receipt)
        booking = Booking(
            transaction_id=transaction.id,
            block_hash=head.hash,
            timestamp=head.timestamp,
            market=at.name,
            base_decimals=at.adapter.base_decimals(at.book.state),
            moved=json.dumps([_line(token, units, assets) for token, units in moved.items()]),
            unpriced=", ".join(unpriced),
            value_base=worth,
            gas_wei=wei,
            gas_base=-(-wei * native // WAD),
        )
        with self.store.session() as session:
            session.merge(booking)
        log.info("booked", transaction=transaction.hash, value=worth, gas=booking.gas_base)
        return True

    def _prices(self, head: Head, at: MarketRun) -> tuple[Mapping[str, Asset], int, str]:
        """The market's assets and the native coin at a block, and who owns our contract there."""
        adapter = at.adapter
        liquidator = self.settings.chains[self.pool.name].liquidator
        calls = [adapter.market_call([])] + ([Call(liquidator, _OWNER)] if liquidator else [])
        answers = run(self.pool, head, calls, adapter.lenses())
        state = adapter.read_market(answers[0])
        facts = Facts({}, at.prices.symbols if at.prices else {})
        policy = self.settings.policy
        if policy.native_price is not None:
            native: int | None = int(policy.native_price * 10 ** adapter.base_decimals(state))
        else:
            native = adapter.gas_price_asset(state, facts, policy.native_asset)
        return adapter.assets(state, facts), native or 0, _owner(answers[1:])


def unbooked(session: Session, chain: str) -> list[Transaction]:
    """Transactions in a block that the books do not have in that block."""
    rows = session.exec(
        select(Transaction)
        .join(Booking, col(Booking.transaction_id) == col(Transaction.id), isouter=True)
        .where(
            Transaction.chain == chain,
            col(Transaction.state).in_(_MINED),
            or_(col(Booking.block_hash).is_(None), Booking.block_hash != Transaction.block_hash),
        )
        .order_by(col(Transaction.id))
    ).all()
    return list(rows)


def movements(logs: Iterable[Mapping[str, Any]], ours: set[str]) -> dict[str, int]:
    """Units of each token (lower case) that came to us, less those that left, by the Transfer logs."""
    moved: dict[str, int] = {}
    for entry in logs:
        topics = [str(topic).lower() for topic in entry["topics"]]
        if len(topics) != 3 or topics[0] != TRANSFER:
            continue
        units = int(str(entry["data"])[2:66] or "0", 16)
        source, target = ("0x" + topic[26:] in ours for topic in topics[1:])
        token = str(entry["address"]).lower()
        moved[token] = moved.get(token, 0) + units * (int(target) - int(source))
    return {token: units for token, units in moved.items() if units}


def value(moved: Mapping[str, int], assets: Mapping[str, Asset]) -> tuple[int, list[str]]:
    """Base units of all movements (each rounded down), and the tokens that have no price."""
    priced = {token: units for token, units in moved.items() if token in assets and assets[token].price}
    worth = sum(assets[token].worth(units) for token, units in priced.items())
    return worth, [token for token in moved if token not in priced]


def gas_wei(receipt: Mapping[str, Any]) -> int:
    """What the transaction paid: gas at its price, and what the chain took for its data (OP stack)."""
    used, price = int(receipt["gasUsed"], 16), int(receipt.get("effectiveGasPrice") or "0x0", 16)
    return used * price + int(receipt.get("l1Fee") or "0x0", 16)


def earned(session: Session, intent: Intent) -> Decimal | None:
    """What an intent earned: what its transactions brought, less their gas, whole units of its market's base
    currency. In a transaction of several each has an equal part of the gas and, if it was done, a part of the
    proceeds by what it was expected to gain. None while nothing of it is booked."""
    total, found = Decimal(0), False
    for transaction in journal.transactions_of(session, intent.id or 0):
        booking = session.get(Booking, transaction.id)
        if booking is None or booking.block_hash != transaction.block_hash:
            continue
        carried = transactions.intents_of(session, transaction.id or 0)
        done = [each for each in carried if each.state == IntentState.SETTLED] or carried
        weights = {each.id: max(each.gain_base, 1) for each in done}
        share = booking.value_base * weights.get(intent.id, 0) // sum(weights.values())
        net = share - -(-booking.gas_base // len(carried))
        total, found = total + Decimal(net).scaleb(-booking.base_decimals), True
    return total if found else None


def _market_of(session: Session, transaction: Transaction) -> str:
    carried = transactions.intents_of(session, transaction.id or 0)
    return carried[0].market if carried else ""


def _owner(answers: Sequence[Answer]) -> str:
    return "0x" + answers[0].data[12:32].hex() if answers and answers[0].ok else ""


def _line(token: str, units: int, assets: Mapping[str, Asset]) -> dict[str, str]:
    asset = assets.get(token)
    if asset is None:
        return {"token": token, "symbol": token, "units": str(units), "decimals": "0"}
    decimals = str(len(str(asset.unit)) - 1)
    return {"token": token, "symbol": asset.symbol, "units": str(units), "decimals": decimals}
