"""The baseline's side of the cold scan: one call an account through web3.py."""

import json
import sys
import time

from web3 import HTTPProvider, Web3

ABI = [
    {
        "name": "getUserAccountData",
        "type": "function",
        "stateMutability": "view",
        "inputs": [{"name": "user", "type": "address"}],
        "outputs": [{"name": str(i), "type": "uint256"} for i in range(6)],
    }
]

if __name__ == "__main__":
    url, pool, block, accounts = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    accounts = [Web3.to_checksum_address(a) for a in accounts]
    started = time.perf_counter()
    contract = Web3(HTTPProvider(url)).eth.contract(address=Web3.to_checksum_address(pool), abi=ABI)
    data = [contract.functions.getUserAccountData(a).call(block_identifier=block) for a in accounts]
    seconds = time.perf_counter() - started
    health = [None if row[5] == 2**256 - 1 else str(row[5]) for row in data]
    print(json.dumps({"seconds": seconds, "health": health}))
