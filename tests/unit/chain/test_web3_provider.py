"""web3 over the node pool: contracts and middleware of web3, with failover and answers of the pool."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from hexbytes import HexBytes
from web3.contract import Contract
from web3.exceptions import ContractCustomError, ContractLogicError, OffchainLookup, Web3RPCError
from web3.middleware import Web3Middleware
from web3.types import RPCEndpoint

from keeper.chain.answers import BusyError, NodeError
from keeper.chain.contract_reads import revert_in_words
from keeper.chain.http import PostTimeoutError, PostUnsentError
from keeper.chain.pool import NodePool
from keeper.chain.web3_provider import web3_over
from keeper.contracts import artifact
from tests.support.scripted_contracts import HEAD, Reverted, node_of
from tests.support.scripted_node import CHAIN_ID, Say, ScriptedPoster, healthy, scripted_pool

pytestmark = pytest.mark.unit

TOKEN = "0x00000000000000000000000000000000000000AA"
OWNER = "0x00000000000000000000000000000000000000bb"


def _token(target: str, data: bytes) -> bytes | None:
    """Six decimals, and a balance that is the owner's last byte."""
    return encode(["uint256"], [6 if len(data) == 4 else data[-1]])


def _dead(method: str, params: list[Any]) -> Exception:
    return PostUnsentError("connection refused to http://node0.invalid/secret")


def _contract(pool: NodePool, name: str = "ERC20", pinned: bool = True) -> Contract:
    chain = web3_over(pool, HEAD if pinned else None)
    return chain.eth.contract(address=chain.to_checksum_address(TOKEN), abi=artifact(name)["abi"])


def _calls(poster: ScriptedPoster) -> list[str]:
    return [method for method, _ in poster.asked if method != "eth_chainId"]


def test_a_contracts_function_is_answered_at_the_pinned_hash() -> None:
    pool, [poster] = scripted_pool(node_of(_token))
    token = _contract(pool)
    assert token.functions.decimals().call() == 6
    assert token.functions.balanceOf(token.address).call() == 0xAA
    assert _calls(poster) == ["eth_call"] * 2


def test_what_was_read_at_the_hash_is_not_asked_again() -> None:
    pool, [poster] = scripted_pool(node_of(_token))
    token = _contract(pool)
    assert [token.functions.decimals().call() for _ in range(3)] == [6, 6, 6]
    assert _calls(poster) == ["eth_call"]


def test_the_pool_fails_over_below_a_contracts_call() -> None:
    pool, posters = scripted_pool(_dead, node_of(_token))
    assert _contract(pool).functions.decimals().call() == 6
    assert _calls(posters[1]) == ["eth_call"]
    assert pool.current is pool.nodes[1]


def test_a_node_that_answers_for_another_block_is_left() -> None:
    behind = node_of(lambda *_: encode(["uint256"], [18]), HEAD)

    def other(method: str, params: list[Any]) -> Say | Exception:
        said = behind(method, params)
        if method == "eth_call" and isinstance(said, Say):
            return Say("0x" + encode(["uint256"], [HEAD.number - 1]).hex() + said.result[66:])
        return said

    pool, _ = scripted_pool(other, node_of(_token))
    assert _contract(pool).functions.decimals().call() == 6


def test_nodes_in_trouble_are_the_pools_own_error_without_a_secret() -> None:
    pool, _ = scripted_pool(_dead)
    with pytest.raises(NodeError) as caught:
        _contract(pool).functions.decimals().call()
    assert isinstance(caught.value, BusyError) and "node0.invalid" in caught.value.where
    assert "secret" not in str(caught.value)


def test_a_batch_is_one_request() -> None:
    pool, [poster] = scripted_pool(node_of(_token))
    token = _contract(pool)
    with token.w3.batch_requests() as batch:
        batch.add(token.functions.decimals())
        for digit in (1, 2, 3):
            batch.add(token.functions.balanceOf(token.w3.to_checksum_address(f"0x{digit:040x}")))
        found: list[Any] = [*batch.execute()]
    assert found == [6, 1, 2, 3]
    assert _calls(poster) == ["eth_call"]


def test_a_batch_takes_other_methods_along() -> None:
    pool, [poster] = scripted_pool(node_of(_token))
    token = _contract(pool)
    with token.w3.batch_requests() as batch:
        batch.add(token.functions.decimals())
        batch.add(token.w3.eth.get_balance(token.address))
        found: list[Any] = [*batch.execute()]
    assert found == [6, 1]
    # EIP-1898: a node that has another block at this height has no answer.
    assert poster.asked[-1] == ("eth_getBalance", [TOKEN, {"blockHash": HEAD.hash}])


@pytest.mark.parametrize("pinned", [True, False])
def test_a_revert_is_web3s_own_with_the_data_of_the_custom_error(pinned: bool) -> None:
    abi = artifact("OwnerTopUp")["abi"]
    data = HexBytes(
        function_signature_to_4byte_selector("LimitExceeded(uint256)") + encode(["uint256"], [41])
    )

    def reverting(target: str, calldata: bytes) -> bytes:
        raise Reverted(bytes(data))

    def plain(method: str, params: list[Any]) -> Say | Exception:
        if method != "eth_call":
            return healthy(method, params)
        return Say(error={"code": 3, "message": "execution reverted", "data": data.to_0x_hex()})

    pool, posters = scripted_pool(node_of(reverting) if pinned else plain, healthy)
    with pytest.raises(ContractCustomError) as caught:
        _contract(pool, "OwnerTopUp", pinned).functions.POOL().call()
    assert revert_in_words(str(caught.value.data), abi) == "LimitExceeded(41)"
    assert _calls(posters[1]) == [], "it is the chain's answer: nobody else is asked"


def test_a_refusal_is_asked_of_one_other_node_and_then_web3s() -> None:
    def refusing(method: str, params: list[Any]) -> Say:
        if method == "eth_estimateGas":
            return Say(error={"code": -32000, "message": "insufficient funds for gas"})
        return healthy(method, params)

    pool, posters = scripted_pool(refusing, refusing, refusing)
    with pytest.raises(Web3RPCError, match="insufficient funds"):
        web3_over(pool).eth.estimate_gas({"to": "0x" + "00" * 20, "data": HexBytes("0x12")})
    assert [len(_calls(poster)) for poster in posters] == [1, 1, 0]


def test_a_signed_transaction_goes_out_as_the_pool_sends_it() -> None:
    """Where one node gave no answer it may have taken it: a refusal of the next proves nothing."""

    def refusing(method: str, params: list[Any]) -> Say:
        if method == "eth_sendRawTransaction":
            return Say(error={"code": -32000, "message": "nonce too low"})
        return healthy(method, params)

    def silent(method: str, params: list[Any]) -> Say | Exception:
        return PostTimeoutError("silent") if method == "eth_sendRawTransaction" else healthy(method, params)

    pool, _ = scripted_pool(silent, refusing)
    with pytest.raises(BusyError) as caught:
        web3_over(pool).eth.send_raw_transaction(b"\x12")
    assert caught.value.reached


def test_a_contract_cannot_send_us_elsewhere() -> None:
    """EIP-3668: web3 would fetch the URLs that a revert names."""
    lookup = encode(
        ["address", "string[]", "bytes", "bytes4", "bytes"],
        [TOKEN, ["http://evil.invalid/{sender}"], b"", b"1234", b""],
    )

    def looking(target: str, calldata: bytes) -> bytes:
        raise Reverted(bytes.fromhex("556f1830") + lookup)

    pool, [poster] = scripted_pool(node_of(looking))
    with pytest.raises(OffchainLookup):
        _contract(pool).functions.decimals().call()
    assert _calls(poster) == ["eth_call"]


def test_the_chains_identity_costs_no_request() -> None:
    pool, [poster] = scripted_pool(healthy)
    assert web3_over(pool).eth.chain_id == CHAIN_ID
    assert poster.asked == []


def test_middleware_sees_requests_and_answers() -> None:
    seen: list[tuple[str, object]] = []

    class Listening(Web3Middleware):
        def request_processor(self, method: RPCEndpoint, params: Any) -> Any:
            seen.append((method, params[0]["to"]))
            return method, params

        def response_processor(self, method: RPCEndpoint, response: Any) -> Any:
            seen.append((method, int(response["result"], 16)))
            return response

    pool, _ = scripted_pool(node_of(_token))
    token = _contract(pool)
    token.w3.middleware_onion.add(Listening)
    assert token.functions.decimals().call() == 6
    assert seen == [("eth_call", TOKEN), ("eth_call", 6)]


def test_a_call_as_somebody_is_not_mixed_with_plain_reads() -> None:
    def plain(method: str, params: list[Any]) -> Say | Exception:
        return Say("0x" + encode(["uint256"], [9]).hex()) if method == "eth_call" else healthy(method, params)

    pool, [poster] = scripted_pool(plain)
    token = _contract(pool)
    owner = token.w3.to_checksum_address(OWNER)
    assert token.functions.decimals().call({"from": owner}) == 9
    [(_, params)] = [each for each in poster.asked if each[0] == "eth_call"]
    assert params[0]["from"] == owner and params[1] == {"blockHash": HEAD.hash}


def test_a_revert_without_data_is_one_all_the_same() -> None:
    pool, _ = scripted_pool(node_of(lambda *_: None))
    with pytest.raises(ContractLogicError):
        _contract(pool).functions.decimals().call()
