"""What an external signer signs is put together as eth_account does, which is checked by the whole world."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.serializing import signed
from keeper.chain.signer import Signer
from keeper.errors import ConfigError

pytestmark = pytest.mark.unit

KEY = Account.from_key("0x" + "5e" * 32)
AMOUNT = st.integers(0, 2**96)
COMMON = {
    "chainId": st.integers(1, 2**40),
    "nonce": st.integers(0, 2**40),
    "to": st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex()),
    "value": AMOUNT,
    "data": st.binary(max_size=300).map(lambda b: "0x" + b.hex()),
    "gas": st.integers(21_000, 2**30),
}
TYPED = st.fixed_dictionaries(
    {**COMMON, "type": st.just(2), "maxFeePerGas": AMOUNT, "maxPriorityFeePerGas": AMOUNT}
)
LEGACY = st.fixed_dictionaries({**COMMON, "gasPrice": AMOUNT})


def signature(message: bytes) -> tuple[int, int, int]:
    made = PrivateKey(bytes(KEY.key)).sign_msg_hash(keccak(message))
    return made.v, made.r, made.s


@given(TYPED | LEGACY)
def test_signed_bytes_and_hash_are_those_of_eth_account(transaction: dict[str, Any]) -> None:
    theirs = KEY.sign_transaction({**transaction, "to": bytes.fromhex(transaction["to"][2:])})
    raw, digest = signed(transaction, signature)
    assert bytes.fromhex(raw[2:]) == bytes(theirs.raw_transaction)
    assert bytes.fromhex(digest[2:]) == bytes(theirs.hash)


@pytest.mark.parametrize("chain", [None, 0])
def test_a_transaction_without_a_chain_is_never_signed(chain: int | None) -> None:
    with pytest.raises(ConfigError, match="never signed"):
        Signer(KEY).sign({"chainId": chain, "nonce": 0, "gas": 21_000, "gasPrice": 1})
    with pytest.raises(ConfigError, match="never signed"):
        signed({"chainId": chain, "nonce": 0, "gas": 21_000, "gasPrice": 1}, signature)
