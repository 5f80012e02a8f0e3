"""The Liquidator of a chain: whether it is ours, and whether the signer may use it."""

from __future__ import annotations

from collections.abc import Iterator

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak

from keeper.chain import blocks
from keeper.chain.calls import Call, run
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.contracts import runtime_code
from keeper.service.examination.finding import Finding

_OWNER = function_signature_to_4byte_selector("owner()")
_IS_OPERATOR = function_signature_to_4byte_selector("isOperator(address)")


def liquidator(settings: Settings, chain: str, pool: NodePool, payer: str) -> Iterator[Finding]:
    """One line where a contract is configured."""
    address = settings.chains[chain].liquidator
    if address is None:
        return
    subject = f"liquidator on {chain}"
    code = bytes.fromhex(str(pool.call("eth_getCode", address, "latest"))[2:])
    if keccak(code) != keccak(bytes.fromhex(runtime_code("Liquidator")[2:])):
        yield Finding(
            subject,
            "fault",
            f"{address} is not our Liquidator, or not this version of it",
            "Deploy it: keeper contracts deploy liquidator --live",
        )
        return
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
