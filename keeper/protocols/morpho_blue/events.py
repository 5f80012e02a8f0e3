"""Which of Morpho Blue's events change whose position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eth_utils.abi import event_signature_to_log_topic

from keeper.book.source import Touched
from keeper.chain.logs import Log
from keeper.protocols.morpho_blue.positions import key


def _topic(signature: str) -> str:
    return "0x" + event_signature_to_log_topic(signature).hex()


CREATE_MARKET = _topic("CreateMarket(bytes32,(address,address,address,address,uint256))")
SUPPLY_COLLATERAL = _topic("SupplyCollateral(bytes32,address,address,uint256)")
WITHDRAW_COLLATERAL = _topic("WithdrawCollateral(bytes32,address,address,address,uint256)")
BORROW = _topic("Borrow(bytes32,address,address,address,uint256,uint256)")
REPAY = _topic("Repay(bytes32,address,address,uint256,uint256)")
LIQUIDATE = _topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)")

# Where the borrower stands among the topics.
_BORROWER = {SUPPLY_COLLATERAL: 3, WITHDRAW_COLLATERAL: 2, BORROW: 2, REPAY: 3, LIQUIDATE: 3}
TOPICS = (CREATE_MARKET, *_BORROWER)
DISCOVERY = (CREATE_MARKET, SUPPLY_COLLATERAL, BORROW)


def touched(logs: Iterable[Log], wanted: frozenset[str]) -> Touched:
    """Positions that these events changed, in the wanted markets (empty: in all)."""
    accounts = set()
    for log in logs:
        place = _BORROWER.get(log.topics[0])
        if place is not None and (not wanted or log.topics[1] in wanted):
            accounts.add(key("0x" + log.topics[place][26:], log.topics[1]))
    return Touched(frozenset(accounts))


def created(logs: Sequence[Log]) -> list[str]:
    return [log.topics[1] for log in logs if log.topics[0] == CREATE_MARKET]
