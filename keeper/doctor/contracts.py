"""The Liquidator of a chain: whether it is ours, and whether the signer may use it."""

from __future__ import annotations

from collections.abc import Iterator

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain import blocks
from keeper.chain.calls import Call, run
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.doctor.finding import Finding
from keeper.service import contract_versions
from keeper.service.contract_versions import Version

_OWNER = function_signature_to_4byte_selector("owner()")
_IS_OPERATOR = function_signature_to_4byte_selector("isOperator(address)")


def outdated(subject: str, address: str, version: Version, remedy: str) -> Iterator[Finding]:
    """One line where a later version can do more."""
    if version.is_latest:
        return
    lacks = "; ".join(version.lacks.values())
    yield Finding(
        f"{subject}, version",
        "warning",
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
        yield Finding(
            subject,
            "fault",
            f"{address} is not our Liquidator: no version of it has this code",
            "Deploy it: keeper contracts deploy liquidator --live",
        )
        return
    yield from outdated(subject, address, version, "keeper contracts deploy liquidator --live")
    asked = [Call(address, _OWNER), Call(address, _IS_OPERATOR + encode(["address"], [payer]))]
    owner, operator = run(pool, blocks.latest(pool), asked)
    owned_by = "0x" + owner.data[12:32].hex()
    if owned_by != payer.lower() and not int.from_bytes(operator.data, "big"):
        yield Finding(
            subject,
            "fault",
            f"{address} does not work for the signer",
            f"Its owner {owned_by} calls setOperator({payer}, true) on it",
        )
        return
    yield Finding(subject, "ok", f"{address}, profit goes to {owned_by}")
