"""The Liquidator of a chain: whether it is ours, and whether the signer may use it."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.contract_reads import ContractReads
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.model.finding import Finding
from keeper.service import contract_versions
from keeper.service.contract_versions import Version


def outdated(subject: str, address: str, version: Version, remedy: str) -> Iterator[Finding]:
    """One line where a later version can do more."""
    if version.is_latest:
        return
    lacks = "; ".join(version.lacks.values())
    yield Finding.warning(
        f"{subject}, version",
        f"{address} is version {version.number} of our {version.name}, the latest is {version.latest}; it "
        f"works, but lacks: {lacks}",
        f"Deploy the latest: {remedy}",
    )


def liquidator(settings: Settings, chain: str, pool: NodePool, payer: str) -> Iterator[Finding]:
    """One line where a contract is configured."""
    address = settings.chains[chain].liquidator
    if address is None:
        return
    subject = f"liquidator on {chain}"
    version = contract_versions.at(pool, "Liquidator", address)
    if version is None:
        yield Finding.fault(
            subject,
            f"{address} is not our Liquidator: no version of it has this code",
            "Deploy it: keeper contracts deploy liquidator --live",
        )
        return
    yield from outdated(subject, address, version, "keeper contracts deploy liquidator --live")
    reads = ContractReads(pool, blocks.latest(pool))
    ours = reads.at("Liquidator", address).functions
    owner, operator = reads.read_each([ours.owner(), ours.isOperator(payer)])
    if owner != payer and not operator:
        yield Finding.fault(
            subject,
            f"{address} does not work for the signer",
            f"Its owner {owner} calls setOperator({payer}, true) on it",
        )
        return
    yield Finding.ok(subject, f"{address}, profit goes to {owner}")
