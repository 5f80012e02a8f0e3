"""Answers of `contracts/src/TroveLens.sol`."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import decode

from keeper.margin.lending.liquity.interest import PerStake, Stored
from keeper.margin.lending.liquity.trove import LiquityTerms, Trove
from keeper.protocols.lenses import LensContract, words

LENS = LensContract("TroveLens", "0x00000000000000000000000000000000ba7c0011")
RECORD = 192
_STATE = f"({'address,' * 4}uint256,bool,{'uint256,' * 13}bool)"
_LOW, _WORD, _ACTIVE = 2**128 - 1, 2**32 - 1, 1


@dataclass(frozen=True, slots=True)
class System:
    """A trove system at one block. `price` (18 decimals) is None while its feed is stale; `whole` is all
    collateral and all debt; `given` is what each unit of stake has received; `interest` False: Liquity v1."""

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


def read_system(data: bytes) -> System:
    row = decode([_STATE], data)[0]
    price, priced, *terms = row[4:10]
    least, coll, debt, pool, stakes, troves, *given, interest = row[10:]
    market = [*row[:4], price if priced else None, LiquityTerms(*terms), least, Trove(coll, debt)]
    return System(*market, *[pool, stakes, troves, PerStake(*given), interest])


def read_trove(record: bytes) -> Stored:
    first, second, third, *seen = words(record)
    return Stored(
        coll=first >> 128,
        principal=first & _LOW,
        interest_owed=second >> 128,
        stake=second & _LOW,
        rate=third >> 32 & _WORD,
        updated=third >> 64,
        seen=PerStake(*seen),
        active=third & _WORD == _ACTIVE,
    )
