"""Profiles of nodes and chains by name: how each differs, and where that was seen. All emulated before Anvil.

A profile says what its nodes do (the first is asked first), how the chain itself differs, and what an
operator writes into the configuration for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from hexbytes import HexBytes

from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.world import tricks
from keeper.localchain.world.node import Next, Reply, Request, Trick, error, result

GWEI = 10**9
_SIMULATE = ("eth_simulateV1",)
GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F"
_L1_FEE = 2 * 10**12
# Answers every call with that fee.
_FEE_CODE = f"0x65{_L1_FEE:012x}60005260206000f3"
_TIP_FLOOR = 25 * GWEI
_TWO_TO_24 = 2**24
_DATA_GAS = 60_000
_BYTES = 110
# Gas figures of chains like Mantle, per unit of Ethereum's.
_GAS_SCALE = 20_000

Nodes = Callable[[random.Random], list[list[Trick]]]


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of node or chain: `title` describes it, `seen` says where it was seen.

    `prepare` sets up the chain for the keeper's address; `between` is called before each block of a day with
    its number in the day, and returns whether blocks were reorganised away.
    """

    title: str
    seen: str
    nodes: Nodes
    options: Callable[[AnvilOptions], AnvilOptions] = lambda options: options
    prepare: Callable[[Anvil, str], None] = lambda *_: None
    between: Callable[[Anvil, int], bool] = lambda *_: False
    settings: str = ""
    """Further lines in the chain's section of the configuration."""
    more: str = ""
    """Further sections of the configuration."""
    timeout: float = 5.0
    learns_block_time: bool = False
    """Whether the configuration gives no block time, so that the keeper must learn it."""
    tells: frozenset[str] = frozenset()
    """Kinds of alerts that are correct here, besides those of any day."""


def _one(*found: Trick) -> Nodes:
    return lambda dice: [list(found)]


def _first_of_two(make: Callable[[random.Random], list[Trick]]) -> Nodes:
    return lambda dice: [make(dice), []]


def _refusing(code: int, message: str, data: object = None, status: int = 200) -> Callable[[], Reply]:
    return lambda: error(code, message, data, status=status)


_RATE_LIMITED = _refusing(429, "Too Many Requests")
_RATE_LIMITED_IN_WORDS = _refusing(-32005, "request rate exceeded, see your plan", {"see": "documentation"})
_QUOTA_USED = _refusing(-32005, "daily request count exceeded, request rate limited")
_INDEXING = _refusing(-32000, "transaction indexing is in progress")


def _data_gas(data: bytes) -> int:
    """Gas of a transaction's bytes: a transfer without data has some too."""
    return _DATA_GAS * (_BYTES + len(data)) // _BYTES


def _data_is_charged(request: Request, onward: Next) -> Reply:
    """A trick: estimates count the gas for data; simulations and calls do not."""
    answer = onward(request)
    if request["method"] == "eth_estimateGas" and isinstance(answer.result, str):
        data = bytes.fromhex(str(request["params"][0].get("data") or "0x")[2:])
        return result(hex(int(answer.result, 16) + _data_gas(data)))
    return answer


def _data_gas_too_low(fields: dict[str, Any], onward: Next) -> Reply | None:
    """Refuse a transaction whose gas limit is less than its execution and its data take. Where execution
    cannot be estimated, behind another of our pending transactions, the least possible is required."""
    data, to = bytes(HexBytes(fields["data"])), "0x" + bytes(HexBytes(fields.get("to", b""))).hex()
    call = {
        "from": fields["sender"],
        "to": to,
        "data": "0x" + data.hex(),
        "value": hex(fields.get("value", 0)),
    }
    runs = onward({"method": "eth_estimateGas", "params": [call]}).result
    least = int(runs, 16) if isinstance(runs, str) else 21_000 + 16 * len(data)
    return error(-32000, "intrinsic gas too low") if int(fields["gas"]) < least + _data_gas(data) else None


def _tip_too_low(fields: dict[str, Any], _: Next) -> Reply | None:
    tip = int(fields.get("maxPriorityFeePerGas", fields.get("gasPrice", 0)))
    if tip < _TIP_FLOOR:
        return error(-32000, f"transaction underpriced: gas tip cap {tip}, minimum needed {_TIP_FLOOR}")
    return None


def _price_too_low(fields: dict[str, Any], _: Next) -> Reply | None:
    price = int(fields.get("maxFeePerGas", fields.get("gasPrice", 0)))
    return error(-32000, "transaction underpriced") if price < GWEI else None


def _too_much_gas(fields: dict[str, Any], _: Next) -> Reply | None:
    if int(fields["gas"]) > _TWO_TO_24:
        return error(-32000, f"transaction gas limit too high (cap: {_TWO_TO_24})")
    return None


def _only_old_kind(fields: dict[str, Any], _: Next) -> Reply | None:
    return error(-32000, "transaction type not supported") if fields["type"] else None


def _one_in_flight(fields: dict[str, Any], onward: Next) -> Reply | None:
    asked = {"method": "eth_getTransactionCount", "params": [fields["sender"], "latest"]}
    if int(fields["nonce"]) > int(onward(asked).result, 16):
        return error(-32000, "gapped-nonce tx from delegated accounts")
    return None


def _missed_slot(anvil: Anvil, block: int) -> bool:
    if block == 6:
        head = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        assert isinstance(head, dict)
        anvil.set_next_timestamp(int(str(head["timestamp"]), 16) + 24)
    return False


def _three_blocks_back(anvil: Anvil, block: int) -> bool:
    if block not in (7, 13):
        return False
    anvil.rpc.call("anvil_reorg", 3, [])
    return True


def _op_stack(anvil: Anvil, _: str) -> None:
    anvil.rpc.call("anvil_setCode", GAS_PRICE_ORACLE, _FEE_CODE)


def _delegates(anvil: Anvil, keeper: str) -> None:
    anvil.rpc.call("anvil_setCode", keeper, "0xef0100" + "de" * 20)


def _scaled(gas: int) -> int:
    return gas * _GAS_SCALE


def _without_base_fee(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "baseFeePerGas"}


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "rate-limit": Profile(
            "a node that refuses a third of all requests by code 429, and a healthy one",
            "dimension-adapters#280, omni/tokenbridge#491",
            _first_of_two(lambda dice: [tricks.now_and_then(dice, 0.33, _RATE_LIMITED)]),
        ),
        "rate-limit-alone": Profile(
            "a single node that refuses one request in eight, in words",
            "AntSeed/antseed#841",
            lambda dice: [[tricks.now_and_then(dice, 0.125, _RATE_LIMITED_IN_WORDS)]],
        ),
        "quota": Profile(
            "a node whose daily quota ends in the middle of the day, and a healthy one",
            "raindex#1662",
            _first_of_two(lambda dice: [tricks.quota(60, _QUOTA_USED)]),
        ),
        "lagging-balancer": Profile(
            "one address behind which a third of the backends is a block behind",
            "go-ethereum#27197, bsc#1054, nethermind#11173",
            lambda dice: [[tricks.lagging(dice, 0.33)]],
        ),
        "indexing": Profile(
            "a node that refuses receipts while it indexes, and a healthy one",
            "go-ethereum#29956, bsc#2524",
            _first_of_two(lambda _: [tricks.without(("eth_getTransactionReceipt",), _INDEXING)]),
        ),
        "indexing-alone": Profile(
            "one node, which finds nothing that is in a block by its hash while it indexes",
            "go-ethereum#29956, bsc#2524",
            _one(tricks.not_indexed(_INDEXING)),
        ),
        "gas-cap-10m": Profile(
            "calls with more than 10 M gas are refused, not capped",
            "nethermind#11172, reth#17847",
            _one(tricks.gas_cap(10_000_000, "Block gas limit exceeded")),
        ),
        "gas-cap-50m": Profile(
            "calls with more than 50 M gas are refused, not capped",
            "moonbeam#1718, gmx-interface#2542",
            _one(tricks.gas_cap(50_000_000, "intrinsic gas too high")),
        ),
        "no-simulate-32600": Profile(
            "eth_simulateV1 is no request that this node knows",
            "viem#4369",
            _one(tricks.without(_SIMULATE, _refusing(-32600, "invalid request"))),
        ),
        "no-simulate-32004": Profile(
            "eth_simulateV1 is not supported",
            "alloy#4007",
            _one(tricks.without(_SIMULATE, _refusing(-32004, "method not supported"))),
        ),
        "no-simulate-403": Profile(
            "eth_simulateV1 is answered with HTTP 403 and a JSON body",
            "nitro#3372",
            _one(tricks.without(_SIMULATE, _refusing(-32603, "upgrade your plan", status=403))),
        ),
        "trickle": Profile(
            "a node of which one answer in ten comes a few bytes at a time, and a healthy one",
            "tests of our own",
            _first_of_two(lambda dice: [tricks.mangled(dice, 0.1)]),
            timeout=0.5,
        ),
        "oversize": Profile(
            "a node of which one answer in twenty is 130 MiB longer than it should be, and a healthy one",
            "tests of our own",
            _first_of_two(lambda dice: [tricks.mangled(dice, 0.05, size=130 * 2**20)]),
        ),
        "lying-pending": Profile(
            "a node that counts 40 waiting transactions more than there are, and a healthy one",
            "tests of our own",
            _first_of_two(lambda _: [tricks.pending_ahead(40)]),
        ),
        "withheld-logs": Profile(
            "a node that leaves out some or all of a block's logs, half of the time, and a healthy one",
            "nethermind#11205, degov#963",
            _first_of_two(lambda dice: [tricks.withheld_logs(dice, 0.5)]),
            tells=frozenset({"unbalanced", "silent_change"}),
        ),
        "missed-slot": Profile(
            "one slot without a block: 24 s between two blocks of 12",
            "Ethereum: one slot in a hundred or two is empty",
            _one(),
            between=_missed_slot,
            learns_block_time=True,
        ),
        "arbitrum": Profile(
            "contracts see the parent chain's block number; only estimates count the gas for data",
            "cowprotocol/services#2674, multicall3#138",
            _one(
                tricks.headers(lambda b: {**b, "l1BlockNumber": hex(int(b["number"], 16) + 20_000_000)}),
                _data_is_charged,
                tricks.sends(_data_gas_too_low),
                tricks.parent_numbers(lambda number: number + 20_000_000),
            ),
            learns_block_time=True,
        ),
        "op-stack": Profile(
            "a fee for data besides gas, told in receipts and by the predeploy 0x4200…000F",
            "fastlane-bot#336, rain.solver#268",
            _one(tricks.receipts(lambda receipt: {**receipt, "l1Fee": hex(_L1_FEE)})),
            prepare=_op_stack,
        ),
        "polygon": Profile(
            "no tip below 25 gwei is taken, and twice in the day three blocks are taken back",
            "hyperlane-monorepo#1933, UMA protocol#4919",
            _one(tricks.sends(_tip_too_low)),
            between=_three_blocks_back,
            more="[execution]\nconfirmations = 16\n",
            # Gas is expensive: some actions are not worth it, and the signer's native balance runs low.
            tells=frozenset({"action_expired", "low_balance"}),
        ),
        "bsc": Profile(
            "base fee 0, and nothing below 1 gwei a unit of gas is taken",
            "wayfinder-paths-sdk#379",
            _one(tricks.sends(_price_too_low)),
            options=lambda options: replace(options, extra=(*options.extra, "--block-base-fee-per-gas", "0")),
        ),
        "two-to-24": Profile(
            "calls and transactions of more than 2^24 gas are refused",
            "EIP-7825",
            _one(
                tricks.gas_cap(_TWO_TO_24, f"transaction gas limit too high (cap: {_TWO_TO_24})"),
                tricks.sends(_too_much_gas),
            ),
        ),
        "large-gas": Profile(
            "gas figures beyond 2^31, as on Mantle",
            "Mantle: gas figures beyond 2^31",
            _one(
                tricks.without(("eth_maxPriorityFeePerGas",), lambda: result(hex(1000))),
                tricks.estimates(_scaled),
                tricks.receipts(lambda r: {**r, "gasUsed": hex(_scaled(int(r["gasUsed"], 16)))}),
            ),
            options=lambda options: replace(
                options,
                gas_limit=2**42,
                tx_gas_limit=False,
                extra=(*options.extra, "--block-base-fee-per-gas", "1000"),
            ),
        ),
        "legacy-fees": Profile(
            "no base fee, no fee history, and only transactions of the old kind",
            "ethers-error-parser#18; chains without EIP-1559",
            _one(
                tricks.headers(_without_base_fee),
                tricks.without(
                    ("eth_feeHistory", "eth_maxPriorityFeePerGas"),
                    _refusing(-32601, "the method does not exist"),
                ),
                tricks.sends(_only_old_kind),
            ),
        ),
        "delegated": Profile(
            "the signer has delegated code: a second transaction is refused while one waits",
            "verdikta-arbiter#29, base/base#2347",
            _one(tricks.sends(_one_in_flight)),
            prepare=_delegates,
            # One transaction per block: plans that had to wait no longer fit.
            tells=frozenset({"action_refused", "action_expired"}),
        ),
    }
)
