"""One market's prices while the keeper runs: their sources, their answers, and the actions they allow."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import structlog

from keeper.book.book import Refresh
from keeper.book.source import ExtraReads
from keeper.chain import abi
from keeper.chain.blocks import Head
from keeper.chain.calldata import ZERO_ADDRESS
from keeper.chain.calls import Answer, Call, Lens, run
from keeper.chain.pool import NodePool
from keeper.config import Chain, MarketSettings, Oracle
from keeper.errors import KeeperError
from keeper.model.money import WAD
from keeper.model.valuation import Valuation
from keeper.oracles import guards, resolution, rounds, seconds, sequencer
from keeper.oracles.guards import GuardTerms, Judgement, Memory, Observation
from keeper.oracles.rounds import FeedRead, Round
from keeper.oracles.seconds import Second
from keeper.oracles.sequencer import Sequencer
from keeper.oracles.sources import UPDATE_TOPICS, Source, tree
from keeper.oracles.sources import pulled as pulled_feed
from keeper.protocols.roles.market import PricedAsset

log = structlog.get_logger()

# Seconds of block time after which sources are looked at anew: an adapter's inputs may have been changed.
RESOLVED_EVERY = 3_600


@dataclass(frozen=True, slots=True)
class Watched:
    """One asset: its source as resolved, and the operator's terms for it."""

    asset: str
    symbol: str
    source: Source
    terms: GuardTerms
    settings: Oracle
    second: Second | None = None


class Pricing:
    """Resolves sources once, then reads them with the book: `extra_reads` go into a refresh, `observe` reads
    the answers."""

    def __init__(
        self,
        market: str,
        settings: MarketSettings,
        chain: Chain,
        pool: NodePool,
        lenses: tuple[Lens, ...] = (),
    ) -> None:
        self.market = market
        self.lenses = lenses
        self.settings = settings
        self.chain = chain
        self.pool = pool
        self.sequencer = Sequencer()
        self.watched: dict[str, Watched] = {}
        self.memories: dict[str, Memory] = {}
        self.observed: dict[str, Observation] = {}
        self.judgements: dict[str, Judgement] = {}
        self._last_paid: dict[str, int] = {}
        self._assets: list[PricedAsset] = []
        self._unpriced: frozenset[str] = frozenset()
        self.updated_by: frozenset[str] = frozenset()
        """Hashes of the transactions that wrote a feed's answer in the last block."""
        self._resolve_at = 0

    @property
    def symbols(self) -> dict[str, str]:
        return {asset: each.symbol for asset, each in self.watched.items()}

    @property
    def feeds(self) -> list[Source]:
        """Every leaf feed of the market once, in a fixed order."""
        found = {feed.address: feed for each in self.watched.values() for feed in each.source.feeds()}
        return [found[address] for address in sorted(found)]

    def unmatched(self) -> list[str]:
        """Configured names that match no asset of this market."""
        known = {name.lower() for each in self.watched.values() for name in (each.asset, each.symbol)}
        return [name for name in self.settings.oracles if name.lower() not in known]

    def market_price(self, symbol: str) -> int | None:
        """What the market pays for the asset with this symbol, in base units; while that is unknown, what it
        last paid; None when it was never known."""
        for asset, each in self.watched.items():
            if each.symbol == symbol and asset in self.judgements:
                return self.judgements[asset].market_price or self._last_paid.get(asset)
        return None

    def verdicts(self, assets: frozenset[str]) -> dict[str, Judgement]:
        """Verdicts by priced asset; for `assets`, by which one account is valued, also by the token they
        price. The same token can have other prices for other accounts (Morpho Blue: one per market)."""
        named = {each.token: each.asset for each in self._assets if each.token and each.asset in assets}
        judged = self.judgements
        return judged | {token: judged[asset] for token, asset in named.items() if asset in judged}

    def extra_reads(self) -> ExtraReads:
        """Every source, feed, second source and the sequencer's state, and the events of all feeds."""
        calls = [each.source_call for each in self._assets]
        calls += rounds.calls(self.feeds)
        calls += [c for each in self.watched.values() if each.second for c in seconds.calls(each.second)]
        calls += sequencer.calls(self.chain.sequencer_feed)
        return ExtraReads(tuple(calls), tuple(sorted(self.emitters)), UPDATE_TOPICS)

    def observe(
        self, head: Head, refresh: Refresh[Valuation], assets: list[PricedAsset], base_decimals: int
    ) -> None:
        """Judge every price at `head`. Sources that have changed are resolved anew; only then are there extra
        requests."""
        self.updated_by = frozenset(event.transaction for event in refresh.heard)
        for event in refresh.heard:
            log.info("feed update", market=self.market, block=event.block, emitter=event.address)
        assets, answers = _trusted(assets), refresh.answers
        if self._changed(assets, answers):
            self._resolve(head, assets, base_decimals)
            answers = self._asked(head)
        elif head.timestamp >= self._resolve_at and self._look_again(head, assets, base_decimals):
            answers = self._asked(head)
        self._unpriced = frozenset(each.asset for each in assets if each.price is None)
        self._read(head, assets, answers, base_decimals)

    def _asked(self, head: Head) -> Mapping[Call, Answer]:
        wanted = self.extra_reads().calls
        return dict(zip(wanted, run(self.pool, head, wanted, self.lenses), strict=True))

    @property
    def emitters(self) -> frozenset[str]:
        """The contracts that log new answers of this market's feeds."""
        return frozenset(feed.emitter for feed in self.feeds if feed.emitter)

    def after(
        self, head: Head, assets: list[PricedAsset], answers: Mapping[Call, Answer], base_decimals: int
    ) -> Pricing | None:
        """These prices as they would be after a pending update, judged in the same way; `head` is the block
        that would include it, `answers` what the extra reads return there. Nothing of it is remembered. None
        where a source would change: a block must resolve it first."""
        assets = _trusted(assets)
        if self._changed(assets, answers):
            return None
        other = copy.copy(self)
        other.watched, other.memories = dict(self.watched), dict(self.memories)
        other.observed, other.judgements, other._last_paid = {}, {}, dict(self._last_paid)
        other._read(head, assets, answers, base_decimals)
        return other

    def moved_from(self, before: Pricing) -> bool:
        """Whether a price or a feed's round differs from before."""
        return any(
            asset not in before.observed
            or (seen.price, seen.rounds) != (before.observed[asset].price, before.observed[asset].rounds)
            for asset, seen in self.observed.items()
        )

    def _changed(self, assets: list[PricedAsset], answers: Mapping[Call, Answer]) -> bool:
        """Whether assets or sources differ from those resolved, or an unknown source began or ceased to
        answer: its kind can be found only while it answers."""
        if [each.asset for each in assets] != [each.asset for each in self._assets]:
            return True
        for each in assets:
            watched = self.watched[each.asset]
            if _source_of(each, answers[each.source_call]) != watched.source.address:
                return True
            silent = each.price is None
            if silent != (each.asset in self._unpriced) and any(watched.source.unresolved()):
                return True
        return False

    def _look_again(self, head: Head, assets: list[PricedAsset], base_decimals: int) -> bool:
        """Resolve all sources once more, as what they rest on may have changed; whether any did. A source
        that cannot be resolved now stays as it was."""
        before = self.watched
        self._resolve_at = head.timestamp + RESOLVED_EVERY
        try:
            self._resolve(head, assets, base_decimals)
        except KeeperError as error:
            log.warning("price sources not looked at again", market=self.market, error=str(error))
            return False
        for asset, each in before.items():
            if any(self.watched[asset].source.unresolved()) and not any(each.source.unresolved()):
                self.watched[asset] = each
        return any(self.watched[asset].source != each.source for asset, each in before.items())

    def _resolve(self, head: Head, assets: list[PricedAsset], base_decimals: int) -> None:
        calls = [call for each in assets for call in (each.source_call, each.symbol_call)]
        answers = iter(run(self.pool, head, calls, self.lenses))
        found = {each.asset: (_source_of(each, next(answers)), abi.text(next(answers))) for each in assets}
        pulled = {
            each.pulled.name: pulled_feed(each.pulled.name) for each in assets if each.pulled is not None
        }
        others = {valued for valued, _ in found.values()} - {ZERO_ADDRESS} - pulled.keys()
        sources = {**resolution.resolve(self.pool, head, others), **pulled}
        nowhere = Source(ZERO_ADDRESS, "unresolved", note="the oracle names no source")
        # Nothing is taken over before all of it is known: what fails here is tried anew at the next block.
        watched = {
            asset: self._watch(head, asset, symbol or asset, sources.get(valued, nowhere), base_decimals)
            for asset, (valued, symbol) in found.items()
        }
        for asset, each in watched.items():
            before = self.watched.get(asset)
            if before is None or before.source != each.source:
                log.info("price source", market=self.market, asset=each.symbol, source=tree(each.source))
            if before is not None and list(before.source.feeds()) != list(each.source.feeds()):
                self.memories.pop(asset, None)
        self._assets, self.watched = assets, watched
        gone = self.judgements.keys() - watched.keys()
        for asset in gone:
            del self.judgements[asset], self.observed[asset]
        self._resolve_at = head.timestamp + RESOLVED_EVERY

    def _watch(self, head: Head, asset: str, symbol: str, source: Source, base_decimals: int) -> Watched:
        names = {name.lower(): name for name in self.settings.oracles}
        name = names.get(asset) or names.get(symbol.lower())
        settings = self.settings.oracles[name] if name else Oracle()
        second = None
        if settings.second_source is not None:
            where = f"markets.{self.market}.oracles.{name}"
            second = seconds.prepare(self.pool, head, asset, settings.second_source, where)
        act = self.settings.unknown_oracles == "act"
        return Watched(asset, symbol, source, terms(settings, base_decimals, act), settings, second)

    def _read(
        self, head: Head, assets: list[PricedAsset], answers: Mapping[Call, Answer], base_decimals: int
    ) -> None:
        prices = {each.asset: each.price for each in assets}
        reads = {**rounds.read(self.feeds, answers), **_pulled_rounds(assets)}
        quotes = {
            asset: seconds.read(watched.second, answers, base_decimals, head.timestamp, prices.get)
            for asset, watched in self.watched.items()
            if watched.second
        }
        if (feed := self.chain.sequencer_feed) is not None:
            [call] = sequencer.calls(feed)
            self.sequencer = sequencer.read(feed, answers[call])
        up = self.sequencer.up_since
        lately_up = up if head.timestamp < up + self.chain.sequencer_grace else 0
        for asset, watched in self.watched.items():
            source = rounds.followed(watched.source, reads)
            if source != watched.source:
                log.info("aggregator changed", market=self.market, asset=watched.symbol, source=tree(source))
                self.watched[asset] = replace(watched, source=source)
            observation = Observation(
                price=prices[asset],
                timestamp=head.timestamp,
                rounds=tuple((feed.address, reads[feed.address].round) for feed in source.feeds()),
                resolved=not any(source.unresolved()),
                basis=source.basis,
                second=quotes.get(asset),
                up_since=lately_up,
            )
            memory = guards.remember(observation, self.memories.get(asset), watched.terms)
            self.memories[asset], self.observed[asset] = memory, observation
            judged = guards.judge(observation, memory, watched.terms)
            self.judgements[asset] = judged
            if judged.market_price:
                self._last_paid[asset] = judged.market_price


def _trusted(assets: list[PricedAsset]) -> list[PricedAsset]:
    """The assets whose price counts. Sources that strangers deployed are called no more than the book needs:
    nothing is done on their word."""
    return [each for each in assets if each.trusted]


def _source_of(asset: PricedAsset, answer: Answer) -> str:
    """The name of the price's source."""
    return asset.pulled.name if asset.pulled is not None else abi.address(answer) or ZERO_ADDRESS


def _pulled_rounds(assets: list[PricedAsset]) -> dict[str, FeedRead]:
    """Brought prices as rounds, each of its publish time."""
    return {
        each.pulled.name: FeedRead(
            None if each.price is None else Round(0, each.price, each.pulled.published), emitter=""
        )
        for each in assets
        if each.pulled is not None
    }


def terms(settings: Oracle, base_decimals: int, act_unresolved: bool) -> GuardTerms:
    """The operator's oracle settings as guard terms, in base units."""
    unit = 10**base_decimals

    def base(price: Decimal | None) -> int | None:
        return None if price is None else int(price * unit)

    return GuardTerms(
        deviation=int(settings.deviation * WAD),
        heartbeat=settings.heartbeat,
        min_price=base(settings.min_price),
        max_price=base(settings.max_price),
        act_unresolved=act_unresolved,
    )
