"""Reading the contracts that hold account owners' rights (`contracts/src/grants/Grant.sol`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_uint
from keeper.model.grant import Grant

IS_OPERATOR = "isOperator(bytes32,address)"
LEFT = "leftToday(bytes32,bytes32)"
SHARE = "shareOf(bytes32)"


@dataclass(frozen=True, slots=True)
class GrantReads:
    """Reads of the contract `via` about one account (32 bytes) and its positions (name → 32 bytes), for an
    operator. `adding` and `reducing` ask the protocol whether the contract has the rights for that."""

    via: str
    account: bytes
    positions: Mapping[str, bytes]
    operator: str
    adding: Call | None
    reducing: Call | None

    def calls(self) -> list[Call]:
        """The calls that `read` decodes."""
        rights = [each for each in (self.adding, self.reducing) if each is not None]
        left = [self._left(place) for place in self.positions.values()]
        return [self._is_operator, self._share, *left, *rights]

    def read(self, answers: Mapping[Call, Answer]) -> Grant:
        """Decode the rights; none where the operator is not one of this account's."""
        if not read_uint(answers[self._is_operator]):
            return Grant(self.via, why=f"{self.operator} is no operator of it at {self.via}")
        adds = self.adding is not None and bool(read_uint(answers[self.adding]))
        may = self.reducing is not None and bool(read_uint(answers[self.reducing]))
        left = {name: read_uint(answers[self._left(place)]) for name, place in self.positions.items()}
        reduces = {name: size for name, size in left.items() if size} if may else {}
        return Grant(self.via, adds, reduces, read_uint(answers[self._share]), self._why(adds, may, left))

    def _why(self, adds: bool, may: bool, left: Mapping[str, int]) -> str:
        lacks = []
        if self.adding is not None and not adds:
            lacks.append("it has no right to add")
        if self.reducing is not None and not may:
            lacks.append("it has no right to reduce")
        if may and not any(left.values()):
            lacks.append("no limit is left of what may be taken away today")
        return "; ".join(lacks)

    @property
    def _is_operator(self) -> Call:
        return Call(self.via, encoded(IS_OPERATOR, self.account, self.operator))

    @property
    def _share(self) -> Call:
        return Call(self.via, encoded(SHARE, self.account))

    def _left(self, place: bytes) -> Call:
        return Call(self.via, encoded(LEFT, self.account, place))


def positions_of(names: Sequence[str], places: Sequence[int]) -> dict[str, bytes]:
    """Names with their places as 32 bytes."""
    return {name: place.to_bytes(32, "big") for name, place in zip(names, places, strict=True)}
