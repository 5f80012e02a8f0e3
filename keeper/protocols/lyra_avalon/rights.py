"""What may be done for a position: anybody adds to it; our contract, which its owner lets take it, makes it
smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_uint
from keeper.margin.options.lyra_avalon.closing import ClosingTerms
from keeper.model.grant import Grant
from keeper.protocols.grants import GrantReads
from keeper.protocols.lenses import LensContract, words
from keeper.protocols.lyra_avalon.lens import AvalonState
from keeper.protocols.lyra_avalon.planning import number

MAY_TAKE = "mayTake(bytes32)"
DOLLARS = "dollarsOf(bytes32)"
CLOSING = "closing(address,uint256)"
_TERMS = 46
_PLACE = bytes(32)
"""A position has one place in the contract: itself."""


@dataclass(frozen=True, slots=True)
class ClosingGrant(Grant):
    """With what closing costs hangs on (None: it cannot be had), and the owner's dollars that may pay for it
    where the position holds none."""

    terms: ClosingTerms | None = None
    dollars: int = 0


@dataclass(frozen=True, slots=True)
class PositionRights:
    """Of one position; `grant` is our contract (empty: none)."""

    lens: LensContract
    state: AvalonState
    grant: str
    account: str
    payer: str

    def calls(self) -> list[Call]:
        """What `read` looks up."""
        return [*self._granted.calls(), self._dollars, self._terms] if self.grant else []

    def read(self, answers: Mapping[Call, Answer]) -> ClosingGrant:
        """What the contract may do, if anything."""
        if not self.grant:
            return ClosingGrant(adds=True, why="no contract is named that its owner could let close it")
        found, terms = self._granted.read(answers), answers[self._terms]
        told = {each.name: getattr(found, each.name) for each in fields(Grant)} | {"adds": True}
        numbers = [word - 2**256 if word >> 255 else word for word in words(terms.data)]
        return ClosingGrant(
            **told,
            terms=ClosingTerms.read(numbers) if terms.ok and len(numbers) == _TERMS else None,
            dollars=read_uint(answers[self._dollars]),
        )

    @property
    def _granted(self) -> GrantReads:
        may_take = Call(self.grant, encoded(MAY_TAKE, self._key))
        places = {self.state.base.lower(): _PLACE}
        return GrantReads(self.grant, self._key, places, self.payer, adding=None, reducing=may_take)

    @property
    def _dollars(self) -> Call:
        return Call(self.grant, encoded(DOLLARS, self._key))

    @property
    def _terms(self) -> Call:
        return self.lens.call(CLOSING, self.lens.address, number(self.account))

    @property
    def _key(self) -> bytes:
        return number(self.account).to_bytes(32, "big")
