"""What adapters have in common. A protocol's own class defines what is its own, or overrides what differs."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

from keeper.book.source import A, Auditor, ChangedAccounts, Mirror, S
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.erc20 import balance_of, read_symbol, read_uint, symbol
from keeper.chain.logs import Log, LogFilter
from keeper.config import MarketSettings as Settings
from keeper.config import table_of
from keeper.config.policy import Action, Step
from keeper.errors import ConfigError
from keeper.model.cure import CureRequest, action_words
from keeper.model.offer import Asset
from keeper.model.plan import Blocked, Plan
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Explanation, Valuation
from keeper.protocols import cures, lenses
from keeper.protocols.cures import Cure, named
from keeper.protocols.event_table import EventTable
from keeper.protocols.lenses import LensContract, words
from keeper.protocols.roles.market import Explainer, MarketRoles, Planner, Valuer

PAYING: tuple[Action, ...] = ("repay", "add_collateral")
"""The cures that money is paid in for; the others take something away, and only where a step says so."""


class Adapter(
    MarketRoles[S, A],
    Mirror[S],
    Auditor[S, Valuation],
    Valuer[S, A],
    Planner[S, A],
    Explainer[S, A],
):
    """A market that is one contract, read through one lens."""

    called: ClassVar[tuple[str, ...]]
    """Functions that the keeper itself calls on the market's contract."""
    lens: LensContract
    heard: ClassVar[EventTable]
    what: ClassVar[str]
    """The name for people of the contract that must stand at the configured address."""
    remedy: ClassVar[str]
    view_words: ClassVar[int]
    """Number of words in the protocol's own view of an account."""
    record_bytes: ClassVar[int] = 0
    """Length of every record; 0 where lengths differ: see `record_length`."""
    scale: ClassVar[int] = 8
    """Decimals of the base currency."""
    ratio_parts: ClassVar[Mapping[str, int]] = {}
    """Decimals of the valuation parts that are ratios, by name; the other parts are amounts."""
    needs_capital: bool = True
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Functions called on other contracts than the market's own, by the view that names each."""

    def __init__(self, name: str, address: str, from_block: int) -> None:
        self.name, self.contract, self.from_block = name, address, from_block
        # The roles that every protocol has are this very object's; the others are absent, unless it says so.
        self.mirror = self.auditor = self.valuer = self.planner = self.explainer = self

    @classmethod
    def of(cls, name: str, settings: Settings, *, is_local: bool = False) -> Self:
        """A configured market; `is_local`: on a chain that nobody else uses."""
        return cls(name, settings.address, settings.from_block)

    @property
    def table(self) -> str:
        """The protocol's own table of the market in the configuration."""
        return f"markets.{self.name}.{table_of(self.protocol)}"

    # A protocol's own, beside what the roles ask for.

    @abstractmethod
    def read_state(self, data: bytes) -> S:
        """Decode the lens's answer about the whole market."""

    def counted(self, raw: A) -> Mapping[str, int]:
        """An account's contribution to the market's own totals, where nothing is rounded."""
        return {}

    def totals(self, state: S) -> Mapping[str, int]:
        """The totals as the market counts them."""
        return {}

    @abstractmethod
    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        """Decode the protocol's own view of an account."""

    @abstractmethod
    def tokens(self, state: S) -> Sequence[str]:
        """Tokens that are paid or received in this market, lower case."""

    @abstractmethod
    def lines(
        self, state: S, valuation: Valuation, raw: A, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        """An account asset by asset, and the formula of its health."""

    @abstractmethod
    def valued(self, state: S, account: str, raw: A, timestamp: int) -> Valuation:
        """One account at `timestamp`, exactly."""

    def blocked_reason(self, state: S, raw: A, request: CureRequest) -> str:
        """Why nothing at all can be added to this account; empty where something can."""
        return ""

    @abstractmethod
    def cures(self, state: S, raw: A, request: CureRequest) -> Sequence[tuple[Action, Asset]]:
        """The cures by which an account can be topped up."""

    def accepted_assets(self, state: S, raws: Mapping[str, A], purse: Purse) -> list[tuple[Action, Asset]]:
        if not raws:
            return [(action, asset) for action in PAYING for asset in self.assets(state, purse).values()]
        requests = {account: CureRequest(account, 0, purse, (), 0, 0) for account in raws}
        return [each for account, raw in raws.items() for each in self.cures(state, raw, requests[account])]

    def default_steps(self, state: S, raw: A, request: CureRequest) -> Sequence[Step]:
        """The steps where the operator names none."""
        return [
            Step(action=action, asset=asset.token)
            for action, asset in self.cures(state, raw, request)
            if action in PAYING
        ]

    @abstractmethod
    def cure(self, state: S, raw: A, request: CureRequest, step: Step, asset: Asset) -> Cure | Blocked:
        """The cure of a step, as this account can take it."""

    # Copying: see BookSource.

    def lenses(self) -> tuple[Lens, ...]:
        return (self.lens.placed(),)

    def emitters(self, state: S) -> tuple[str, ...]:
        """The contracts whose events change accounts."""
        return (self.contract.lower(),)

    def log_filter(self, state: S) -> LogFilter:
        return LogFilter(self.emitters(state), self.heard.topics)

    def discovery_filter(self, state: S) -> LogFilter:
        return LogFilter(self.emitters(state), tuple(self.heard.places))

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts:
        return self.heard.touched(logs)

    def market_call(self, references: Iterable[int]) -> Call:
        return self.lens.market(self.contract)

    def read_market(self, answer: Answer) -> S:
        if not answer.ok:
            raise ConfigError(
                f"does not answer as {self.what}",
                where=f"markets.{self.name}.address {self.contract}",
                remedy=self.remedy,
            )
        return self.read_state(answer.data)

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return self.lens.accounts(self.contract, accounts)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return lenses.split(accounts, answer, self.record_length)

    def record_length(self, data: bytes, at: int) -> int:
        """Bytes of the record that begins at this place of the lens's answer."""
        return self.record_bytes

    def sums(self, records: Sequence[bytes]) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for record in records:
            found.update(self.counted(self.decode(record)))
        return found

    def unbalanced(self, state: S, sums: Mapping[str, int]) -> str:
        """The first total that our accounts contradict: amounts only ever added and taken away must agree to
        the unit."""
        for name, total in self.totals(state).items():
            if sums.get(name, 0) != total:
                return f"{name}: {sums.get(name, 0)} of all accounts together, the market counts {total}"
        return ""

    def view_call(self, account: str) -> Call:
        return self.lens.valued(self.contract, account)

    def read_view(self, account: str, answer: Answer) -> Valuation | None:
        if not answer.ok or len(answer.data) != 32 * self.view_words:
            return None
        return self.read_words(account, words(answer.data))

    # Valuing.

    def base_decimals(self, state: S) -> int:
        return self.scale

    def part_decimals(self, state: S, account: str, part: str) -> int:
        ratio = self.ratio_parts.get(part)
        return self.decimals(state, account) if ratio is None else ratio

    def value(self, state: S, accounts: Mapping[str, A], timestamp: int) -> list[Valuation]:
        return [self.valued(state, account, raw, timestamp) for account, raw in accounts.items()]

    def value_records(self, state: S, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        return self.value(state, {a: self.decode(record) for a, record in records.items()}, timestamp)

    def liquidation_tokens(self, state: S, raw: A) -> frozenset[str]:
        return self.price_dependencies(state, raw)

    def explain(
        self, state: S, account: str, raw: A, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        valuation = self.valued(state, account, raw, timestamp)
        lines, formula = self.lines(state, valuation, raw, timestamp, symbols)
        return Explanation(valuation, tuple(lines), formula)

    # Planning.

    def holder(self, state: S, token: str) -> str:
        return self.contract.lower()

    def planning_calls(self, state: S, accounts: Sequence[str], payer: str) -> list[Call]:
        tokens = self.tokens(state)
        return [*(balance_of(token, payer) for token in tokens), *(symbol(token) for token in tokens)]

    def read_planning(
        self, state: S, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        tokens = self.tokens(state)
        funds = {token: read_uint(answers[balance_of(token, payer)]) for token in tokens}
        return Purse(funds, {token: read_symbol(answers[symbol(token)], token) for token in tokens})

    def plan_top_up(self, state: S, raw: A, request: CureRequest) -> Plan | Blocked:
        if request.owner is not None and self.owner_payments is None:
            return Blocked("owners' own money is not supported in this protocol")
        before = self.valued(state, request.account, raw, request.timestamp).health
        return cures.first_enough(self.name, request, before, self._cures(state, raw, request))

    def _cures(self, state: S, raw: A, request: CureRequest) -> Iterator[Cure | Blocked]:
        if why := self.blocked_reason(state, raw, request):
            yield Blocked(why)
            return
        taken = self.cures(state, raw, request)
        for step in request.steps or self.default_steps(state, raw, request):
            asset = named(step, [asset for action, asset in taken if action == step.action])
            if asset is None:
                yield Blocked(f"{action_words(step.action)} {step.asset} is nothing this market takes")
            else:
                yield self.cure(state, raw, request, step, asset)
