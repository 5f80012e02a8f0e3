"""The outbox of alerts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from keeper.store.types import UtcTime, now


class Alert(SQLModel, table=True):
    """An alert in the outbox. `dedup_key` makes it unique: an episode is alerted once.

    `posted_at`: when console and file got it, and each channel that wants it its own delivery."""

    id: int | None = Field(default=None, primary_key=True)
    dedup_key: str = Field(unique=True)
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
