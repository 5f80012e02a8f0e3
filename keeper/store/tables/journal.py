"""The journal: intents, the transactions that carry them, and what was booked of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from keeper.store.types import BigInt, UtcTime, now, open_once


class Intent(SQLModel, table=True):
    """A plan committed before anything is sent: the n-th attempt within an episode."""

    __table_args__ = (
        UniqueConstraint("chain", "market", "account", "kind", "mode", "episode_id", "attempt"),
        open_once(
            "one_open_intent",
            *("chain", "market", "account", "kind", "mode"),
            where="state IN ('planned', 'rehearsed')",
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
    """What kept it from being sent, through no fault of its plan (`Unsent`); else empty."""
    loss: int = Field(default=0, sa_type=BigInt)
    """Most that it may lose, gas included, where bad debt is realized; 1e-18 of the unit of account."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Transaction(SQLModel, table=True):
    """A transaction that carries intents to the chain. `raw` is kept so that a resend is the very same
    transaction.

    `purpose` is approve, act, clear (taking back an allowance that was left), cancel (a transfer of nothing
    to ourselves in place of another transaction) or fill (the same, for a nonce that nobody uses)."""

    __tablename__ = "chain_transaction"
    __table_args__ = (
        UniqueConstraint("chain", "hash"),
        open_once(
            "one_live_transaction_per_nonce",
            *("chain", "sender", "nonce"),
            where="state IN ('signed', 'sent', 'included', 'orphaned')",
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
    """Wei sent with the call."""
    raw: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(index=True)
    gas_limit: int = Field(sa_type=BigInteger)
    max_fee: int = Field(sa_type=BigInt)
    tip: int | None = Field(default=None, sa_type=BigInt)
    """The most wei per gas for the block's proposer; None on a chain without EIP-1559, where `max_fee` is the
    price."""
    signed_block: int = Field(sa_type=BigInteger)
    first_block: int = Field(default=0, sa_type=BigInteger)
    """Head when the nonce was first used; a replacement keeps that of the transaction it replaces."""
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
    """Wei charged besides gas, by its receipt."""
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class LedgerEntry(SQLModel, table=True):
    """What a transaction of ours brought and cost, by its receipt, at the prices of its block.

    It counts while the transaction is in the block `block_hash`. `moved` is JSON: token, symbol, units
    (signed) and decimals of everything that came to us or left. Values are 1e-18 of the unit of account; a
    token without a price in any market of the chain counts nothing and is named by `unpriced`."""

    __tablename__ = "ledger_entry"

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
        """Money earned, or lost if negative."""
        return self.value - self.gas


class TransactionIntent(SQLModel, table=True):
    """An intent that a transaction carries, and its position among those carried."""

    __tablename__ = "transaction_intent"

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
    """The nonce of a key that the chain last counted, and those that another user of the key took."""

    __tablename__ = "signer_nonce"

    chain: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    counted: int = Field(sa_type=BigInteger)
    foreign: int = Field(default=0, sa_type=BigInteger)
    foreign_nonce: int | None = Field(default=None, sa_type=BigInteger)
    foreign_block: int | None = Field(default=None, sa_type=BigInteger)


class Lease(SQLModel, table=True):
    """A lease: which keeper may act with a key on a chain, and until when unless it renews."""

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
