"""Writes abis/aave_v3_errors.json: what the pool's reverts mean, read from the protocol's own packages; and
abis/owner_top_up_errors.json: the same with those of our OwnerTopUp, through which a pool may be called; and
abis/liquidator_errors.json and abis/price_carrier_errors.json: those of our own contracts alone (tables are
joined by `+`), and the same of Morpho Blue, Comet, Synthetix v3, and Perp v2 with our PerpTakeover.

core-v3 reverts with numbers as strings, Origin with custom errors (selector → name). `needless` lists the
names that mean: somebody else did it, or it is no longer needed.
"""

import json
import re
from pathlib import Path

from eth_utils.abi import (
    filter_abi_by_type,
    function_abi_to_4byte_selector,
    function_signature_to_4byte_selector,
)

MODULES = Path("contracts/node_modules")
NUMBERED = MODULES / "@aave/core-v3/contracts/protocol/libraries/helpers/Errors.sol"
NAMED = MODULES / "@aave-dao/aave-v3-origin/src/contracts/protocol/libraries/helpers/Errors.sol"
OURS = Path("contracts/src/liquidator/ILiquidator.sol")

# Comet's package is no dependency of ours: its errors are copied from CometMainInterface and CometCore.
COMET = (
    "Absurd AlreadyInitialized BadAsset BadDecimals BadDiscount BadMinimum BadPrice BorrowTooSmall "
    "BorrowCFTooLarge InsufficientReserves LiquidateCFTooLarge NoSelfTransfer NotCollateralized NotForSale "
    "NotLiquidatable Paused ReentrantCallBlocked SupplyCapExceeded TimestampTooLarge TooManyAssets "
    "TooMuchSlippage TransferInFailed TransferOutFailed Unauthorized BadAmount BadNonce BadSignatory "
    "InvalidValueS InvalidValueV SignatureExpired"
)
# Those of later versions, by selector as they were met: the interface that has them is not at hand.
COMET_LATER = {
    "0x3e3f8f73": "ApproveFailed",
    "0x0aef3ecf": "TransferInFailed",
    "0xb3a817eb": "TransferOutFailed",
    "0x7050033f": "TokenIsDeactivated",
    "0xa110626a": "BorrowersWithdrawPaused",
    "0x4b2c9756": "LendersWithdrawPaused",
}
# What a liquidation answers when the account is well, or holds or owes nothing of what it names.
AAVE_NEEDLESS = (
    "HEALTH_FACTOR_NOT_BELOW_THRESHOLD HealthFactorNotBelowThreshold SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER "
    "SpecifiedCurrencyNotBorrowedByUser COLLATERAL_CANNOT_BE_LIQUIDATED CollateralCannotBeLiquidated"
)
MORPHO_NEEDLESS = "HEALTHY_POSITION"
COMET_NEEDLESS = "NotLiquidatable"
# Of the trove systems' revert texts, those by which a plan is needless.
LIQUITY = {
    "TroveManager: nothing to liquidate": "NOTHING_TO_LIQUIDATE",
    "TroveManager: Trove does not exist or is closed": "TROVE_IS_CLOSED",
}


# What Synthetix v3 answers when another keeper was first, or the account is well.
SYNTHETIX = ("perps-market", "spot-market", "oracle-manager", "core-contracts", "core-modules")
SYNTHETIX_NEEDLESS = (
    "NotEligibleForLiquidation NotEligibleForMarginLiquidation OrderNotValid SettlementWindowExpired "
    "NonexistentDebt"
)
# Those of the core and of what stands between the market and Pyth, which are in no registry.
SYNTHETIX_ELSEWHERE = (
    "AccountNotFound(uint128) PermissionDenied(uint128,bytes32,address) InvalidPermission(bytes32) "
    "PermissionNotGranted(uint128,bytes32,address) NotEnoughLiquidity(uint128,uint256) FeeRequired(uint256) "
    "NotSupported(uint8) Errors(bytes[])"
)
# What Perp v2 and our PerpTakeover answer when somebody else was first, or the account is well.
PERP_NEEDLESS = ("CH_EAV", "CH_NEXO", "CH_PSZ", "NotLiquidatable")
_ELEMENTARY = re.compile(r"(u?int\d*|address|bool|string|bytes\d*)(\[\])?")


def elementary_errors(folder: Path) -> dict[str, str]:
    """Custom errors that a package's contracts declare, save those that take a struct."""
    found = {}
    for path in sorted(folder.rglob("*.sol")):
        for name, arguments in re.findall(r"\berror (\w+)\(([^)]*)\);", path.read_text()):
            types = [
                re.sub(r"\b(u?int)\b", r"\g<1>256", each.split()[0])
                for each in arguments.split(",")
                if each.strip()
            ]
            if all(_ELEMENTARY.fullmatch(each) for each in types):
                found["0x" + function_signature_to_4byte_selector(f"{name}({','.join(types)})").hex()] = name
    return found


# What the clearinghouse answers when somebody else was first, or the account is well.
CLEARINGHOUSE_NEEDLESS = (
    "NotBelowMaintenance",
    "AlreadyCalled",
    "NotCalled",
    "DebtIsCovered",
    "AlreadySettled",
    "TakesTooMuch",
)


def write(name: str, names: dict[str, str], needless: str | list[str] = "") -> None:
    """One table; every name that is said to be needless (parted by spaces, or a list) must be in it."""
    listed = needless.split() if isinstance(needless, str) else needless
    assert set(listed) <= set(names.values()), name
    whole = {**names, "needless": listed} if listed else names
    Path(f"abis/{name}_errors.json").write_text(json.dumps(whole, indent=1) + "\n")


table = {number: name for name, number in re.findall(r"constant (\w+) = '(\d+)'", NUMBERED.read_text())}
for name, arguments in re.findall(r"error (\w+)\(([^)]*)\)", NAMED.read_text()):
    types = ",".join(part.split()[0] for part in arguments.split(",") if part.strip())
    table["0x" + function_signature_to_4byte_selector(f"{name}({types})").hex()] = name
write("aave_v3", table, AAVE_NEEDLESS)

for entry in filter_abi_by_type("error", json.loads(Path("abis/OwnerTopUp.json").read_text())["abi"]):
    table["0x" + function_abi_to_4byte_selector(entry).hex()] = entry["name"]
write("owner_top_up", table)

morpho = (MODULES / "@morpho-org/morpho-blue/src/libraries/ErrorsLib.sol").read_text()
texts = re.findall(r'string internal constant (\w+) = "([^"]+)"', morpho)
write("morpho_blue", {t: n for n, t in texts}, MORPHO_NEEDLESS)

comet = {"0x" + function_signature_to_4byte_selector(f"{each}()").hex(): each for each in COMET.split()}
write("comet", comet | COMET_LATER, COMET_NEEDLESS)

write("liquity", LIQUITY, " ".join(LIQUITY.values()))

synthetix = {
    "0x" + function_signature_to_4byte_selector(each).hex(): each.split("(")[0]
    for each in SYNTHETIX_ELSEWHERE.split()
}
for package in SYNTHETIX:
    synthetix |= elementary_errors(MODULES / "@synthetixio" / package / "contracts")
write(
    "synthetix_v3", dict(sorted(synthetix.items(), key=lambda each: (each[1], each[0]))), SYNTHETIX_NEEDLESS
)

# Of our carrier, of what asks for prices (ERC-7412), and of Pyth, whose wrappers pass its errors on.
carrier = {
    "0x" + function_abi_to_4byte_selector(each).hex(): str(each["name"])
    for each in filter_abi_by_type("error", json.loads(Path("abis/PriceCarrier.json").read_text())["abi"])
}
carrier |= elementary_errors(MODULES / "@synthetixio/oracle-manager/contracts/mocks/pyth")
for each in ("FeeRequired(uint256)", "NotSupported(uint8)", "OracleDataRequired(address,bytes)"):
    carrier["0x" + function_signature_to_4byte_selector(each).hex()] = each.split("(")[0]
write("price_carrier", carrier)

own = {}
for name, arguments in re.findall(r"error (\w+)\(([^)]*)\)", OURS.read_text()):
    types = ",".join(part.split()[0] for part in arguments.split(",") if part.strip())
    own["0x" + function_signature_to_4byte_selector(f"{name}({types})").hex()] = name
write("liquidator", own)

perp = {"EX_OPB": "over the price band", "EX_TKMM": "tick mismatch"}
for source in sorted((MODULES / "@perp/curie-contract/contracts").rglob("*.sol")):
    perp |= dict(re.findall(r"// ((?:CH|EX|V|AB|OB|MR|UB)_[A-Z0-9]+): (.*\S)", source.read_text()))
for entry in filter_abi_by_type("error", json.loads(Path("abis/PerpTakeover.json").read_text())["abi"]):
    perp["0x" + function_abi_to_4byte_selector(entry).hex()] = entry["name"]
needless = [perp.get(each, each) for each in PERP_NEEDLESS]
write("perp_v2", perp, needless)

house = {}
for contract in sorted(Path("abis/clearinghouse").glob("*.json")):
    for entry in filter_abi_by_type("error", json.loads(contract.read_text())["abi"]):
        house["0x" + function_abi_to_4byte_selector(entry).hex()] = str(entry["name"])
write("clearinghouse", dict(sorted(house.items(), key=lambda each: each[1])), list(CLEARINGHOUSE_NEEDLESS))
