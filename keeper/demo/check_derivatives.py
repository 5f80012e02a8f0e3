"""Compares a keeper's record of derivative accounts with the contracts' own views, account by account and
block by block, and reports how each of the day's accounts ended.

Run as a program of its own; it imports nothing from keeper, so that it cannot share its mistakes.

python check_derivatives.py RPC RECORD FIRST_BLOCK LAST_BLOCK ADDRESSES

ADDRESSES is a JSON object: `token`, `cache` and `adapter` of the options, which their market does not name,
and `accounts`, [market, account] of those whose end is asked for.

These numbers are compared, to the unit: of Synthetix v3 getAvailableMargin, both of getRequiredMargins, the
debt and the verdict (flagged, canLiquidate or canLiquidateMarginOnly); of Perp v2 getAccountValue and the
requirement for liquidation, and whether the one is below the other; of Lyra Avalon a short position's
collateral and least collateral, and whether liquidatePosition would work. Each market must be recorded at
every block from first to last.

Prints one JSON object; exits 1 when anything differs or is missing."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from eth_abi.abi import decode, encode
from web3 import HTTPProvider, Web3

ANYBODY = "0x" + "77" * 20
FIRST_SHORT, ACTIVE = 2, 1
Compared = Iterator[tuple[str, Any, Any]]
"""The name of what is compared, the keeper's value and the contract's."""


class RefusedCallError(Exception):
    """A call that the contract reverted."""


class Asked:
    """A chain's contracts, asked at its blocks."""

    def __init__(self, rpc: str, names: dict[str, Any]) -> None:
        self.web3, self.names = Web3(HTTPProvider(rpc, request_kwargs={"timeout": 30})), names

    def ask(self, block: Any, target: str, signature: str, out: list[str], *arguments: Any) -> Any:
        """The decoded answer of a call at a block; a single value is not wrapped in a sequence."""
        listed = signature[signature.index("(") + 1 : -1]
        data = Web3.keccak(text=signature)[:4] + encode(listed.split(",") if listed else [], arguments)
        call = {"from": ANYBODY, "to": target, "data": "0x" + bytes(data).hex()}
        answer = self.web3.provider.make_request("eth_call", [call, block])  # type: ignore[arg-type]
        if "error" in answer:
            raise RefusedCallError(json.dumps(answer["error"]))
        values = decode(out, bytes.fromhex(str(answer["result"])[2:])) if out else ()
        return values[0] if len(out) == 1 else values

    def works(self, *asked: Any) -> bool:
        try:
            self.ask(*asked)
        except RefusedCallError:
            return False
        return True


def synthetix(chain: Asked, block: Any, at: str, account: dict[str, Any]) -> Compared:
    who = int(account["account"])
    equity = chain.ask(block, at, "getAvailableMargin(uint128)", ["int256"], who)
    initial, maintenance, _ = chain.ask(block, at, "getRequiredMargins(uint128)", ["uint256"] * 3, who)
    owes = chain.ask(block, at, "debt(uint128)", ["uint256"], who)
    flagged = who in chain.ask(block, at, "flaggedAccounts()", ["uint256[]"])
    due = flagged or any(
        chain.ask(block, at, f"{view}(uint128)", ["bool"], who)
        for view in ("canLiquidate", "canLiquidateMarginOnly")
    )
    told = [account["equity"], account["initial"], account["maintenance"], account["parts"]["debt"]]
    yield "margins and debt", told, [str(each) for each in (equity, initial, maintenance, owes)]
    yield "liquidatable", account["liquidatable"], due


def curie(chain: Asked, block: Any, at: str, account: dict[str, Any]) -> Compared:
    who = account["account"]
    balances = chain.ask(block, at, "getAccountBalance()", ["address"])
    value = chain.ask(block, at, "getAccountValue(address)", ["int256"], who)
    signature = "getMarginRequirementForLiquidation(address)"
    required = chain.ask(block, balances, signature, ["int256"], who)
    yield "value", account["equity"], str(value)
    yield "requirement", account["maintenance"], str(required)
    yield "liquidatable", account["liquidatable"], value < required


def avalon(chain: Asked, block: Any, at: str, account: dict[str, Any]) -> Compared:
    number = int(account["account"])
    fields = ["uint256", "uint256", "uint8", "uint256", "uint256", "uint8"]
    position = chain.ask(block, chain.names["token"], "getOptionPosition(uint256)", fields, number)
    _, strike, kind, amount, collateral, state = position
    if state != ACTIVE or kind < FIRST_SHORT:
        yield "requirement", account["maintenance"], "0"
        return
    price, expiry = chain.ask(block, at, "getStrikeAndExpiry(uint256)", ["uint256"] * 2, strike)
    spot = chain.ask(block, chain.names["adapter"], "getSpotPriceForMarket(address)", ["uint256"], at)
    signature = "getMinCollateral(uint8,uint256,uint256,uint256,uint256)"
    terms = (kind, price, expiry, spot, amount)
    least = chain.ask(block, chain.names["cache"], signature, ["uint256"], *terms)
    yield "collateral", account["equity"], str(collateral)
    yield "least collateral", account["maintenance"], str(least)
    liquidates = chain.works(block, at, "liquidatePosition(uint256,address)", [], number, ANYBODY)
    yield "liquidatable", account["liquidatable"], liquidates


def ended(chain: Asked, protocol: str, at: str, account: str, first: str) -> str:
    """The end of an account, in a word: an option's state, or otherwise its positions compared with those at
    block `first`."""
    if protocol == "lyra-avalon":
        fields = ["uint256", "uint256", "uint8", "uint256", "uint256", "uint8"]
        view = "getOptionPosition(uint256)"
        state = chain.ask("latest", chain.names["token"], view, fields, int(account))[5]
        return {1: "same", 2: "closed", 3: "liquidated", 4: "settled"}.get(state, "gone")
    size_of = size_of_perps if protocol == "synthetix-v3" else size_of_curie
    before, after = (size_of(chain, block, at, account) for block in (first, "latest"))
    if not after:
        return "empty"
    return "same" if before == after else "smaller" if after < before else "larger"


def size_of_perps(chain: Asked, block: Any, at: str, account: str) -> int:
    held = chain.ask(block, at, "getAccountOpenPositions(uint128)", ["uint256[]"], int(account))
    view = "getOpenPositionSize(uint128,uint128)"
    return sum(abs(chain.ask(block, at, view, ["int128"], int(account), each)) for each in held)


def size_of_curie(chain: Asked, block: Any, at: str, account: str) -> int:
    balances = chain.ask(block, at, "getAccountBalance()", ["address"])
    held = chain.ask(block, balances, "getBaseTokens(address)", ["address[]"], account)
    view = "getTotalPositionSize(address,address)"
    return sum(abs(chain.ask(block, balances, view, ["int256"], account, each)) for each in held)


CHECKS = {"synthetix-v3": synthetix, "perp-v2": curie, "lyra-avalon": avalon}


def main(rpc: str, path: str, first: int, last: int, names: dict[str, Any]) -> int:
    chain, compared, problems = Asked(rpc, names), 0, list[str]()
    seen: dict[int, set[str]] = defaultdict(set)
    markets: dict[str, tuple[str, str]] = {}
    with open(path) as lines:
        for entry in map(json.loads, lines):
            number = entry["block"]["number"]
            if not first <= number <= last:
                continue
            seen[number].add(entry["protocol"])
            markets[entry["market"]] = entry["protocol"], entry["address"]
            where = f"block {number} {entry['market']}"
            if entry["unvaluable"] or not entry["acting"]:
                problems.append(f"{where}: not valued by the keeper's own arithmetic")
            block = {"blockHash": entry["block"]["hash"]}
            for account in entry["accounts"]:
                for what, told, said in CHECKS[entry["protocol"]](chain, block, entry["address"], account):
                    compared += 1
                    if told != said:
                        problems.append(
                            f"{where} {account['account']} {what}: keeper {told}, contract {said}"
                        )
    for number in range(first, last + 1):
        problems += [
            f"block {number}: {name} is not recorded" for name in sorted(CHECKS.keys() - seen[number])
        ]
    ends = {
        f"{m} {a}": ended(chain, *markets[m], a, hex(first)) for m, a in names["accounts"] if m in markets
    }
    blocks = sum(1 for each in seen.values() if each)
    result = {"compared": compared, "blocks": blocks, "problems": problems[:20], "different": len(problems)}
    print(json.dumps({**result, "ends": ends}))
    return 1 if problems or not compared else 0


if __name__ == "__main__":
    _, rpc, path, first, last, names = sys.argv
    sys.exit(main(rpc, path, int(first), int(last), json.loads(names)))
