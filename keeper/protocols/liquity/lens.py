"""Calls to and answers of `contracts/src/TroveLens.sol`, which is called without being deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calls import Answer, Call, Lens
from keeper.contracts import runtime_code
from keeper.errors import KeeperError
from keeper.margin.lending.liquity.interest import PerStake, Stored
from keeper.margin.lending.liquity.trove import LiquityTerms, Trove

ADDRESS = "0x00000000000000000000000000000000ba7c0011"
_STATE = f"({'address,' * 4}uint256,bool,{'uint256,' * 13}bool)"
_RECORD = 192
_ACTIVE = 1


@dataclass(frozen=True, slots=True)
class System:
    """A trove system at one block. `price` (18 decimals) is None while its feed is stale; `whole` is all
    collateral and all debt; `given` what a unit of stake has been given; `interest` False: Liquity v1."""

    operations: str
    active_pool: str
    sorted_troves: str
    debt_token: str
    price: int | None
    terms: LiquityTerms
    min_net_debt: int
    whole: Trove
    stability_pool: int
    stakes: int
    troves: int
    given: PerStake
    interest: bool


def lens() -> Lens:
    return Lens(ADDRESS, runtime_code("TroveLens"))


def _call(signature: str, *arguments: object) -> Call:
    types = [each for each in signature[signature.index("(") + 1 : -1].split(",") if each]
    return Call(ADDRESS, function_signature_to_4byte_selector(signature) + encode(types, arguments))


def market_call(manager: str) -> Call:
    return _call("market(address)", manager)


def accounts_call(manager: str, accounts: Sequence[str]) -> Call:
    return _call("accounts(address,bytes)", manager, bytes.fromhex("".join(a[2:] for a in accounts)))


def valued_call(manager: str, account: str) -> Call:
    return _call("valued(address,address)", manager, account)


def source_call(manager: str) -> Call:
    return _call("sourceOf(address)", manager)


def symbol_call() -> Call:
    return _call("symbol()")


def read_system(answer: Answer) -> System:
    row = decode([_STATE], answer.data)[0]
    operations, active_pool, sorted_troves, token, price, priced, mcr, ccr, gas, divisor = row[:10]
    least, coll, debt, pool, stakes, troves, *given, interest = row[10:]
    return System(
        operations.lower(),
        active_pool.lower(),
        sorted_troves.lower(),
        token.lower(),
        price if priced else None,
        LiquityTerms(mcr, ccr, gas, divisor),
        least,
        Trove(coll, debt),
        pool,
        stakes,
        troves,
        PerStake(*given),
        interest,
    )


def split(accounts: Sequence[str], answer: Answer) -> dict[str, bytes]:
    """Each account's record; KeeperError when the lens failed or its answer is not whole."""
    length = int.from_bytes(answer.data[32:64], "big") if answer.ok else 0
    data = answer.data[64 : 64 + length]
    if not answer.ok or len(data) != _RECORD * len(accounts):
        raise KeeperError(
            f"the lens answered {len(data)} bytes for {len(accounts)} troves",
            where=f"{accounts[0]} and others",
            remedy="The node may cut long answers: name another, or report it",
        )
    return {account: data[_RECORD * i : _RECORD * (i + 1)] for i, account in enumerate(accounts)}


def read_trove(record: bytes) -> Stored:
    first, second, third, *seen = (int.from_bytes(record[i : i + 32], "big") for i in range(0, _RECORD, 32))
    low, word = 2**128 - 1, 2**32 - 1
    return Stored(
        coll=first >> 128,
        principal=first & low,
        interest_owed=second >> 128,
        stake=second & low,
        rate=third >> 32 & word,
        updated=third >> 64,
        seen=PerStake(*seen),
        active=third & word == _ACTIVE,
    )
