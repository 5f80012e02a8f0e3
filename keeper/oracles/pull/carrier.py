"""Our contract that brings prices along with a call (`contracts/src/PriceCarrier.sol`): calldata, built and
decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calldata import encoded
from keeper.model.price_update import PriceUpdate

SIGNATURE = "carry((address,uint256,bytes)[],address,bytes,(address,uint256)[])"
SELECTOR = "0x" + function_signature_to_4byte_selector(SIGNATURE).hex()
ERRORS = "price_carrier_errors"
"""The table in `abis/` of its errors, with those of Pyth and of contracts that take its prices."""
NOTHING_FRESHER = function_signature_to_4byte_selector("NoFreshUpdate()")
"""The answer of an oracle that already has a price as fresh."""
_ARGUMENTS = ["(address,uint256,bytes)[]", "address", "bytes", "(address,uint256)[]"]


def carried(updates: Sequence[PriceUpdate], target: str, call: bytes, least: Mapping[str, int]) -> bytes:
    """Calldata that brings `updates`, calls `target`, and requires at least `least` units of each token,
    which go to the caller; the transaction carries `fees(updates)` wei."""
    brought = [(each.oracle, each.fee, each.data) for each in updates]
    return encoded(SIGNATURE, brought, target, call, list(least.items()))


def fees(updates: Sequence[PriceUpdate]) -> int:
    """Wei that bringing these updates costs."""
    return sum(each.fee for each in updates)


@dataclass(frozen=True, slots=True)
class CarriedCall:
    """The call that a carrier makes, addresses in lower case, data 0x hex, and the oracles it brings prices
    to."""

    target: str
    data: str
    oracles: tuple[str, ...]


def carried_call(data: str) -> CarriedCall | None:
    """Decode a carrier's calldata; None where it is not a carrier's."""
    if data[:10].lower() != SELECTOR:
        return None
    try:
        updates, target, call, _ = decode(_ARGUMENTS, bytes.fromhex(data[10:]))
    except (DecodingError, ValueError, OverflowError):
        return None
    return CarriedCall(
        str(target).lower(), "0x" + call.hex(), tuple(str(each[0]).lower() for each in updates)
    )
