"""Batches of transactions on a local chain, from any account, with every receipt checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from keeper.chain.calldata import calldata
from keeper.errors import KeeperError
from keeper.localchain.anvil import Anvil
from keeper.localchain.rpc import Json, LocalRpc, Request, as_dict, as_int, as_str

Tx = TypedDict(
    "Tx",
    {"from": str, "to": NotRequired[str], "data": str, "gas": NotRequired[int], "value": NotRequired[int]},
)
"""A transaction: sender, target (absent: contract creation), data (0x…), gas limit (default GAS), wei."""

GAS = 2_000_000
"""Gas limit of a transaction that names none: enough for any Aave action with a few reserves."""

_FUND_BELOW = 10**21
_FUND_WITH = 10**22
_ERROR = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


class TransactionFailedError(KeeperError):
    """A transaction was mined and reverted; `index` is its place in the batch."""

    def __init__(self, what: str, *, where: str, index: int) -> None:
        super().__init__(what, where=where)
        self.index = index


def call_of(sender: str, target: str, signature: str, *arguments: object) -> Tx:
    """A transaction that calls a function by its signature, as `mint(address,uint256)`."""
    return {"from": sender, "to": target, "data": calldata(signature, *arguments)}


def send_batch(
    rpc: LocalRpc, txs: Sequence[Tx], errors: Mapping[str, str] | None = None
) -> list[dict[str, Json]]:
    """Send all transactions in order, mine until each is in a block, and return their receipts.

    Senders are impersonated, funded when they hold less than 1,000 ETH, and must have nothing pending.
    Automine is restored afterwards, and the base fee stays the same.
    Raises TransactionFailedError for the first that reverted, with its decoded reason if there is one;
    `errors` maps selectors (0x and 8 digits) of custom errors to names.
    """
    if not txs:
        return []
    senders = sorted({tx["from"] for tx in txs})
    _fund(rpc, senders)
    base_fee = as_int(as_dict(rpc.call("eth_getBlockByNumber", "latest", False))["baseFeePerGas"])
    requests = _requests(rpc, txs, senders, base_fee)
    automine = rpc.call("anvil_getAutomine")
    rpc.batch([("anvil_autoImpersonateAccount", [True]), ("evm_setAutomine", [False])])
    try:
        hashes = [as_str(value) for value in rpc.batch(requests)]
        receipts = _mine_all(rpc, hashes, base_fee)
    finally:
        rpc.call("evm_setAutomine", automine)
    for index, receipt in enumerate(receipts):
        if as_int(receipt["status"]) != 1:
            reason = _reason(rpc, hashes[index], errors or {})
            place = f"transaction {index} of {len(txs)}, {txs[index]['from']} to {txs[index].get('to')}"
            raise TransactionFailedError(f"reverted: {reason}", where=place, index=index)
    return receipts


def queue(anvil: Anvil, tx: Tx, *, last: bool = False) -> None:
    """Put one transaction into the pool, for the next block; its sender is impersonated.

    Its fee is higher than others', so it comes before them; `last`: only the highest base fee that the next
    block can have, so it comes after them (Anvil orders by the maximum fee)."""
    anvil.impersonate(tx["from"])
    head = as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    least = as_int(head["baseFeePerGas"]) * 9 // 8 + 1
    fee, tip = (least, 0) if last else (100 * 10**9, 2 * 10**9)
    anvil.rpc.call("eth_sendTransaction", _fields(tx, fee, tip))


def decode_revert(data: bytes, errors: Mapping[str, str] | None = None) -> str:
    """Decoded revert data: the text, the panic's code, or the custom error's name (or selector) and data."""
    try:
        if data[:4] == _ERROR:
            return str(abi_decode(["string"], data[4:])[0])
        if data[:4] == _PANIC:
            return f"panic 0x{abi_decode(['uint256'], data[4:])[0]:02x}"
    except DecodingError:
        return f"undecodable revert data 0x{data.hex()}"
    if len(data) < 4:
        return "no reason given"
    selector = "0x" + data[:4].hex()
    name = (errors or {}).get(selector, f"custom error {selector}")
    return f"{name} {data[4:].hex()}".rstrip()


def _fund(rpc: LocalRpc, accounts: Sequence[str]) -> None:
    balances = rpc.batch([("eth_getBalance", [account, "latest"]) for account in accounts])
    rpc.batch(
        [
            ("anvil_setBalance", [account, hex(_FUND_WITH)])
            for account, balance in zip(accounts, balances, strict=True)
            if as_int(balance) < _FUND_BELOW
        ]
    )


def _requests(rpc: LocalRpc, txs: Sequence[Tx], senders: Sequence[str], base_fee: int) -> list[Request]:
    # Anvil works on the elements of a batch at once, so nonces are set here; and it orders by fee, so a
    # falling maximum fee keeps transactions of different senders in order.
    counts = rpc.batch([("eth_getTransactionCount", [sender, "latest"]) for sender in senders])
    nonces = {sender: as_int(count) for sender, count in zip(senders, counts, strict=True)}
    requests: list[Request] = []
    for index, tx in enumerate(txs):
        fee = 2 * base_fee + len(txs) - index
        fields = {**_fields(tx, fee, 0), "nonce": hex(nonces[tx["from"]])}
        requests.append(("eth_sendTransaction", [fields]))
        nonces[tx["from"]] += 1
    return requests


def _fields(tx: Tx, fee: int, tip: int) -> dict[str, Json]:
    return {
        "from": tx["from"],
        **({"to": tx["to"]} if "to" in tx else {}),
        "data": tx["data"],
        "gas": hex(tx.get("gas", GAS)),
        "value": hex(tx.get("value", 0)),
        "maxFeePerGas": hex(fee),
        "maxPriorityFeePerGas": hex(tip),
    }


def _mine_all(rpc: LocalRpc, hashes: list[str], base_fee: int) -> list[dict[str, Json]]:
    # They go into blocks in order, so the last one's receipt shows that all are included.
    while rpc.call("eth_getTransactionReceipt", hashes[-1]) is None:
        rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        rpc.call("evm_mine")
        if rpc.integer("eth_getBlockTransactionCountByNumber", "latest") == 0:
            raise KeeperError(
                "transactions stay out of blocks",
                where=rpc.url,
                remedy="Something else of these senders may be pending: mine it first",
            )
    return [as_dict(receipt) for receipt in rpc.batch([("eth_getTransactionReceipt", [h]) for h in hashes])]


def _reason(rpc: LocalRpc, transaction: str, errors: Mapping[str, str]) -> str:
    trace = as_dict(rpc.call("debug_traceTransaction", transaction, {"tracer": "callTracer"}))
    output = trace.get("output")
    if isinstance(output, str) and len(output) > 2:
        return decode_revert(bytes.fromhex(output[2:]), errors)
    return str(trace.get("error") or "no reason given")
