"""Our reading contracts (`contracts/src/*Lens.sol`), which are called without ever being deployed, and their
answers: words, and packed records, one per account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keeper.chain.calldata import encoded
from keeper.chain.calls import ALL_GAS, Answer, Call, Lens
from keeper.contracts import runtime_code
from keeper.errors import KeeperError

# The length of the record that begins at a place of the data; more than is left where it is cut off.
Length = Callable[[bytes, int], int]


@dataclass(frozen=True, slots=True)
class LensContract:
    """A lens by its artifact's name, and the unused address that its code is laid over."""

    name: str
    address: str
    in_place: bool = False
    """Whether it is laid over an existing contract, whose storage it reads."""
    behind: bool = False
    """Whether it reads behind the prices that are brought to a block."""

    def placed(self) -> Lens:
        return Lens(self.address, runtime_code(self.name), self.in_place)

    def call(self, signature: str, *arguments: object) -> Call:
        return Call(self.address, encoded(signature, *arguments), ALL_GAS, self.behind)

    def market(self, contract: str) -> Call:
        """The call that reads all market-wide state."""
        return self.call("market(address)", contract)

    def accounts(self, contract: str, accounts: Sequence[str]) -> Call:
        """The call that reads the stored words of these accounts, packed."""
        return self.call("accounts(address,bytes)", contract, packed(accounts))

    def valued(self, contract: str, account: str) -> Call:
        """The call that reads one account as the protocol itself computes it."""
        return self.call("valued(address,address)", contract, account)


def packed(accounts: Sequence[str]) -> bytes:
    """Account keys (0x hex), concatenated."""
    return bytes.fromhex("".join(account[2:] for account in accounts))


def words(data: bytes) -> list[int]:
    """An answer as unsigned 32-byte words; a remainder at its end is ignored."""
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data) - 31, 32)]


def split(accounts: Sequence[str], answer: Answer, length: Length) -> dict[str, bytes]:
    """Each account's record; KeeperError when the lens failed, or its answer is shorter or longer."""
    if not answer.ok:
        raise KeeperError(
            f"the lens could not read these accounts (revert data 0x{answer.data.hex()[:200]})",
            where=f"{accounts[0]} and {len(accounts) - 1} others",
        )
    said = int.from_bytes(answer.data[32:64], "big")
    data = answer.data[64 : 64 + said]
    records: dict[str, bytes] = {}
    at = 0
    for account in accounts:
        end = at + length(data, at) if at < len(data) else len(data) + 1
        if end > len(data):
            break
        records[account] = bytes(data[at:end])
        at = end
    if at != said or len(records) != len(accounts):
        raise KeeperError(
            f"the lens answered {len(data)} bytes where {len(accounts)} accounts were asked for, of which "
            f"{len(records)} are whole",
            where=f"{accounts[0]} and others",
            remedy="The node may cut long answers: name another, or report it",
        )
    return records
