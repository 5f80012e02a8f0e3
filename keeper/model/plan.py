"""A plan, what the deciding loop hands to the acting loop, complete in itself; or why there is none."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter

NATIVE = "native"
"""The chain's native coin, in the place of a token's address."""

KEPT_PERCENT = 50
"""Percent of the expected profit that is at least asked for on chain: a small price move does not undo it."""

CONTRACT_ERRORS = "liquidator_errors"
"""The table in `abis/` of our own contract's errors."""

Kind = Literal["liquidate", "top_up", "reduce", "flag", "settle", "redeem"]
"""What is done: `liquidate` and other actions that the protocol rewards anybody for (`flag`, `settle`); for
accounts that we protect `top_up` and `reduce` (a full `reduce` is a close); `redeem` for claims taken."""

REWARDED: frozenset[Kind] = frozenset({"liquidate", "flag", "settle"})
"""Kinds that are done for their reward."""
CURES: frozenset[Kind] = frozenset({"top_up", "reduce"})
"""Kinds that are done for accounts that we protect."""


def rivals(kind: str) -> tuple[str, ...]:
    """The kinds of which an account has one at a time, and which share their attempts."""
    return tuple(sorted(CURES)) if kind in CURES else (kind,)


def kept_of(token: str) -> str:
    """The name under which funds list the units of a token that are kept for later purchases."""
    return f"kept:{token.lower()}"


@dataclass(frozen=True, slots=True)
class Spend:
    """Token units a plan pays, and the contract that pulls them from the signer (empty: none does).

    `burned`: they leave the signer without an allowance. The native coin is sent as the plan's `value`."""

    token: str
    spender: str
    amount: int
    burned: bool = False

    @property
    def from_signer(self) -> bool:
        """Whether it spends tokens of the signer's, not another's and not the native coin."""
        return bool(self.spender) or self.burned


@dataclass(frozen=True, slots=True)
class Check:
    """A postcondition: after the action, word `word` of this call's answer is at least `at_least`, and at
    most `at_most` where that is given (a debt)."""

    target: str
    data: str
    word: int
    at_least: int
    at_most: int | None = None

    def failure(self, reached: int) -> str:
        """Why the word that was read fails the check; empty where it passes."""
        if reached < self.at_least:
            return f"the postcondition fails: {reached} is below {self.at_least}"
        if self.at_most is not None and reached > self.at_most:
            return f"the postcondition fails: {reached} is above {self.at_most}"
        return ""


@dataclass(frozen=True, slots=True)
class Trade:
    """What a liquidation gives and gets: tokens (lower case), valued at its prices (base units). `gets_units`
    are the units that come to the signer; 0 where another receives them, or they are of another token."""

    pays: str
    pays_base: int
    gets: str
    gets_base: int
    gets_units: int = 0

    def shortage(self, came: int) -> str:
        """Why so many units are too few: the token keeps a part of what is transferred, and more than the
        trade can spare. Empty where they do."""
        worth = self.gets_base * came // self.gets_units if self.gets_units else self.gets_base
        gain = self.gets_base - self.pays_base
        # Where it is done at a loss, as much of that may come to it.
        least = gain - abs(gain) * (100 - KEPT_PERCENT) // 100
        if came >= self.gets_units or worth - self.pays_base >= least:
            return ""
        return f"of {self.gets_units} units of {self.gets} only {came} would arrive"


@dataclass(frozen=True, slots=True)
class FlashLoan:
    """A loan for the length of a transaction: the lender, and the fee per million. `callback`: the target
    itself lends, asking for its money after it has given what was seized."""

    kind: Literal["aave-v3", "uniswap-v3", "callback"]
    lender: str
    fee: int

    def cost(self, amount: int) -> int:
        """The fee of a loan of this many units; rounded up, though not every lender does so."""
        return -(-amount * self.fee // 10**6)


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One account's part of what our contract does in one transaction; several accounts' items can share one.

    Addresses are lower case, `calls` and routes 0x hex. `target` gets `calls` and an allowance of `allowance`
    units of `pays`, which `loan` lends; they are expected to bring `expected` units of `gets`, and fail below
    `min_got`. `route` exchanges `gets` for `pays`, `sale` for the profit token; each is empty where the
    tokens are the same. `profit` is expected, `min_profit` asked for on chain, in units of the profit token.
    `gas` is what the calls take, without loan and exchanges, and `cold_gas` what the first item at a target
    takes more than later ones, which find everything touched already. `fee` is the loan's, in units of the
    profit token, rounded up; others bear it where this item fails, and `cover` then buys `pays` for the
    profit token (empty where the tokens are the same, or no route leads from one to the other).
    """

    contract: str
    target: str
    calls: tuple[str, ...]
    pays: str
    allowance: int
    gets: str
    expected: int
    min_got: int
    loan: FlashLoan | None
    route: str
    sale: str
    profit_token: str
    profit: int
    min_profit: int
    gas: int
    cold_gas: int = 0
    fee: int = 0
    cover: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why nothing can be done now; alerted once per episode. `retry_at` is the Unix time from which it can be
    tried again, where that is known: it is planned anew for a block at that second or later."""

    reason: str
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a breach, complete: execution needs no protocol to carry it out.

    `spend_base` and `gain_base` are in base currency units before gas; `gas` is an estimate; `errors` names
    the table in `abis/` that explains the target's reverts; `summary` describes the plan to people. `redeem`
    is the asset that the plan takes claims on instead of the asset itself. `sized_by_contract`: no arithmetic
    of ours stands behind it, so it may be carried out where the market is otherwise only watched.
    `batch_item`: our contract carries it out, and it may share a transaction with others
    (`execution.batches`). `value` is the wei sent with the call. `gas_budget` is the wei that its gas may
    cost for it to earn what was asked of it (negative: others must pay for the transaction); None where only
    the operator's limits hold. `gain_wei` is the expected gain in wei, by which the profit asked for on chain
    follows the gas price that is bid.
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
    redeem: str = ""
    sized_by_contract: bool = False
    trade: Trade | None = None
    batch_item: BatchItem | None = None
    value: int = 0
    gas_budget: int | None = None
    gain_wei: int | None = None
    loss: int = 0
    """Most money (1e-18 of the unit of account) that it may lose, where bad debt is realized."""
    profit: int = 0
    least_at: int | None = None
    """The byte offset in the call of the least it accepts; `profit` is what the call itself is expected to
    earn, in units."""
    kept: int = 0
    """Units of `spend`'s token, not spent here, that are kept for the later purchase that earns the
    profit."""
    valid_until: int | None = None
    """Unix time of the last block in which it works: later the prices that it brings are too old."""

    def is_over(self, timestamp: int) -> bool:
        """Whether a block at `timestamp` comes too late for it."""
        return self.valid_until is not None and timestamp > self.valid_until

    @property
    def key(self) -> tuple[str, str, Kind]:
        """The key that identifies a plan: for one market, account and kind only one is open at a time."""
        return self.market, self.account, self.kind

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        return _PLAN.validate_json(text)


_PLAN = TypeAdapter(Plan)
