"""A plan: what the deciding loop hands to the acting loop, complete in itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["liquidate", "top_up"]


@dataclass(frozen=True, slots=True)
class Spend:
    """Token units a plan pays, and the contract that pulls them."""

    token: str
    spender: str
    amount: int


@dataclass(frozen=True, slots=True)
class Check:
    """A postcondition: after the action, word `word` of this call's answer is at least `at_least`."""

    target: str
    data: str
    word: int
    at_least: int


@dataclass(frozen=True, slots=True)
class Trade:
    """What a liquidation gives and gets: tokens (lower case), valued at its prices (base units)."""

    pays: str
    pays_base: int
    gets: str
    gets_base: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a breach, complete: execution needs no protocol to carry it out.

    `spend_base` and `gain_base` are in base currency units before gas; `gas` is an estimate; `errors`
    names the table in `abis/` that says what the target's reverts mean; `summary` tells people.
    """

    market: str
    account: str
    kind: Kind
    action: str
    target: str
    data: str
    spend: Spend
    spend_base: int
    gain_base: int
    gas: int
    summary: dict[str, str]
    postcondition: Check | None = None
    errors: str = ""
    trade: Trade | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        raw = json.loads(text)
        check = raw.pop("postcondition")
        trade = raw.pop("trade", None)
        return Plan(
            spend=Spend(**raw.pop("spend")),
            postcondition=Check(**check) if check else None,
            trade=Trade(**trade) if trade else None,
            **raw,
        )
