"""Reads of contracts at one block, by their interfaces in `abis/` and through web3.

For everything outside a tick: a tick asks the pool below these layers (`keeper.chain.calls`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_typing import ABI, ABIError
from eth_utils.abi import (
    abi_to_signature,
    filter_abi_by_type,
    function_abi_to_4byte_selector,
    get_abi_input_types,
)
from eth_utils.address import to_checksum_address
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import BadFunctionCallOutput, ContractLogicError, Web3Exception

from keeper.chain.answers import plain
from keeper.chain.head import Head
from keeper.chain.pool import NodePool
from keeper.chain.web3_provider import web3_over
from keeper.contracts import artifact
from keeper.errors import KeeperError

_UNDECODABLE = (DecodingError, OverflowError, UnicodeError)
# What web3 makes of a stranger's answer: its own words, or what it stumbles over (a panic of no known code).
_NO_ANSWER = (Web3Exception, KeyError, *_UNDECODABLE)
# What the language itself reverts with.
_OF_SOLIDITY: tuple[ABIError, ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)
_MOST_DIGITS = 74


class ContractError(KeeperError):
    """A contract reverted, or did not answer as its interface says."""


class ContractReads:
    """Reads of one chain at `head`, remembered."""

    def __init__(self, pool: NodePool, head: Head) -> None:
        self.chain = web3_over(pool, head)
        self._name = pool.name

    def at(self, name: str, address: str) -> Contract:
        """The contract at `address` by the interface that `abis/` has under `name`."""
        return self.chain.eth.contract(address=to_checksum_address(address), abi=artifact(name)["abi"])

    def read(self, function: ContractFunction) -> Any:
        """The function's return value; ContractError where there is no such answer."""
        try:
            return function.call()
        except _NO_ANSWER as error:
            raise self._in_words(function, error) from None

    def read_each(self, functions: Iterable[ContractFunction]) -> list[Any]:
        """Each function's return value, None where there is no such answer; one request for all."""
        asked = list(functions)
        if not asked:
            return []
        try:
            with self.chain.batch_requests() as batch:
                for each in asked:
                    batch.add(each)
                return list(batch.execute())
        except _NO_ANSWER:
            # web3 stops at the first that failed; all are answered, and remembered.
            return [self.read_or_none(each) for each in asked]

    def read_or_none(self, function: ContractFunction) -> Any:
        """The function's return value; None where there is no such answer."""
        try:
            return self.read(function)
        except ContractError:
            return None

    def _in_words(self, function: ContractFunction, error: Exception) -> ContractError:
        asked = f"{abi_to_signature(function.abi)} of {function.address}"
        if isinstance(error, ContractLogicError) and isinstance(error.data, str):
            what = f"{asked} reverted: {revert_in_words(error.data, function.contract_abi or [])}"
        elif isinstance(error, (BadFunctionCallOutput, *_UNDECODABLE)):
            what = f"{asked} did not answer as its interface says"
        else:
            what = f"{asked} gave no answer"
        return ContractError(
            what,
            where=f"chain {self._name}",
            remedy="Check that the address is that contract's on this chain",
        )


def revert_in_words(data: str, abi: ABI) -> str:
    """A revert's data (0x hex) as its text, as `Name(values)` where `abi` has the error, else unchanged."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    for error in (*_OF_SOLIDITY, *filter_abi_by_type("error", abi)):
        if raw[:4] == function_abi_to_4byte_selector(error):
            try:
                values = decode(get_abi_input_types(error), raw[4:])
            except _UNDECODABLE:
                break
            said = ", ".join(map(str, values))
            return plain(said if error["name"] == "Error" else f"{error['name']}({said})")
    return data[:_MOST_DIGITS] if raw else "no reason given"
