"""The tables. Intent and transaction are apart: batches, replacements and nonces belong to the latter."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from keeper.store.types import BigInt, UtcTime, now


class IntentState(StrEnum):
    """planned → rehearsed → settled; refused, expired and failed end an attempt without success.

    What leads where is in `keeper/execution/lifecycle.py` and docs/LIFECYCLE.md."""

    PLANNED = "planned"
    REHEARSED = "rehearsed"
    REFUSED = "refused"
    EXPIRED = "expired"
    SETTLED = "settled"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        return self in OPEN_INTENTS


class Unsent(StrEnum):
    """What kept an attempt from leaving, for no fault of its plan: such an attempt is no failure."""

    GAS_PRICE = "gas price"
    NO_ANSWER = "no answer"
    LIMIT = "limit"
    WATCH_ONLY = "watched only"


OPEN_INTENTS = frozenset({IntentState.PLANNED, IntentState.REHEARSED})


class TransactionState(StrEnum):
    """signed → sent → included → final. Replaced by one of ours at the same nonce, dropped when that nonce
    is finally another's, orphaned when its block left the chain."""

    SIGNED = "signed"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"
    REPLACED = "replaced"
    DROPPED = "dropped"
    ORPHANED = "orphaned"


class Checkpoint(SQLModel, table=True):
    """How far a market's book was brought, for which contracts (JSON), and the blocks before with the
    accounts that each touched (JSON): what a reorg makes the book read again."""

    market: str = Field(primary_key=True)
    block: int = Field(sa_type=BigInteger)
    block_hash: str
    addresses: str = Field(sa_column=Column(Text, nullable=False))
    recent: str = Field(sa_column=Column(Text, nullable=False))


class KnownAccount(SQLModel, table=True):
    """Every account that events ever named in a market, and its raw state as the lens packed it (empty: not
    read yet). Only the protocol's adapter understands the bytes."""

    __tablename__ = "known_account"
    __table_args__ = ({"sqlite_with_rowid": False},)

    market: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    record: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))


class MarketStatus(SQLModel, table=True):
    """What the daemon last knew of a market; `keeper status` reads it."""

    __tablename__ = "market_status"

    market: str = Field(primary_key=True)
    chain: str
    block: int = Field(sa_type=BigInteger)
    block_hash: str
    block_timestamp: int = Field(sa_type=BigInteger)
    revision: int = Field(sa_type=BigInteger)
    version: str
    acting: bool
    reason: str = ""
    accounts: int
    breaches: int
    unvaluable: int = 0
    """Accounts that the contract itself cannot value: a price they need is missing."""
    updated_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class ChainStatus(SQLModel, table=True):
    """What the daemon last knew of a chain, and the block its acting loop last worked at."""

    __tablename__ = "chain_status"

    chain: str = Field(primary_key=True)
    mode: str
    block: int = Field(default=0, sa_type=BigInteger)
    block_timestamp: int = Field(default=0, sa_type=BigInteger)
    acted_block: int = Field(default=0, sa_type=BigInteger)
    reachable: bool = True
    reason: str = ""
    requests: int = Field(default=0, sa_type=BigInteger)
    native: int | None = Field(default=None, sa_type=BigInt)
    """Wei the signer holds; `gas_hours` is how long it lasts at the recent rate, where one is known."""
    gas_hours: int | None = Field(default=None, sa_type=BigInteger)
    stands_back: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Why this keeper sends nothing now though it watches: paused, or another keeper acts with the key."""
    updated_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class PriceStatus(SQLModel, table=True):
    """What the daemon last knew of an asset's price, in base units of `decimals`; `memory` carries the guards
    over a restart."""

    __tablename__ = "price_status"

    market: str = Field(primary_key=True)
    asset: str = Field(primary_key=True)
    symbol: str
    source: str
    kind: str
    block: int = Field(sa_type=BigInteger)
    decimals: int = 8
    price: int | None = Field(default=None, sa_type=BigInt)
    second: int | None = Field(default=None, sa_type=BigInt)
    age: int | None = Field(default=None, sa_type=BigInteger)
    """Seconds since the oldest of its feeds gave an answer, at `block`."""
    state: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Its faults, and what they hold up; empty when there are none."""
    memory: str = Field(default="", sa_column=Column(Text, nullable=False))


class PriceFault(SQLModel, table=True):
    """One stay of a price in one fault: an episode, told once."""

    __tablename__ = "price_fault"
    __table_args__ = (
        Index(
            "one_open_price_fault",
            "market",
            "asset",
            "kind",
            unique=True,
            sqlite_where=text("closed_block IS NULL"),
            postgresql_where=text("closed_block IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    market: str
    asset: str
    symbol: str
    kind: str
    detail: str = Field(sa_column=Column(Text, nullable=False))
    opened_block: int = Field(sa_type=BigInteger)
    closed_block: int | None = Field(default=None, sa_type=BigInteger)


SALE = "sale"
"""The threshold of the episode in which a market sells what it absorbed; its contract is the account."""


class Episode(SQLModel, table=True):
    """One stay of an account below one threshold. `held` says why nothing is being done about it, and
    `opens_at` (Unix time) when that ends, where it is known.

    The threshold "redeem" is the signer's own: it holds claims of `asset` that a liquidation brought."""

    __table_args__ = (
        Index(
            "one_open_episode",
            "market",
            "account",
            "threshold",
            "asset",
            unique=True,
            sqlite_where=text("closed_block IS NULL"),
            postgresql_where=text("closed_block IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    market: str
    account: str
    threshold: str
    opened_block: int = Field(sa_type=BigInteger)
    opened_health: int = Field(sa_type=BigInt)
    lowest_health: int = Field(sa_type=BigInt)
    closed_block: int | None = Field(default=None, sa_type=BigInteger)
    closed_health: int | None = Field(default=None, sa_type=BigInt)
    asset: str = ""
    held: str = Field(default="", sa_column=Column(Text, nullable=False))
    opens_at: int | None = Field(default=None, sa_type=BigInteger)
    looked_at: int | None = Field(default=None, sa_type=BigInteger)
    """Unix time of the block at which a redemption was last looked for."""


class Intent(SQLModel, table=True):
    """A plan committed before anything is sent: the n-th attempt within an episode."""

    __table_args__ = (
        UniqueConstraint("chain", "market", "account", "kind", "mode", "episode_id", "attempt"),
        Index(
            "one_open_intent",
            "chain",
            "market",
            "account",
            "kind",
            "mode",
            unique=True,
            sqlite_where=text("state IN ('planned', 'rehearsed')"),
            postgresql_where=text("state IN ('planned', 'rehearsed')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    chain: str
    market: str
    account: str
    kind: str
    mode: str
    episode_id: int = Field(foreign_key="episode.id", index=True)
    attempt: int
    state: str = Field(index=True)
    plan: str = Field(sa_column=Column(Text, nullable=False))
    summary: str = Field(sa_column=Column(Text, nullable=False))
    health: int = Field(sa_type=BigInt)
    spend: int = Field(sa_type=BigInt)
    """What the plan spends, 1e-18 of the unit of account; `gain` alike, before gas."""
    gain: int = Field(sa_type=BigInt)
    planned_block: int = Field(sa_type=BigInteger)
    planned_timestamp: int = Field(sa_type=BigInteger, index=True)
    ended_block: int | None = Field(default=None, sa_type=BigInteger)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    unsent: str = ""
    """What kept it from leaving, for no fault of its plan (`Unsent`); else empty."""
    loss: int = Field(default=0, sa_type=BigInt)
    """Most that it may lose, gas included, where bad debt is realized; 1e-18 of the unit of account."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Transaction(SQLModel, table=True):
    """What carries intents to the chain. `raw` is kept so that a resend is the very same transaction.

    `purpose` is approve, act, clear (taking back an allowance that was left), cancel (a transfer of nothing
    to ourselves in place of another transaction) or fill (the same, for a nonce that nobody uses)."""

    __tablename__ = "chain_transaction"
    __table_args__ = (
        UniqueConstraint("chain", "hash"),
        Index(
            "one_live_transaction_a_nonce",
            "chain",
            "sender",
            "nonce",
            unique=True,
            sqlite_where=text("state IN ('signed', 'sent', 'included', 'orphaned')"),
            postgresql_where=text("state IN ('signed', 'sent', 'included', 'orphaned')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    chain: str
    sender: str
    nonce: int = Field(sa_type=BigInteger)
    hash: str
    purpose: str
    target: str = ""
    data: str = Field(default="", sa_column=Column(Text, nullable=False))
    value: int = Field(default=0, sa_type=BigInt)
    """Wei that go with the call."""
    raw: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(index=True)
    gas_limit: int = Field(sa_type=BigInteger)
    max_fee: int = Field(sa_type=BigInt)
    tip: int | None = Field(default=None, sa_type=BigInt)
    """The most for the block's maker; None on a chain without EIP-1559, where `max_fee` is the price."""
    signed_block: int = Field(sa_type=BigInteger)
    first_block: int = Field(default=0, sa_type=BigInteger)
    """Head when the nonce was first used: what it replaces was signed then."""
    replaces_id: int | None = Field(default=None, foreign_key="chain_transaction.id")
    channel: str = "public"
    """Where it was handed over: "public", or the relay's kind."""
    relayed_block: int | None = Field(default=None, sa_type=BigInteger)
    """Head when the relay took it."""
    block: int | None = Field(default=None, sa_type=BigInteger)
    block_hash: str | None = None
    succeeded: bool | None = None
    gas_used: int | None = Field(default=None, sa_type=BigInteger)
    gas_price: int | None = Field(default=None, sa_type=BigInt)
    data_fee: int | None = Field(default=None, sa_type=BigInt)
    """Wei that its receipt says was charged besides gas."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class LedgerEntry(SQLModel, table=True):
    """What a transaction of ours brought and cost, by its receipt, at the prices of its block.

    It counts while the transaction is in the block `block_hash`. `moved` is JSON: token, symbol, units
    (signed) and decimals of everything that came to us or left. Values are 1e-18 of the unit of account; what
    has no price in any market of the chain counts nothing, and `unpriced` names it."""

    transaction_id: int = Field(foreign_key="chain_transaction.id", primary_key=True)
    block_hash: str
    timestamp: int = Field(sa_type=BigInteger)
    market: str
    moved: str = Field(sa_column=Column(Text, nullable=False))
    unpriced: str = Field(default="", sa_column=Column(Text, nullable=False))
    value: int = Field(sa_type=BigInt)
    gas_wei: int = Field(sa_type=BigInt)
    gas: int = Field(sa_type=BigInt)

    @property
    def net(self) -> int:
        """What was earned, or lost."""
        return self.value - self.gas


class TransactionIntent(SQLModel, table=True):
    """Which transaction carries which intent, in which order."""

    intent_id: int = Field(foreign_key="intent.id", primary_key=True)
    transaction_id: int = Field(foreign_key="chain_transaction.id", primary_key=True)
    step: int


class Transition(SQLModel, table=True):
    """One change of state of an intent or a transaction: one committed row."""

    id: int | None = Field(default=None, primary_key=True)
    intent_id: int | None = Field(default=None, foreign_key="intent.id", index=True)
    transaction_id: int | None = Field(default=None, foreign_key="chain_transaction.id", index=True)
    before: str
    after: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    block: int | None = Field(default=None, sa_type=BigInteger)
    """The head it was seen at; for an inclusion the block that includes it."""
    block_hash: str | None = None
    fee: int | None = Field(default=None, sa_type=BigInt)
    """Wei that the inclusion cost."""
    at: datetime = Field(default_factory=now, sa_type=UtcTime)


class StandingAllowance(SQLModel, table=True):
    """An allowance we signed and have not yet seen at zero: written with the approval, in its transaction."""

    __tablename__ = "standing_allowance"

    chain: str = Field(primary_key=True)
    owner: str = Field(primary_key=True)
    token: str = Field(primary_key=True)
    spender: str = Field(primary_key=True)
    since_block: int = Field(sa_type=BigInteger)


class SignerNonce(SQLModel, table=True):
    """The nonce of a key that the chain last counted, and those that somebody else used."""

    __tablename__ = "signer_nonce"

    chain: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    counted: int = Field(sa_type=BigInteger)
    foreign: int = Field(default=0, sa_type=BigInteger)
    foreign_nonce: int | None = Field(default=None, sa_type=BigInteger)
    foreign_block: int | None = Field(default=None, sa_type=BigInteger)


class Lease(SQLModel, table=True):
    """Which keeper may act with a key on a chain, until when unless it renews."""

    name: str = Field(primary_key=True)
    holder: str
    token: str
    renewed_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)


class Pause(SQLModel, table=True):
    """A stop of all sending, by whom and why; over when `resumed_at` is set."""

    id: int | None = Field(default=None, primary_key=True)
    who: str
    why: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(default_factory=now, sa_type=UtcTime)
    resumed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    resumed_by: str = ""


class Alert(SQLModel, table=True):
    """The outbox of what is worth telling. `once` makes a message unique: an episode is told once.

    `posted_at`: when console and file got it, and each channel that wants it its own delivery."""

    id: int | None = Field(default=None, primary_key=True)
    once: str = Field(unique=True)
    kind: str
    severity: str
    market: str
    account: str = ""
    title: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    fields: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    posted_at: datetime | None = Field(default=None, sa_type=UtcTime)


class AlertDelivery(SQLModel, table=True):
    """One alert on its way to one channel ("alerts[0]"); it waits while both last times are empty."""

    __tablename__ = "alert_delivery"
    __table_args__ = (
        Index(
            "waiting_deliveries",
            "channel",
            sqlite_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
        ),
    )

    alert_id: int = Field(foreign_key="alert.id", primary_key=True)
    channel: str = Field(primary_key=True)
    tries: int = 0
    failure: str = Field(default="", sa_column=Column(Text, nullable=False))
    since: datetime = Field(default_factory=now, sa_type=UtcTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcTime)
    given_up_at: datetime | None = Field(default=None, sa_type=UtcTime)
