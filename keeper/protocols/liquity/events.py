"""Which events change whose trove. Interest may be counted anew for any trove without an event naming it, and
rounding then moves its debt by a unit: but the pool's debt is announced, and all troves are read again."""

from __future__ import annotations

from keeper.protocols.event_table import EventTable, topic

# Mezo's and Liquity v1's.
HEARD = EventTable(
    {
        topic("TroveUpdated(address,uint256,uint256,uint256,uint256,uint16,uint256,uint8)"): (1,),
        topic("TroveUpdated(address,uint256,uint256,uint256,uint8)"): (1,),
    },
    of_all=frozenset(
        {topic("ActivePoolDebtUpdated(uint256,uint256)"), topic("ActivePoolLUSDDebtUpdated(uint256)")}
    ),
)
PAYS_COINS = (topic("Liquidation(uint256,uint256,uint256,uint256,uint256)"), 3)
