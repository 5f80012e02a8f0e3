"""Compares a keeper's record with the contract, account by account and block by block.

Run as a program of its own; it imports nothing from keeper, so that it cannot share its mistakes.

    python check_record.py RPC RECORD FIRST_BLOCK LAST_BLOCK ACCOUNT...

Compared are each account's collateral, debt, threshold and health, and each reserve's indices in ray.
Every block from first to last must be recorded (what a reorganisation took back is left out), and every
named account in each; of those that the keeper calls unvaluable, the contract's own view must revert.
Prints one JSON object: what differed, and what the contract said of each account's health (scaled 1e18, null
without debt) at first, at its lowest and at last. Exits 1 when anything differs or is missing.
"""

import json
import sys
from typing import Any

from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError

INDICES = {"income": "getReserveNormalizedIncome", "debt": "getReserveNormalizedVariableDebt"}
ABI = [
    {
        "name": name,
        "type": "function",
        "stateMutability": "view",
        "inputs": [{"name": "of", "type": "address"}],
        "outputs": [{"name": str(i), "type": "uint256"} for i in range(outputs)],
    }
    for name, outputs in (("getUserAccountData", 6), *((name, 1) for name in INDICES.values()))
]
NO_DEBT = 2**256 - 1


def main(rpc: str, path: str, first: int, last: int, named: list[str]) -> int:
    chain = Web3(HTTPProvider(rpc, request_kwargs={"timeout": 30}))
    problems: list[str] = []
    accounts: dict[str, dict[str, Any]] = {}
    compared, seen = 0, set()
    replaced: set[int] = set()
    with open(path) as lines:
        for line in lines:
            entry = json.loads(line)
            block = entry["block"]
            if not first <= block["number"] <= last:
                continue
            if not stands(chain, block):
                replaced.add(block["number"])
                continue
            seen.add(block["number"])
            pool = chain.eth.contract(address=Web3.to_checksum_address(entry["address"]), abi=ABI)
            told_of = {a["account"].lower() for a in entry["accounts"]} | set(entry["unvaluable"])
            missing = {name.lower() for name in named} - told_of
            problems += [f"block {block['number']}: {name} is not recorded" for name in sorted(missing)]
            for asset, indices in entry["indices"].items():
                for name, ours in indices.items():
                    view = pool.get_function_by_name(INDICES[name])(Web3.to_checksum_address(asset))
                    theirs = str(view.call(block_identifier=block["hash"]))
                    compared += 1
                    if ours != theirs:
                        problems.append(
                            f"block {block['number']} {name} of {asset}: keeper {ours}, contract {theirs}"
                        )
            for account in entry["unvaluable"]:
                compared += 1
                try:
                    pool.functions.getUserAccountData(Web3.to_checksum_address(account)).call(
                        block_identifier=block["hash"]
                    )
                except ContractLogicError:
                    continue
                problems.append(f"block {block['number']} {account}: the contract can value it")
            for account in entry["accounts"]:
                data = pool.functions.getUserAccountData(account["account"]).call(
                    block_identifier=block["hash"]
                )
                health = None if data[5] == NO_DEBT else data[5]
                said = [str(data[0]), str(data[1]), str(data[3]), None if health is None else str(health)]
                told = [
                    *(account["parts"][key] for key in ("collateral", "debt", "threshold")),
                    account["health"],
                ]
                compared += 1
                if told != said:
                    problems.append(
                        f"block {block['number']} {account['account']}: keeper {told}, contract {said}"
                    )
                note(accounts.setdefault(account["account"].lower(), {}), data, health)
    missing_blocks = set(range(first, last + 1)) - seen - replaced
    problems += [f"block {n} is not recorded" for n in sorted(missing_blocks)]
    print(
        json.dumps(
            {
                "compared": compared,
                "blocks": len(seen),
                "problems": problems[:20],
                "different": len(problems),
                "accounts": accounts,
            }
        )
    )
    return 1 if problems or not compared else 0


def stands(chain: Web3, block: dict[str, Any]) -> bool:
    """Whether a recorded block is still part of the chain: a reorganisation takes some back."""
    found = chain.eth.get_block(block["number"])
    return bool(Web3.to_hex(found["hash"]) == block["hash"])


def note(account: dict[str, Any], data: list[int], health: int | None) -> None:
    text = None if health is None else str(health)
    account.setdefault("first", text)
    account["last"] = text
    account["collateral"], account["debt"] = str(data[0]), str(data[1])
    if health is not None and (account.get("lowest") is None or health < int(account["lowest"])):
        account["lowest"] = text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
