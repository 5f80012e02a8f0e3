"""Deploying contracts in batches: addresses are known before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

from eth_typing import HexAddress, HexStr
from web3.types import Nonce
from web3.utils import get_create_address

from keeper.localchain.artifacts import Artifact
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.transactions import Tx, send_batch

DEPLOY_GAS = 8_000_000
"""Gas limit of a creation or a configuration call: Aave's Pool, the largest, takes some 5.3 million."""


class Deployer:
    """The queued creations and calls of one sender; `flush` sends them.

    Nothing else may send from the same account between the first queued item and `flush`.
    """

    def __init__(self, rpc: LocalRpc, sender: str, errors: Mapping[str, str] | None = None) -> None:
        self.rpc = rpc
        self.sender = sender
        self._errors = errors
        self._queue: list[Tx] = []
        self._nonce = rpc.integer("eth_getTransactionCount", sender, "latest")

    def create(
        self,
        contract: Artifact,
        *arguments: object,
        libraries: Mapping[str, str] | None = None,
    ) -> str:
        """Queue a creation and return the address it will have."""
        code = contract.creation(arguments, libraries or {})
        (address,) = self.upcoming(1)
        self._add({"from": self.sender, "data": "0x" + code.hex(), "gas": DEPLOY_GAS})
        return address

    def upcoming(self, count: int) -> list[str]:
        """The addresses that the next creations will have, if no call comes between them."""
        sender = HexAddress(HexStr(self.sender))
        return [get_create_address(sender, Nonce(self._nonce + place)) for place in range(count)]

    def call(self, target: str, signature: str, *arguments: object, value: int = 0) -> None:
        """Queue a call that carries `value` wei."""
        data = calldata(signature, *arguments)
        self._add({"from": self.sender, "to": target, "data": data, "gas": DEPLOY_GAS, "value": value})

    def flush(self) -> None:
        """Send what is queued; TransactionFailedError for the first that reverted."""
        queue, self._queue = self._queue, []
        send_batch(self.rpc, queue, self._errors)

    def _add(self, tx: Tx) -> None:
        self._queue.append(tx)
        self._nonce += 1
