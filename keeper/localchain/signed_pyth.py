"""Price updates as our stand-in for Pyth takes them: signed with a public test key."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

EXPONENT = -8
FEE = 1
"""Fee of one update, wei."""
_SIGNER = PrivateKey(keccak(text="keeper local chain: signs prices"))
_FEED = "(bytes32,(int64,uint64,int32,uint256),(int64,uint64,int32,uint256))"
LATEST = 1
BENCHMARK = 2


def signer_address() -> str:
    """The address whose signature the stand-in requires."""
    return _SIGNER.public_key.to_checksum_address()


def price_id(symbol: str) -> bytes:
    """The id of a symbol's dollar price here."""
    return keccak(text=f"{symbol}/USD")


def signed_update(
    identity: bytes,
    price: int,
    published: int,
    *,
    before: int | None = None,
    confidence: int = 0,
    signer: PrivateKey = _SIGNER,
) -> bytes:
    """One signed update: price and its 68 % confidence interval with 8 decimals, publish time, and publish
    time of the price before (one second earlier if not given)."""
    told = (price, confidence, EXPONENT, published)
    earlier = published - 1 if before is None else before
    content = encode([_FEED, "uint64"], [(identity, told, told), earlier])
    signature = signer.sign_msg_hash(keccak(content))
    return content + encode(["uint256", "uint256", "uint8"], [signature.r, signature.s, signature.v + 27])


def answer(kind: int, time: int, identity: bytes, updates: list[bytes]) -> bytes:
    """The argument of `fulfillOracleQuery(bytes)`: LATEST with an age, or BENCHMARK with a time, and the
    updates."""
    return encode(["uint8", "uint64", "bytes32[]", "bytes[]"], [kind, time, [identity], updates])
