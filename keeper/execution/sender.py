"""A sender: one key on one chain, with everything that acting there needs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlmodel import Session

from keeper.chain import fees
from keeper.chain.fees import Fees
from keeper.chain.pool import NodePool
from keeper.chain.refusals import TipFloor
from keeper.chain.relay import Relay
from keeper.chain.signer import Signing
from keeper.execution import nonces
from keeper.execution.lease import KeyLease
from keeper.execution.limits import Limits
from keeper.execution.receipts import Receipts
from keeper.execution.turns import Turns
from keeper.store.database import Store
from keeper.store.tables.journal import Intent, Transaction


@dataclass(frozen=True, slots=True)
class GasQuote:
    """A bid per gas; `pending` is the sender's count of transactions, including those that wait at nodes."""

    price: Fees
    pending: int


class ExecutionEvents(Protocol):
    """Execution's reports, each written in the same transaction of the store as the event it reports."""

    def intent_ended(
        self, session: Session, intent: Intent, act: Transaction | None, *, needless: bool = False
    ) -> None:
        """An attempt ended, well or not; `needless`: there was nothing left to do."""

    def not_sent(self, session: Session, intent: Intent, cause: str, why: str) -> None:
        """An attempt did not leave, through no fault of the account's; reported once per episode and
        cause."""

    def foreign_nonce(self, session: Session, chain: str, sender: str, nonces: list[int], block: int) -> None:
        """The key was used by something that is not in this journal."""

    def relay_silent(self, session: Session, chain: str, relay: str, transaction: Transaction) -> None:
        """A relay took a transaction, and no block has it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender. `signer` signs for `address`; `relay`, where there is one, receives transactions first."""

    pool: NodePool
    store: Store
    limits: Limits
    address: str
    signer: Signing
    lease: KeyLease
    tell: ExecutionEvents
    relay: Relay | None = None
    pause_file: Path | None = None
    floor: TipFloor = field(default_factory=TipFloor)
    """The least tip that this chain's nodes were seen to ask for."""
    waiting: set[str] = field(default_factory=set)
    """Hashes of what a node takes only once what comes before it is in a block (delegated accounts)."""
    following: Turns = field(default_factory=Turns)
    settling: Turns = field(default_factory=Turns)
    revisiting: Turns = field(default_factory=Turns)
    receipts: Receipts = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "receipts", Receipts(self.pool))
        object.__setattr__(self, "_threads", ThreadPoolExecutor(1, f"quotes-{self.chain}"))

    @property
    def chain(self) -> str:
        return self.pool.name

    def quote(self) -> GasQuote:
        """Ask for the bid, and for the sender's count of transactions. KeeperError where gas is above the
        ceiling."""
        pending = nonces.pending(self.pool, self.store, self.address)
        return GasQuote(fees.suggest(self.pool, self.limits.max_gas_price, least=self.floor.wei), pending)

    def ask_quote(self) -> Future[GasQuote]:
        """As `quote`, on a thread of its own; the result raises what the request raised."""
        return self._threads.submit(self.quote)
