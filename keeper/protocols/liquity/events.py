"""Which events change whose trove.

Interest may be counted anew for any trove by anyone without an event that names it, and rounding then moves
its debt by a unit: but the pool's debt is announced each time. There are few troves: all are read again then.
"""

from __future__ import annotations

from collections.abc import Iterable

from eth_utils.abi import event_signature_to_log_topic

from keeper.book.source import Touched
from keeper.chain.logs import Log


def _topic(signature: str) -> str:
    return "0x" + event_signature_to_log_topic(signature).hex()


# Mezo's and Liquity v1's; both have the borrower first.
UPDATED = (
    _topic("TroveUpdated(address,uint256,uint256,uint256,uint256,uint16,uint256,uint8)"),
    _topic("TroveUpdated(address,uint256,uint256,uint256,uint8)"),
)
COUNTED = (
    _topic("ActivePoolDebtUpdated(uint256,uint256)"),
    _topic("ActivePoolLUSDDebtUpdated(uint256)"),
)
UPGRADED = _topic("Upgraded(address)")
TOPICS = (*UPDATED, *COUNTED, UPGRADED)


def touched(logs: Iterable[Log]) -> Touched:
    heard = list(logs)
    return Touched(
        frozenset("0x" + log.topics[1][26:] for log in heard if log.topics[0] in UPDATED),
        any(log.topics[0] == UPGRADED for log in heard),
        everyone=any(log.topics[0] in COUNTED for log in heard),
    )
