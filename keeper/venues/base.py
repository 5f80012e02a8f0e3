"""The interface every venue answers: what to read, and an exchange that quotes on what was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from keeper.chain.calls import Answer, Call, Lens
from keeper.model.plan import FlashLoan


class Exchange(Protocol):
    """A venue at one block. Quotes are exact; `make` counts an exchange as done before what comes after it.

    A route is what the contract is given, 0x hex. Tokens are lower case, amounts token units.
    """

    def routes(self, given: str, wanted: str) -> Sequence[str]:
        """Every route from one token to another."""

    def sell(self, route: str, amount: int) -> int | None:
        """Units that selling exactly `amount` brings; None where that cannot be known or done."""

    def buy(self, route: str, amount: int) -> int | None:
        """Units that buying exactly `amount` costs."""

    def make(self, route: str, amount: int) -> None:
        """From now on quotes are as after this sale."""

    def loans(self, token: str, amount: int) -> Sequence[FlashLoan]:
        """Who of the venue lends so much for a transaction, the cheapest first. What lends cannot be on a
        route of the same transaction: `lend` says who does."""

    def lend(self, loan: FlashLoan, token: str, amount: int) -> None:
        """From now on no route leads over this lender, and it has so much less to lend."""

    def lent(self, loan: FlashLoan, token: str) -> int:
        """Units of the token that `lend` has counted for this lender, be it one of the venue's or not."""

    def copy(self) -> Exchange:
        """The same exchange, to try things on."""


class Venue(Protocol):
    """One venue of one chain."""

    def lens(self) -> Lens: ...

    def call(self, tokens: Iterable[str]) -> Call:
        """What `read` turns into an exchange among these tokens and those that routes may lead over."""

    def lending_call(self, tokens: Iterable[str], beside: Iterable[str]) -> Call | None:
        """What lies between one of `tokens` and one of `beside` and can lend; None where there is nothing to
        ask."""

    def read(self, answer: Answer, lending: Answer | None = None) -> Exchange: ...
