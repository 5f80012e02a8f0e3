"""Aave v3, as the registry lists it."""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from keeper.protocols.aave_v3 import owner_money
from keeper.protocols.aave_v3.checks import sentinel
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.market import AaveV3Market
from keeper.protocols.aave_v3.settings import AaveV3Settings
from keeper.protocols.spec import SetupHints, Spec


def _oracle(state: PoolState) -> str:
    return str(to_checksum_address(state.oracle))


SPEC = Spec(
    name="aave-v3",
    title="an Aave v3 pool",
    market="aave",
    marks=("ADDRESSES_PROVIDER()", "FLASHLOAN_PREMIUM_TOTAL()", "getReservesList()"),
    leads=("getPool()", "POOL()"),
    adapter=AaveV3Market,
    settings=AaveV3Settings,
    owner_calls=(owner_money.SUPPLY, owner_money.REPAY, owner_money.PERMIT_AND_CALL),
    setup=SetupHints(oracle=_oracle),
    checks=sentinel,
)
