"""Writes abis/aave_v3_errors.json: what the pool's reverts mean, read from the protocol's own packages.

core-v3 reverts with numbers as strings, Origin with custom errors (selector → name).
"""

import json
import re
from pathlib import Path

from eth_utils.abi import function_signature_to_4byte_selector

MODULES = Path("contracts/node_modules")
NUMBERED = MODULES / "@aave/core-v3/contracts/protocol/libraries/helpers/Errors.sol"
NAMED = MODULES / "@aave-dao/aave-v3-origin/src/contracts/protocol/libraries/helpers/Errors.sol"

table = {number: name for name, number in re.findall(r"constant (\w+) = '(\d+)'", NUMBERED.read_text())}
for name, arguments in re.findall(r"error (\w+)\(([^)]*)\)", NAMED.read_text()):
    types = ",".join(part.split()[0] for part in arguments.split(",") if part.strip())
    table["0x" + function_signature_to_4byte_selector(f"{name}({types})").hex()] = name
Path("abis/aave_v3_errors.json").write_text(json.dumps(table, indent=1) + "\n")
