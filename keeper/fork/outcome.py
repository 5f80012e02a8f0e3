"""The outcome of a rehearsal: prices before and after, what was done for whom, what it would have cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from keeper.alerts.wording import format_summary
from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.execution import journal
from keeper.fork import funds
from keeper.fork.ground import ForkAsset
from keeper.fork.shocks import PriceMove
from keeper.localchain.anvil import Anvil
from keeper.model.account_key import account_key
from keeper.store.database import Store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import IntentState
from keeper.store.tables.watching import Episode

_WHY = ("cannot_act", "action_refused", "action_failed", "action_expired")


@dataclass(slots=True)
class Fork:
    """A running fork with everything on it."""

    anvil: Anvil
    chain: str
    settings: Settings
    store: Store
    signer: Signer
    assets: list[ForkAsset]
    moves: list[PriceMove]
    forked_at: int
    given: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Price:
    """What a whole asset was worth in a market before the shock and at the end, 1e-18 of the unit of
    account."""

    market: str
    symbol: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class ForkAction:
    """One attempt. `gain` and `spent` as planned (1e-18 of the unit of account), `gas` in wei as paid; health
    scaled 1e18."""

    market: str
    account: str
    kind: str
    state: str
    health: int
    what: str
    why: str
    gain: int
    spent: int
    gas: int
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenBreach:
    """An account that is still below a threshold that asks for an action, and why."""

    market: str
    account: str
    threshold: str
    lowest: int
    why: str


@dataclass(frozen=True, slots=True)
class ForkOutcome:
    """The whole rehearsal. Amounts of money in 1e-18 of the unit of account, gas in wei.

    `inventory` is what the signer's tokens gained or lost in units, at the prices of the end: measured,
    where `earned` and `spent` are as planned. `blocks` are the fork's first and last.
    """

    chain: str
    forked_at: int
    blocks: int
    prices: tuple[Price, ...]
    actions: tuple[ForkAction, ...]
    left: tuple[OpenBreach, ...]
    earned: int
    spent: int
    gas: int
    inventory: int
    alerts: int


def outcome(
    fork: Fork, before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
) -> ForkOutcome:
    """Read the outcome from the fork's own journal and the signer's balances. Prices by market and asset."""
    with fork.store.session() as session:
        intents = session.exec(select(Intent).order_by(col(Intent.id))).all()
        actions = [_action(row, journal.transactions_of(session, row.id or 0)) for row in intents]
        paid = session.exec(select(Transaction).where(col(Transaction.block).is_not(None))).all()
        left = _left(session, fork)
        alerts = len(session.exec(select(Alert.id)).all())
    done = [action for action in actions if action.state == IntentState.SETTLED]
    assets = {(each.market, each.asset): each for each in fork.assets}
    return ForkOutcome(
        chain=fork.chain,
        forked_at=fork.forked_at,
        blocks=fork.anvil.block_number() - fork.forked_at,
        prices=tuple(Price(each.market, each.symbol, before[at], after[at]) for at, each in assets.items()),
        actions=tuple(actions),
        left=tuple(left),
        earned=sum(action.gain for action in done if action.kind == "liquidate"),
        spent=sum(action.spent for action in done if action.kind == "top_up"),
        gas=sum(journal.fee_of(each) or 0 for each in paid),
        inventory=_inventory(fork, after),
        alerts=alerts,
    )


def _action(row: Intent, sent: Sequence[Transaction]) -> ForkAction:
    return ForkAction(
        market=row.market,
        account=row.account,
        kind=row.kind,
        state=row.state,
        health=row.health,
        what=format_summary(row.summary),
        why=row.reason,
        gain=row.gain,
        spent=row.spend,
        gas=sum(journal.fee_of(each) or 0 for each in sent),
        transactions=tuple(each.hash for each in sent),
    )


def _left(session: Session, fork: Fork) -> list[OpenBreach]:
    protected = {(each.market, account_key(each.account)) for each in fork.settings.protect}
    left = []
    for row in session.exec(select(Episode).where(col(Episode.closed_block).is_(None))).all():
        asks = "top_up" if (row.market, row.account) in protected else "liquidate"
        if row.threshold != asks:
            continue
        told = session.exec(
            select(Alert)
            .where(Alert.account == row.account, Alert.market == row.market, col(Alert.kind).in_(_WHY))
            .order_by(col(Alert.id).desc())
        ).first()
        why = json.loads(told.fields).get("why", "") if told else ""
        left.append(OpenBreach(row.market, row.account, row.threshold, row.lowest_health, why))
    return left


def _inventory(fork: Fork, after: Mapping[tuple[str, str], int]) -> int:
    """What the signer's tokens gained or lost, each at the price of the first market that knows it."""
    prices = {asset: price for (_, asset), price in reversed(list(after.items()))}
    units = {each.asset: each.unit for each in fork.assets}
    change = 0
    for token, had in fork.given.items():
        has = funds.balance(fork.anvil, token, fork.signer.address)
        change += (has - had) * prices[token] // units[token]
    return change
