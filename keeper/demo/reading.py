"""A day read from the chain itself, at any block, and the findings of the outside check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keeper.chain.calldata import calldata, topic
from keeper.demo.running import Ground
from keeper.demo.stage import Stage
from keeper.localchain.rpc import Json, as_dict, as_int, as_list, as_str

LIQUIDATION = "LiquidationCall(address,address,address,uint256,uint256,address,bool)"
_CHECKER = Path(__file__).with_name("check_record.py")


@dataclass(frozen=True)
class Event:
    """A log of the pool: its block and transaction, the addresses among its topics, the words of its data."""

    block: int
    transaction: str
    topics: list[str]
    words: list[int]


def events(stage: Stage, last: int, signature: str) -> Iterator[Event]:
    """The pool's events of this kind from the day's first block to `last`."""
    query: dict[str, Json] = {
        "address": stage.market.pool,
        "topics": [topic(signature)],
        "fromBlock": hex(stage.first_block),
        "toBlock": hex(last),
    }
    for each in as_list(stage.anvil.rpc.call("eth_getLogs", query)):
        log = as_dict(each)
        topics = ["0x" + as_str(topic)[26:] for topic in as_list(log["topics"])[1:]]
        data = bytes.fromhex(as_str(log["data"])[2:])
        words = [int.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32)]
        yield Event(as_int(log["blockNumber"]), as_str(log["transactionHash"]), topics, words)


def word(stage: Stage, block: int, target: str, signature: str, argument: str, place: int = 0) -> int:
    """One word of what a view function answers at a block."""
    call: Json = {"to": target, "data": calldata(signature, argument)}
    answer = as_str(stage.anvil.rpc.call("eth_call", call, hex(block)))
    return int(answer[2 + 64 * place : 66 + 64 * place], 16)


def price(stage: Stage, asset: str, block: int) -> int:
    """The oracle's price of a whole asset at a block, in base units."""
    return word(stage, block, stage.market.oracle, "getAssetPrice(address)", asset)


def checked(
    stage: Ground, last: int, protocols: Collection[str], accounts: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The comparison's findings, by a process that cannot import keeper, and what it finds wrong."""
    return run_outside(_CHECKER, stage, last, ",".join(protocols), *accounts)


def run_outside(checker: Path, stage: Ground, last: int, *more: str) -> tuple[dict[str, Any], list[str]]:
    """A check's findings on a day's record, by a program that cannot import keeper, and what is wrong."""
    arguments = [stage.anvil.url, str(stage.record), str(stage.first_block), str(last), *more]
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-I", str(checker), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        empty: dict[str, Any] = {"accounts": {}, "compared": 0, "blocks": 0, "ends": {}}
        return empty, [f"the outside check failed: {done.stderr[-500:]}"]
    check: dict[str, Any] = json.loads(done.stdout)
    if done.returncode == 0:
        return check, []
    return check, [f"{check['different']} numbers differ from the contract's", *check["problems"]]
