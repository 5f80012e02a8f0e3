"""What a protocol does without: answers for the parts of the interface that only some protocols have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from keeper.chain.calls import Answer, Call
from keeper.plan import Plan
from keeper.protocols.base import Impossible, Lender, OwnerFunds, OwnerMoney, Step, Unsized


class Without:
    """No claims to redeem, no loans within the market, no money of owners, nothing sized by the contract."""

    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What is called on other contracts than the market's own, by the view that names each."""

    def lenders(self, state: object) -> Mapping[str, Lender]:
        return {}

    def holding_calls(self, state: object, asset: str, owner: str) -> list[Call]:
        return []

    def plan_redemption(
        self, state: object, asset: str, owner: str, answers: Sequence[Answer]
    ) -> Plan | Impossible | None:
        return None

    def unsized_top_ups(
        self,
        state: object,
        account: str,
        raw: object,
        facts: object,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> list[Unsized | Impossible]:
        return [Impossible("this protocol's top-ups are not sized without its arithmetic")]

    def owner_calls(self, state: object, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        return []

    def read_owner(
        self, state: object, money: OwnerMoney, answers: Sequence[Answer], timestamp: int
    ) -> OwnerFunds:
        return OwnerFunds(money.contract, {}, {}, {})
