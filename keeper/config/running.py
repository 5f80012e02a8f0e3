"""How the keeper itself runs: store, signer, limits of execution, alerts and files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from keeper.config.values import Address, Money, Section


class StoreSettings(Section):
    url: str = "sqlite:///keeper.db"


class SignerSettings(Section):
    """Either an encrypted keystore, or an external signer and the address that it signs for."""

    keystore: Path | None = None
    password_file: Path | None = None
    web3signer: str | None = None
    address: Address | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SignerSettings:
        if (self.keystore is None) == (self.web3signer is None):
            raise ValueError("name either keystore or web3signer")
        if self.web3signer is None:
            if self.address is not None:
                raise ValueError("address: only used with web3signer; a keystore knows its own")
            return self
        if self.address is None:
            raise ValueError("address: web3signer needs the address to sign for")
        if self.password_file is not None:
            raise ValueError("password_file: only used with keystore")
        if not self.web3signer.startswith(("http://", "https://")):
            raise ValueError("web3signer: must start with http:// or https://")
        return self


class AlertChannel(Section):
    url: str
    min_severity: Literal["info", "warning", "critical"] = "info"


class Allowed(Section):
    """A contract that may be called, and with which functions; without any: all."""

    target: Address
    selectors: list[Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{8}$")]] = []


class Execution(Section):
    max_gas_price_gwei: Annotated[Decimal, Field(ge=0, le=100_000)] | None = None
    """Ceiling per gas on every chain without one of its own. A price in wei would be far above the bound, and
    so no ceiling."""
    max_spend_per_transaction: Money | None = None
    """Whole units of account that one transaction may spend."""
    max_spend_per_day: Money | None = None
    """Whole units of account that all transactions of 24 hours may spend."""
    max_gas_per_day: Money | None = None
    """Whole native coins that gas may cost in 24 hours on every chain without a limit of its own;
    transactions in flight count with the most that they may cost."""
    max_in_flight: int = Field(default=16, ge=1)
    """Transactions in no block yet, beyond which nothing new is sent."""
    confirmations: int | None = Field(default=None, ge=1)
    """Blocks after which a transaction is final. Absent: once the chain reports it finalized; 1 on local
    chains."""
    settle_blocks: int = Field(default=1, ge=1)
    """Blocks after which an attempt ends by the outcome of its transaction."""
    plan_blocks: int = Field(default=3, ge=1)
    """Blocks after which an unsent intent is abandoned and planned anew."""
    replace_blocks: int = Field(default=3, ge=1)
    """Blocks after which a transaction in no block is replaced by one with a higher bid."""
    cancel_blocks: int = Field(default=25, ge=1)
    """Blocks after which it is cancelled."""
    allow: list[Allowed] | None = None
    """The calls that are permitted. Absent: those that the configured markets and contracts need."""


class Service(Section):
    alerts_file: Path | None = None
    """JSON lines, one per alert."""
    record: Path | None = None
    """JSON lines, one per block and market: every account's numbers as the keeper computed them."""
    pause_file: Path | None = None
    """While this file exists nothing is sent."""
    lease_seconds: Annotated[Decimal, Field(ge=2)] = Decimal(15)
    """How long another keeper with the same key and store waits for one that went silent."""
