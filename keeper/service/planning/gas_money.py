"""Gas money: what the signer has, what is kept for protected accounts, how many hours the rest lasts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlmodel import Session, col, select

from keeper.chain import fees
from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.config import ChainSettings, Policy
from keeper.execution.journal import fee_of
from keeper.store.tables.journal import Transaction

WEI = 10**18
DAY = timedelta(days=1)
# A shorter history than this says little: one busy minute is no rate.
SHORTEST = timedelta(hours=1)
# More hours than these are told as these: they are more than a century, and columns are 64 bits wide.
MOST_HOURS = 1_000_000
# Less than this is told where no rate is known.
FEW_WEI = 5 * 10**16
# Units of gas kept for each protected account: two top-ups with their allowances.
KEPT_GAS = 1_200_000
# The base fee may have doubled by the time they are needed.
KEPT_RISE = 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """Wei a signer holds and has spent in the last day; whole hours it lasts (None: nothing was spent)."""

    balance: int
    spent: int
    hours: int | None


def gas_price(pool: NodePool, base_fee: int) -> int:
    """Wei per gas that a transaction sent now should pay: the next base fee and the usual tip."""
    return max(fees.present(pool), base_fee)


@dataclass(frozen=True, slots=True)
class SignerFunds:
    """Wei that the payer holds at the block, and wei per gas that a transaction sent now should pay."""

    native: int
    gas_price: int


class SignerFundsRequest:
    """A request for funds, run on threads of its own; `result` waits for the answer, and raises what asking
    raised."""

    def __init__(self, threads: ThreadPoolExecutor, pool: NodePool, head: Head, payer: str) -> None:
        self.head = head
        self._native = threads.submit(pool.call, "eth_getBalance", payer, {"blockHash": head.hash})
        self._price = threads.submit(gas_price, pool, head.base_fee)

    def result(self) -> SignerFunds:
        return SignerFunds(int(self._native.result(), 16), self._price.result())


def gas_reserve(settings: ChainSettings, base_fee: int) -> int:
    """Wei that liquidations leave: `gas_reserve`, or the gas of the chain's protected accounts if that is
    more."""
    return max(
        int(settings.policy.gas_reserve * WEI), len(settings.protect) * KEPT_GAS * KEPT_RISE * base_fee
    )


def forecast(session: Session, chain: str, sender: str, balance: int, moment: datetime) -> Forecast:
    """How long `balance` lasts at the rate of the last 24 hours, or of the time since the first spending."""
    rows = session.exec(
        select(Transaction).where(
            Transaction.chain == chain,
            Transaction.sender == sender,
            col(Transaction.created_at) > moment - DAY,
            col(Transaction.gas_used).is_not(None),
        )
    ).all()
    spent = sum(fee_of(row) or 0 for row in rows)
    if not spent:
        return Forecast(balance, 0, None)
    since = moment - min(row.created_at for row in rows)
    seconds = int(max(since, SHORTEST).total_seconds())
    return Forecast(balance, spent, min(balance * seconds // (spent * 3600), MOST_HOURS))


def runs_low(found: Forecast, policy: Policy) -> str:
    """Why an operator should send gas money, in words; empty while there is enough."""
    coins = Decimal(found.balance) / WEI
    if found.balance < int(policy.gas_reserve * WEI):
        return f"{coins:.4f} native coins are left for gas, less than gas_reserve: liquidations have stopped"
    if found.hours is None and found.balance < FEW_WEI:
        return f"only {coins:.4f} native coins are left for gas"
    if found.hours is not None and found.hours < policy.min_gas_hours:
        return f"{coins:.4f} native coins are left for gas: {found.hours} hours at the recent rate"
    return ""
