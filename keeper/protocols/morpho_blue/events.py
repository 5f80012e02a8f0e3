"""Which of Morpho Blue's events change whose position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keeper.book.source import ChangedAccounts
from keeper.chain.logs import Log
from keeper.protocols.event_table import account_at, topic
from keeper.protocols.morpho_blue.positions import key

CREATE_MARKET = topic("CreateMarket(bytes32,(address,address,address,address,uint256))")
_SUPPLY_COLLATERAL = topic("SupplyCollateral(bytes32,address,address,uint256)")
_BORROW = topic("Borrow(bytes32,address,address,address,uint256,uint256)")

# Where the borrower stands among the topics; the market's id is the first after the event's own.
_BORROWER = {
    _SUPPLY_COLLATERAL: 3,
    topic("WithdrawCollateral(bytes32,address,address,address,uint256)"): 2,
    _BORROW: 2,
    topic("Repay(bytes32,address,address,uint256,uint256)"): 3,
    topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)"): 3,
}
TOPICS = (CREATE_MARKET, *_BORROWER)
DISCOVERY = (CREATE_MARKET, _SUPPLY_COLLATERAL, _BORROW)


def touched(logs: Iterable[Log], wanted: frozenset[str]) -> ChangedAccounts:
    """Positions that these events changed, in the wanted markets (empty: in all)."""
    accounts = set()
    for log in logs:
        place = _BORROWER.get(log.topics[0])
        if place is not None and (not wanted or log.topics[1] in wanted):
            accounts.add(key(account_at(log, place), log.topics[1]))
    return ChangedAccounts(frozenset(accounts))


def created(logs: Sequence[Log]) -> list[str]:
    return [log.topics[1] for log in logs if log.topics[0] == CREATE_MARKET]
