"""Writes abis/aave_v3_errors.json: what the pool's reverts mean, read from the protocol's own packages; and
abis/owner_top_up_errors.json: the same with those of our OwnerTopUp, through which a pool may be called; and
abis/liquidator_errors.json: those of our Liquidator alone (tables are joined by `+`).

core-v3 reverts with numbers as strings, Origin with custom errors (selector → name).
"""

import json
import re
from pathlib import Path

from eth_utils.abi import function_signature_to_4byte_selector

MODULES = Path("contracts/node_modules")
NUMBERED = MODULES / "@aave/core-v3/contracts/protocol/libraries/helpers/Errors.sol"
NAMED = MODULES / "@aave-dao/aave-v3-origin/src/contracts/protocol/libraries/helpers/Errors.sol"
OURS = Path("contracts/src/liquidator/ILiquidator.sol")

table = {number: name for name, number in re.findall(r"constant (\w+) = '(\d+)'", NUMBERED.read_text())}
for name, arguments in re.findall(r"error (\w+)\(([^)]*)\)", NAMED.read_text()):
    types = ",".join(part.split()[0] for part in arguments.split(",") if part.strip())
    table["0x" + function_signature_to_4byte_selector(f"{name}({types})").hex()] = name
Path("abis/aave_v3_errors.json").write_text(json.dumps(table, indent=1) + "\n")

for entry in json.loads(Path("abis/OwnerTopUp.json").read_text())["abi"]:
    if entry["type"] == "error":
        types = ",".join(part["type"] for part in entry["inputs"])
        selector = function_signature_to_4byte_selector(f"{entry['name']}({types})")
        table["0x" + selector.hex()] = entry["name"]
Path("abis/owner_top_up_errors.json").write_text(json.dumps(table, indent=1) + "\n")

morpho = (MODULES / "@morpho-org/morpho-blue/src/libraries/ErrorsLib.sol").read_text()
texts = re.findall(r'string internal constant (\w+) = "([^"]+)"', morpho)
Path("abis/morpho_blue_errors.json").write_text(json.dumps({t: n for n, t in texts}, indent=1) + "\n")

own = {}
for name, arguments in re.findall(r"error (\w+)\(([^)]*)\)", OURS.read_text()):
    types = ",".join(part.split()[0] for part in arguments.split(",") if part.strip())
    own["0x" + function_signature_to_4byte_selector(f"{name}({types})").hex()] = name
Path("abis/liquidator_errors.json").write_text(json.dumps(own, indent=1) + "\n")
