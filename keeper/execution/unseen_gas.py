"""Gas that a chain uses and no simulation shows: Arbitrum-like chains charge the parent chain's data in gas,
and before sending only a node's `eth_estimateGas` counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog

from keeper.chain.answers import NodeError
from keeper.chain.pool import NodePool
from keeper.errors import KeeperError

log = structlog.get_logger()

PLAIN_GAS = 21_000
# What an estimate may be off without the chain's taking more.
FEW_GAS = 1_000
# A plain transfer that takes so many times as much: the chain's units of gas are others than Ethereum's.
OTHER_UNITS = 10
# Bytes of a transaction besides its data.
BYTES = 110
# What data costs follows the parent chain's price.
ASK_AGAIN_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Unseen:
    """`transfer`: gas that a transfer of nothing is estimated to use; `surplus`: the part of it that a
    simulation of the same transfer does not show."""

    transfer: int = PLAIN_GAS
    surplus: int = 0

    @property
    def other_units(self) -> bool:
        """Whether limits in Ethereum's gas do not apply here."""
        return self.transfer >= OTHER_UNITS * PLAIN_GAS

    def whole(self, used: int, data: str) -> int:
        """Total gas of a transaction with this data (hex) that used `used` in a simulation."""
        return used + -(-self.surplus * (BYTES + len(data.removeprefix("0x")) // 2) // BYTES)


_known: WeakKeyDictionary[NodePool, tuple[float, Unseen]] = WeakKeyDictionary()


def of(pool: NodePool, sender: str, simulated: Callable[[], int]) -> Unseen:
    """The unseen gas of this chain, asked for again after some minutes; none where no node estimates.
    `simulated` asks for the gas of a simulated transfer of nothing to ourselves."""
    asked, found = _known.get(pool, (float("-inf"), Unseen()))
    if time.monotonic() - asked < ASK_AGAIN_SECONDS:
        return found
    try:
        found = _ask(pool, sender, simulated)
    except NodeError as error:
        # What was known holds until one answers.
        log.info("unseen gas not told", chain=pool.name, why=error.what)
        return found
    except (KeeperError, TypeError, ValueError) as error:
        log.info("a transfer is not estimated", chain=pool.name, why=str(error))
    _known[pool] = (time.monotonic(), found)
    return found


def _ask(pool: NodePool, sender: str, simulated: Callable[[], int]) -> Unseen:
    nothing = {"from": sender, "to": sender, "value": "0x0", "data": "0x"}
    transfer = int(pool.call("eth_estimateGas", nothing), 16)
    if transfer <= PLAIN_GAS + FEW_GAS:
        return Unseen(transfer)
    try:
        shown = max(simulated(), PLAIN_GAS)
    except KeeperError:
        shown = PLAIN_GAS
    return Unseen(transfer, max(transfer - shown, 0))
