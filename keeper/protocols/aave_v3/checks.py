"""What `keeper doctor` asks of a pool besides: its price sentinel."""

from __future__ import annotations

from collections.abc import Iterator

from web3.constants import ADDRESS_ZERO

from keeper.chain.contract_reads import ContractReads
from keeper.model.finding import Finding


def sentinel(
    reads: ContractReads, market: str, contract: str, *, watches_sequencer: bool
) -> Iterator[Finding]:
    """Whether a sentinel can forbid liquidations here, and whether it does now."""
    subject = f"market {market}, sentinel"
    provider = reads.read_or_none(reads.at("AaveV3Pool", contract).functions.ADDRESSES_PROVIDER())
    leads = reads.at("AaveV3AddressesProvider", provider or ADDRESS_ZERO).functions
    address = reads.read_or_none(leads.getPriceOracleSentinel())
    if address in (None, ADDRESS_ZERO):
        yield Finding(subject, "ok", "none" if watches_sequencer else "none: no sequencer is watched here")
        return
    allowed = reads.read_or_none(reads.at("AaveV3Sentinel", address).functions.isLiquidationAllowed())
    if allowed:
        yield Finding(subject, "ok", f"{address} allows liquidations")
        return
    said = "does not answer" if allowed is None else "forbids liquidations now"
    yield Finding(
        subject,
        "warning",
        f"{address} {said}",
        "The chain's sequencer was down a short while ago: liquidations open again after its grace period",
    )
