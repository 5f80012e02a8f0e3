"""Aave v3, as the registry lists it."""

from __future__ import annotations

from collections.abc import Iterator

from eth_utils.address import to_checksum_address

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.chain.contract_reads import ContractReads
from keeper.model.finding import Finding
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.market import AaveV3Market
from keeper.protocols.aave_v3.settings import AaveV3Settings
from keeper.protocols.spec import SetupHints, Spec


def _oracle(state: PoolState) -> str:
    return str(to_checksum_address(state.oracle))


def _sentinel(
    reads: ContractReads, market: str, contract: str, *, watches_sequencer: bool
) -> Iterator[Finding]:
    """Whether a sentinel can forbid liquidations here, and whether it does now."""
    subject = f"market {market}, sentinel"
    provider = reads.read_or_none(reads.at("AaveV3Pool", contract).functions.ADDRESSES_PROVIDER())
    leads = reads.at("AaveV3AddressesProvider", provider or ZERO_ADDRESS).functions
    address = reads.read_or_none(leads.getPriceOracleSentinel())
    if address in (None, ZERO_ADDRESS):
        yield Finding.ok(subject, "none" if watches_sequencer else "none: no sequencer is watched here")
        return
    allowed = reads.read_or_none(reads.at("AaveV3Sentinel", address).functions.isLiquidationAllowed())
    if allowed:
        yield Finding.ok(subject, f"{address} allows liquidations")
        return
    said = "does not answer" if allowed is None else "forbids liquidations now"
    yield Finding.warning(
        subject,
        f"{address} {said}",
        "The chain's sequencer was down a short while ago: liquidations open again after its grace period",
    )


SPEC = Spec(
    name="aave-v3",
    title="an Aave v3 pool",
    market="aave",
    marks=("ADDRESSES_PROVIDER()", "FLASHLOAN_PREMIUM_TOTAL()", "getReservesList()"),
    leads=("getPool()", "POOL()"),
    adapter=AaveV3Market,
    settings=AaveV3Settings,
    setup=SetupHints(oracle=_oracle),
    checks=_sentinel,
)
