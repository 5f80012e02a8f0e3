"""Our reading contracts (`contracts/src/*Lens.sol`), which are called without ever being deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.chain.calls import ALL_GAS, Call, Lens
from keeper.contracts import runtime_code
from keeper.protocols.calldata import encoded


@dataclass(frozen=True, slots=True)
class LensContract:
    """One of them by the name of its artifact, and the unused address that its code is laid over."""

    name: str
    address: str

    def placed(self) -> Lens:
        return Lens(self.address, runtime_code(self.name))

    def call(self, signature: str, *arguments: object) -> Call:
        return Call(self.address, encoded(signature, *arguments), ALL_GAS)

    def market(self, contract: str) -> Call:
        """All market-wide state."""
        return self.call("market(address)", contract)

    def accounts(self, contract: str, accounts: Sequence[str]) -> Call:
        """The stored words of these accounts, packed."""
        return self.call("accounts(address,bytes)", contract, packed(accounts))

    def valued(self, contract: str, account: str) -> Call:
        """One account as the protocol itself computes it."""
        return self.call("valued(address,address)", contract, account)


def packed(accounts: Sequence[str]) -> bytes:
    """Account keys (0x hex) one after the other."""
    return bytes.fromhex("".join(account[2:] for account in accounts))
