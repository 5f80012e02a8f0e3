"""What a protocol does without: answers for the parts of the interface that only some protocols have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.calls import Answer, Call
from keeper.plan import Plan
from keeper.protocols.base import Impossible, Lender, OwnerFunds, OwnerMoney, Step, Unsized


class Without:
    """No claims to redeem, no loans within the market, no money of owners, nothing sized by the contract, and
    nothing to say of the whole market."""

    def notices(self, state: object) -> Mapping[str, str]:
        return {}

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
