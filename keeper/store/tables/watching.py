"""What is known of markets, chains, prices and accounts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, LargeBinary, Text
from sqlmodel import Field, SQLModel

from keeper.store.types import BigInt, UtcTime, now, open_once


class Checkpoint(SQLModel, table=True):
    """The block up to which a market's book was brought, its contracts (JSON), and the blocks before with the
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
    may_act: bool
    watch_only_reason: str = ""
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
    standby_reason: str = Field(default="", sa_column=Column(Text, nullable=False))
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
    second_price: int | None = Field(default=None, sa_type=BigInt)
    age: int | None = Field(default=None, sa_type=BigInteger)
    """Seconds since the oldest of its feeds gave an answer, at `block`."""
    state: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Its faults, and what they hold up; empty when there are none."""
    memory: str = Field(default="", sa_column=Column(Text, nullable=False))


class PriceFault(SQLModel, table=True):
    """One stay of a price in one fault: an episode, alerted once."""

    __tablename__ = "price_fault"
    __table_args__ = (
        open_once("one_open_price_fault", "market", "asset", "kind", where="closed_block IS NULL"),
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

UPKEEP = "upkeep"
"""The threshold of the episode in which an account needs work: an order of it can be settled or cancelled."""
CHORES = "chores"
"""The threshold of the episode in which a market needs unpaid work; its contract is the account."""
WORK = frozenset({SALE, UPKEEP, CHORES})
"""The thresholds of episodes in which no account is in danger."""


class Episode(SQLModel, table=True):
    """One stay of an account below one threshold. `blocked_reason` says why nothing is being done about
    it, and `retry_at` (Unix time) when that ends, where it is known.

    The threshold "redeem" is the signer's own: it holds claims of `asset` that a liquidation brought."""

    __table_args__ = (
        open_once(
            "one_open_episode", *("market", "account", "threshold", "asset"), where="closed_block IS NULL"
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
    blocked_reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    retry_at: int | None = Field(default=None, sa_type=BigInteger)
    looked_at: int | None = Field(default=None, sa_type=BigInteger)
    """Unix time of the block at which a redemption was last looked for."""

    @classmethod
    def begin(
        cls, market: str, account: str, threshold: str, block: int, health: int = 0, asset: str = ""
    ) -> Episode:
        """A new episode that begins at a block, not stored yet."""
        return cls(
            market=market,
            account=account,
            threshold=threshold,
            asset=asset,
            opened_block=block,
            opened_health=health,
            lowest_health=health,
        )
