"""The interface every venue answers: what to read, and an exchange that quotes on what was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from keeper.chain.calls import Answer, Call, Lens
from keeper.model.plan import FlashLoan


class Exchange(Protocol):
    """A venue at one block. Quotes are exact; `make` counts an exchange as done before later quotes.

    A route is encoded as the contract takes it, 0x hex. Tokens are lower case, amounts token units.
    """

    def routes(self, given: str, wanted: str) -> Sequence[str]:
        """Every route from one token to another."""

    def sell(self, route: str, amount: int) -> int | None:
        """Units that selling exactly `amount` brings; None where that cannot be known or done."""

    def buy(self, route: str, amount: int) -> int | None:
        """Units that buying exactly `amount` costs."""

    def make(self, route: str, amount: int) -> None:
        """Count this sale as done, so that later quotes are as after it."""

    def loans(self, token: str, amount: int) -> Sequence[FlashLoan]:
        """Lenders of the venue that lend so much for a transaction, the cheapest first. A lender cannot be on
        a route of the same transaction: `lend` records who lends."""

    def lend(self, loan: FlashLoan, token: str, amount: int) -> None:
        """Count this loan as taken: no route leads over this lender any more, and it has so much less to
        lend."""

    def lent(self, loan: FlashLoan, token: str) -> int:
        """Units of the token that `lend` has counted for this lender, be it one of the venue's or not."""

    def copy(self) -> Exchange:
        """A copy of the exchange, to try things on."""


class Venue(Protocol):
    """One venue of one chain."""

    def lens(self) -> Lens: ...

    def call(self, tokens: Iterable[str]) -> Call:
        """The call whose answer `read` turns into an exchange among these tokens and those that routes may
        cross."""

    def lending_call(self, tokens: Iterable[str], beside: Iterable[str]) -> Call | None:
        """The call for what lies between one of `tokens` and one of `beside` and can lend; None where there
        is nothing to ask."""

    def read(self, answer: Answer, lending: Answer | None = None) -> Exchange: ...
