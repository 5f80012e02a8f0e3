"""Compares a keeper's record with the contracts' own views, account by account and block by block.

Run as a program of its own; it imports nothing from keeper, so that it cannot share its mistakes.

    python check_record.py RPC RECORD FIRST_BLOCK LAST_BLOCK PROTOCOL,... ACCOUNT...

These numbers are compared, to the unit: of Aave, getUserAccountData and each reserve's indices in ray; of the
troves, getCurrentICR and debt; of Comet, borrowBalanceOf, and whether it absorbs. Of accounts that the keeper
calls unvaluable on Aave, the contract's own view must revert. Morpho Blue must refuse to liquidate with
"position is healthy" exactly where the keeper says so.

Each protocol, and every named account in it, must be recorded at every block from first to last (what a
reorganisation took back is left out). Prints one JSON object: what differed, and each account's health by
Aave's view (scaled 1e18, null without debt) at first, at its lowest and at last. Exits 1 when anything
differs or is missing.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from eth_abi.abi import decode, encode
from web3 import HTTPProvider, Web3

WAD = 10**18
NO_DEBT = 2**256 - 1
AAVE = "aave-v3"
INDICES = {"income": "getReserveNormalizedIncome", "debt": "getReserveNormalizedVariableDebt"}
PARAMS = "(address,address,address,address,uint256)"
ANYBODY = "0x" + "77" * 20
NOT_LIQUIDATABLE = "ddeb79ba"
NUMBERS = "collateral, debt, threshold and health"
Account = dict[str, Any]
Compared = Iterator[tuple[str, Any, Any]]
"""The name of what is compared, the keeper's value and the contract's."""


class CheckRefusedError(Exception):
    """A call that the contract reverted, with its reason where that is a text."""


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

    def refuses(self, *asked: Any) -> str:
        """Why a call (the arguments of `ask`) is refused; empty where it is not."""
        try:
            self.ask(*asked)
        except CheckRefusedError as refusal:
            return str(refusal) or "refused"
        return ""

    def stands(self, block: dict[str, Any]) -> bool:
        """Whether a recorded block is still part of the chain: a reorganisation takes some back."""
        return bool(Web3.to_hex(self.web3.eth.get_block(block["number"])["hash"]) == block["hash"])


def aave(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Compared:
    data = chain.ask(*_aave_view(entry, account["account"]))
    told = [*(account["parts"][key] for key in ("collateral", "debt", "threshold")), account["health"]]
    health = None if data[5] == NO_DEBT else str(data[5])
    yield NUMBERS, told, [str(data[0]), str(data[1]), str(data[3]), health]


def aave_besides(chain: CheckedChain, entry: dict[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    block, pool = entry["block"]["hash"], entry["address"]
    for asset, indices in entry["indices"].items():
        for name, ours in indices.items():
            theirs = chain.ask(block, pool, f"{INDICES[name]}(address)", ["uint256"], asset)
            yield asset, f"{name} index", ours, str(theirs)
    for account in entry["unvaluable"]:
        yield account, "unvaluable", True, bool(chain.refuses(*_aave_view(entry, account)))


def _aave_view(entry: dict[str, Any], account: str) -> tuple[Any, ...]:
    signature = "getUserAccountData(address)"
    return entry["block"]["hash"], entry["address"], signature, ["uint256"] * 6, account


def troves(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Compared:
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


def comet(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Compared:
    block, at, who = entry["block"]["hash"], entry["address"], account["account"]
    owed = chain.ask(block, at, "borrowBalanceOf(address)", ["uint256"], who)
    feed = chain.ask(block, at, "baseTokenPriceFeed()", ["address"])
    price = chain.ask(block, at, "getPrice(address)", ["uint256"], feed)
    scale = chain.ask(block, at, "baseScale()", ["uint256"])
    yield "debt", account["debt"], str(owed * price // scale)
    below = account["health"] is not None and int(account["health"]) < WAD
    # Comet's own check takes its indices as of the last accrual; before it absorbs, it accrues.
    refusal = chain.refuses(block, at, "absorb(address,address[])", [], ANYBODY, [who])
    yield "liquidatable", below, NOT_LIQUIDATABLE not in refusal


def morpho(chain: CheckedChain, entry: dict[str, Any], account: Account) -> Compared:
    block, at, identity = entry["block"]["hash"], entry["address"], bytes.fromhex(account["part"][2:])
    who, parameters = account["account"], [*["address"] * 4, "uint256"]
    params = chain.ask(block, at, "idToMarketParams(bytes32)", parameters, identity)
    _, shares, collateral = chain.ask(block, at, "position(bytes32,address)", ["uint256"] * 3, identity, who)
    yield "owes", account["debt"] != "0", shares != 0
    if not shares or not collateral:
        return
    signature = f"liquidate({PARAMS},address,uint256,uint256,bytes)"
    refusal = chain.refuses(block, at, signature, ["uint256"] * 2, params, who, 1, 0, b"")
    healthy = account["health"] is None or int(account["health"]) >= WAD
    yield "healthy", healthy, "position is healthy" in refusal


CHECKS = {AAVE: aave, "liquity": troves, "compound-v3": comet, "morpho-blue": morpho}


def compare(chain: CheckedChain, entry: dict[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Everything in one line of the record to compare: whose it is, then as `Compared`."""
    for account in entry["accounts"]:
        for compared in CHECKS[entry["protocol"]](chain, entry, account):
            yield account["account"], *compared
    if entry["protocol"] == AAVE:
        yield from aave_besides(chain, entry)


def main(rpc: str, path: str, first: int, last: int, protocols: set[str], named: list[str]) -> int:
    chain, compared = CheckedChain(rpc), 0
    problems: list[str] = []
    accounts: dict[str, dict[str, Any]] = {}
    seen: dict[int, set[str]] = defaultdict(set)
    replaced: set[int] = set()
    with open(path) as lines:
        for entry in map(json.loads, lines):
            number = entry["block"]["number"]
            if not first <= number <= last:
                continue
            if not chain.stands(entry["block"]):
                replaced.add(number)
                continue
            seen[number].add(entry["protocol"])
            where = f"block {number} {entry['market']}"
            recorded = {a["account"].lower() for a in entry["accounts"]} | set(entry["unvaluable"])
            missing = {name.lower() for name in named} - recorded
            problems += [f"{where}: {name} is not recorded" for name in sorted(missing)]
            # On the day of all markets nothing keeps anybody from being valued.
            if len(protocols) > 1 and (entry["unvaluable"] or not entry["acting"]):
                problems.append(f"{where}: not valued by the keeper's own arithmetic")
            for whose, what, told, said in compare(chain, entry):
                compared += 1
                if told != said:
                    problems.append(f"{where} {whose} {what}: keeper {told}, contract {said}")
                if what == NUMBERS:
                    note(accounts.setdefault(whose.lower(), {}), *said)
    for number in sorted(set(range(first, last + 1)) - (replaced - seen.keys())):
        problems += [f"block {number}: {name} is not recorded" for name in sorted(protocols - seen[number])]
    blocks = sum(1 for each in seen.values() if each)
    result = {"compared": compared, "blocks": blocks, "problems": problems[:20], "different": len(problems)}
    print(json.dumps({**result, "accounts": accounts}))
    return 1 if problems or not compared else 0


def note(account: dict[str, Any], collateral: str, debt: str, _: str, health: str | None) -> None:
    account.setdefault("first", health)
    account |= {"last": health, "collateral": collateral, "debt": debt}
    if health is not None and (account.get("lowest") is None or int(health) < int(account["lowest"])):
        account["lowest"] = health


if __name__ == "__main__":
    _, rpc, path, first, last, protocols, *named = sys.argv
    sys.exit(main(rpc, path, int(first), int(last), set(protocols.split(",")), named))
