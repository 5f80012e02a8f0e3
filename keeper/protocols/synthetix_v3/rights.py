"""What may be done for an account: by our contract where one is named and the owner lets it, else by the
payer's own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_uint
from keeper.model.grant import NOTHING, Grant
from keeper.protocols.cures import MOST
from keeper.protocols.grants import GrantReads, positions_of
from keeper.protocols.synthetix_v3.planning import HAS_RIGHT, MAY_COMMIT, MAY_DEPOSIT
from keeper.protocols.synthetix_v3.reducing import of_perp


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one account in a perps market; `grant` is our contract (empty: none), `perps` the market's
    numbers."""

    market: str
    grant: str
    account: str
    perps: tuple[int, ...]
    payer: str

    def calls(self) -> list[Call]:
        """What `read` looks up."""
        own = [self._right(MAY_DEPOSIT, self.payer), self._right(MAY_COMMIT, self.payer)]
        return [*own, *(self._granted.calls() if self.grant else ())]

    def read(self, answers: Mapping[Call, Answer]) -> Grant:
        """What the contract may do, if anything."""
        granted = self._granted.read(answers) if self.grant else NOTHING
        if granted.adds or granted.reduces:
            return granted
        adds = bool(read_uint(answers[self._right(MAY_DEPOSIT, self.payer)]))
        commits = bool(read_uint(answers[self._right(MAY_COMMIT, self.payer)]))
        if not adds and not commits:
            return granted
        return Grant("", adds, {of_perp(each): MOST for each in self.perps} if commits else {})

    @property
    def _granted(self) -> GrantReads:
        return GrantReads(
            self.grant,
            int(self.account, 16).to_bytes(32, "big"),
            positions_of([of_perp(each) for each in self.perps], self.perps),
            self.payer,
            self._right(MAY_DEPOSIT, self.grant),
            self._right(MAY_COMMIT, self.grant),
        )

    def _right(self, permission: bytes, who: str) -> Call:
        return Call(self.market, encoded(HAS_RIGHT, int(self.account, 16), permission, who))
