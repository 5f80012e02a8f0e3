"""Outside check of `keeper demo --all`: what the keeper recorded against the contracts' own words, with web3
alone; it imports nothing of the keeper's.

    check_crash.py RPC RECORD FIRST_BLOCK LAST_BLOCK

At every block every market must be recorded, and of each account: Aave's getUserAccountData to the unit;
the troves' getCurrentICR and debt to the unit; Comet's borrowBalanceOf to the unit and whether it absorbs;
and Morpho Blue must refuse to liquidate with "position is healthy" exactly where the keeper says so. Prints
one JSON object with what differed; exits 1 when anything differs or is missing.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from eth_abi.abi import decode, encode
from web3 import HTTPProvider, Web3

WAD = 10**18
NO_DEBT = 2**256 - 1
MARKETS = {"aave-v3", "morpho-blue", "liquity", "compound-v3"}
PARAMS = "(address,address,address,address,uint256)"
ANYBODY = "0x" + "77" * 20
NOT_LIQUIDATABLE = "ddeb79ba"
Account = dict[str, Any]


class CheckRefusedError(Exception):
    """The contract reverted; its reason where it is a text."""


class CheckedChain:
    def __init__(self, rpc: str) -> None:
        self.web3 = Web3(HTTPProvider(rpc, request_kwargs={"timeout": 30}))

    def ask(self, block: str, target: str, signature: str, out: list[str], *arguments: Any) -> Any:
        """The decoded answer of a call at the block with this hash."""
        types = signature[signature.index("(") + 1 : -1]
        inputs = (
            [PARAMS, *types[len(PARAMS) + 1 :].split(",")] if types.startswith(PARAMS) else types.split(",")
        )
        data = Web3.keccak(text=signature)[:4] + encode(inputs if types else [], arguments)
        call = {"from": ANYBODY, "to": target, "data": "0x" + bytes(data).hex()}
        answer = self.web3.provider.make_request("eth_call", [call, {"blockHash": block}])  # type: ignore[arg-type]
        if "error" in answer:
            raise CheckRefusedError(json.dumps(answer["error"]))
        values = decode(out, bytes.fromhex(str(answer["result"])[2:])) if out else ()
        return values[0] if len(out) == 1 else values


def aave(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Iterator[tuple[str, Any, Any]]:
    block, pool = entry["block"]["hash"], entry["address"]
    data = chain.ask(block, pool, "getUserAccountData(address)", ["uint256"] * 6, account["account"])
    health = None if data[5] == NO_DEBT else str(data[5])
    yield "collateral", account["collateral"], str(data[0])
    yield "debt", account["debt"], str(data[1])
    yield "health", account["health"], health


def troves(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Iterator[tuple[str, Any, Any]]:
    block, manager, who = entry["block"]["hash"], entry["address"], account["account"]
    feed = chain.ask(block, manager, "priceFeed()", ["address"])
    price = chain.ask(block, feed, "fetchPrice()", ["uint256"])
    coll, principal, interest = chain.ask(
        block, manager, "getEntireDebtAndColl(address)", ["uint256"] * 3, who
    )
    yield "debt", account["debt"], str(principal + interest)
    yield "collateral", account["collateral"], str(coll * price // WAD)
    if principal:
        ratio = chain.ask(block, manager, "getCurrentICR(address,uint256)", ["uint256"], who, price)
        least = chain.ask(block, manager, "MCR()", ["uint256"])
        yield "health", account["health"], str(ratio * WAD // least)


def comet(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Iterator[tuple[str, Any, Any]]:
    block, at, who = entry["block"]["hash"], entry["address"], account["account"]
    owed = chain.ask(block, at, "borrowBalanceOf(address)", ["uint256"], who)
    feed = chain.ask(block, at, "baseTokenPriceFeed()", ["address"])
    price = chain.ask(block, at, "getPrice(address)", ["uint256"], feed)
    scale = chain.ask(block, at, "baseScale()", ["uint256"])
    yield "debt", account["debt"], str(owed * price // scale)
    below = account["health"] is not None and int(account["health"]) < WAD
    # Comet's own check takes its indices as of the last accrual; before it absorbs, it accrues.
    try:
        chain.ask(block, at, "absorb(address,address[])", [], ANYBODY, [who])
        refused = False
    except CheckRefusedError as refusal:
        refused = NOT_LIQUIDATABLE in str(refusal)
    yield "liquidatable", below, not refused


def morpho(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Iterator[tuple[str, Any, Any]]:
    block, at, identity = entry["block"]["hash"], entry["address"], bytes.fromhex(account["part"][2:])
    params = chain.ask(
        block,
        at,
        "idToMarketParams(bytes32)",
        ["address", "address", "address", "address", "uint256"],
        identity,
    )
    who = account["account"]
    _, shares, collateral = chain.ask(block, at, "position(bytes32,address)", ["uint256"] * 3, identity, who)
    yield "owes", account["debt"] != "0", shares != 0
    if not shares or not collateral:
        return
    signature = f"liquidate({PARAMS},address,uint256,uint256,bytes)"
    try:
        chain.ask(block, at, signature, ["uint256"] * 2, params, who, 1, 0, b"")
        refusal = ""
    except CheckRefusedError as refused:
        refusal = str(refused)
    healthy = account["health"] is None or int(account["health"]) >= WAD
    yield "healthy", healthy, "position is healthy" in refusal


CHECKS = {"aave-v3": aave, "liquity": troves, "compound-v3": comet, "morpho-blue": morpho}


def main(rpc: str, path: str, first: int, last: int) -> int:
    chain, compared = CheckedChain(rpc), 0
    problems: list[str] = []
    seen: dict[int, set[str]] = {}
    with open(path) as lines:
        for entry in map(json.loads, lines):
            number = entry["block"]["number"]
            if not first <= number <= last:
                continue
            seen.setdefault(number, set()).add(entry["protocol"])
            where = f"block {number} {entry['market']}"
            if entry["unvaluable"] or not entry["acting"]:
                problems.append(f"{where}: not valued by the keeper's own arithmetic")
            for account in entry["accounts"]:
                for what, told, said in CHECKS[entry["protocol"]](chain, entry, account):
                    compared += 1
                    if told != said:
                        problems.append(
                            f"{where} {account['account']} {what}: keeper {told}, contract {said}"
                        )
    for number in range(first, last + 1):
        missing = MARKETS - seen.get(number, set())
        problems += [f"block {number}: {name} is not recorded" for name in sorted(missing)]
    print(json.dumps({"compared": compared, "blocks": len(seen), "problems": problems[:20]}))
    return 1 if problems or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
