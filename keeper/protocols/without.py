"""What a protocol does without: answers for the parts of the interface that only some protocols have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Generic

from keeper.book.source import A, S, Screener
from keeper.chain.calls import Answer, Call
from keeper.model.blocked import Blocked
from keeper.model.cure import OwnerFunds, OwnerMoney, Step, Unsized
from keeper.model.offer import FlashLender, Offer
from keeper.model.plan import Plan
from keeper.model.purse import Purse


class Without(Generic[S, A]):
    """No screening in floats, no notices, no claims to redeem, no loans within the market, no owners' money,
    nothing sized by the contract."""

    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What is called on other contracts than the market's own, by the view that names each."""

    @property
    def screener(self) -> Screener[S] | None:
        return None

    def apart_calls(self, references: Iterable[int]) -> Sequence[Call]:
        return ()

    def rest_calls(self, call: Call, answer: Answer) -> Sequence[Call]:
        return ()

    def with_apart(self, state: S, answers: Iterable[tuple[Call, Answer]]) -> S:
        return state

    def is_strangers(self, asset: str) -> bool:
        return False

    def is_trusted_part(self, state: S, part: str) -> bool:
        return True

    def market_warnings(self, state: S) -> Mapping[str, str]:
        return {}

    def on_sale(self, state: S) -> Mapping[str, int]:
        return {}

    def sold_for(self, state: S) -> frozenset[str]:
        return frozenset()

    def sales(self, state: S, facts: Purse) -> list[Offer]:
        return []

    def lenders(self, state: S) -> Mapping[str, FlashLender]:
        return {}

    def loan_tokens(self, state: S) -> Mapping[str, str]:
        return {}

    def setup_warnings(self, state: S) -> Sequence[tuple[str, str]]:
        return []

    def claim_reads(self, state: S, asset: str, owner: str) -> list[Call]:
        return []

    def plan_redemption(
        self, state: S, asset: str, owner: str, answers: Mapping[Call, Answer]
    ) -> Plan | Blocked | None:
        return None

    def unsized_top_ups(
        self,
        state: S,
        account: str,
        raw: A,
        facts: Purse,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> list[Unsized | Blocked]:
        return [Blocked("this protocol's top-ups are not sized without its arithmetic")]

    def owner_calls(self, state: S, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        return []

    def read_owner(
        self,
        state: S,
        owner: str,
        money: OwnerMoney,
        operator: str,
        answers: Mapping[Call, Answer],
        timestamp: int,
    ) -> OwnerFunds:
        return OwnerFunds(money.contract, {}, {}, {})
