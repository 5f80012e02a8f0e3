"""What liquidations through our contract need to know of the chain, read in the same call as all else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.chain.calls import Answer, Call, Lens
from keeper.config import Chain
from keeper.execution import batches
from keeper.model.offer import Asset, FlashLender, Offer
from keeper.model.plan import NATIVE, Blocked, Plan
from keeper.model.purse import Purse
from keeper.policy import profit
from keeper.policy.profit import ProfitTerms
from keeper.policy.routes import Route
from keeper.service.contract_versions import CALLBACK
from keeper.service.markets import Market
from keeper.venues.base import Exchange, Venue
from keeper.venues.uniswap_v3.exchange import UniswapV3


def venue_of(chain: Chain) -> Venue | None:
    """The venue at which the chain's liquidator sells; None where no contract is configured."""
    settings = chain.venues.uniswap_v3
    if chain.liquidator is None or settings is None:
        return None
    return UniswapV3(settings.factory, settings.fees, settings.hops)


@dataclass(frozen=True, slots=True)
class LiquidationBatches:
    """Implements policy's view of `execution.batches` for one chain."""

    block_gas_limit: int

    def key(self, plan: Plan) -> tuple[str, str] | None:
        return batches.key(plan)

    def gas_of(self, plans: Sequence[Plan]) -> int:
        return batches.gas_of(plans)

    def fits(self, plans: Sequence[Plan]) -> bool:
        return batches.fits(plans, self.block_gas_limit)


class ContractLiquidations:
    """One tick's exchange, shared by all markets of a chain: what one plan sells, the next cannot."""

    def __init__(self, chain: Chain, venue: Venue, lacks: Collection[str] = ()) -> None:
        """`lacks`: what the configured contract cannot do (`service.contract_versions`)."""
        self.chain = chain
        self._lacks = lacks
        self.venue = venue
        self.exchange: Exchange | None = None
        self._lenders: dict[str, FlashLender] = {}

    def lenses(self) -> tuple[Lens, ...]:
        return (self.venue.lens(),)

    def calls(self, tokens: Iterable[str]) -> list[Call]:
        """The calls that `read` needs to exchange among these tokens."""
        return [self.venue.call([*tokens, *self._earned()])]

    def lending_calls(self, tokens: Iterable[str], markets: Iterable[Market]) -> list[Call]:
        """The calls that `read` needs to borrow these tokens besides any trusted token; asked last, so that
        other calls are not starved."""
        beside = {token for market in markets for token in _trusted(market)}
        call = self.venue.lending_call([*tokens, *self._earned()], beside)
        return [call] if call is not None else []

    def _earned(self) -> list[str]:
        return [self.chain.profit_token] if self.chain.profit_token else []

    def read(
        self, answers: Sequence[Answer], markets: Iterable[Market], lending: Sequence[Answer] = ()
    ) -> None:
        """Read the answers; every market of the chain may lend to the others' liquidations."""
        self.exchange = self.venue.read(answers[0], next(iter(lending), None))
        for market in markets:
            lends = market.adapter.lending
            for token, lender in lends.lenders(market.book.state).items() if lends is not None else ():
                known = self._lenders.get(token)
                if known is None or (lender.loan.fee, -lender.most) < (known.loan.fee, -known.most):
                    self._lenders[token] = lender

    def plans(
        self,
        market: Market,
        account: str,
        offers: list[Offer] | Blocked,
        purse: Purse,
        refused: Sequence[Route] = (),
    ) -> list[Plan] | Blocked:
        """Plans that take the offers through the contract, best first, at the present quotes; over routes
        other than the `refused` ones, where there are any."""
        if isinstance(offers, Blocked):
            return offers
        terms = self._terms(market.adapter.planner.assets(market.book.state, purse))
        if isinstance(terms, Blocked):
            return terms
        offers = [each for each in offers if each.taker != "signer"]
        if not offers:
            return Blocked("nothing of it can be had at once, and our contract does not wait")
        if CALLBACK in self._lacks:
            # It can borrow the money as for any other protocol.
            offers = [replace(each, callback=False) for each in offers]
        sizes = profit.best(offers, terms, {(way.route, way.sale) for way in refused})
        if not sizes:
            return profit.no_way(offers)
        found = [profit.plan(market.name, account, sized, terms) for sized in sizes]
        return [replace(plan, gas=batches.gas_of([plan])) for plan in found]

    @property
    def recipient(self) -> str:
        """Who gets what liquidations bring: our contract."""
        assert self.chain.liquidator is not None
        return self.chain.liquidator.lower()

    def reserve(self, plan: Plan) -> None:
        """Reserve what this plan sells: the next plan cannot sell it."""
        assert self.exchange is not None
        profit.count(plan, self.exchange)

    def _terms(self, assets: Mapping[str, Asset]) -> ProfitTerms | Blocked:
        assert self.exchange is not None and self.chain.liquidator is not None
        earned = None
        if self.chain.profit_token is not None:
            earned = assets.get(self.chain.profit_token.lower())
            if earned is None:
                return Blocked(f"profit_token {self.chain.profit_token} has no price in this market")
        return ProfitTerms(self.chain.liquidator.lower(), self.exchange, self._lenders, earned)


def _trusted(market: Market) -> list[str]:
    """The tokens of a market that the operator, or the protocol, trusts."""
    found = market.adapter.planner.assets(market.book.state, Purse({}, {}))
    return [token for token in found if token != NATIVE]


def seal(plan: Plan) -> Plan:
    """Complete a chosen plan with the call that carries it out alone."""
    if plan.batch_item is None:
        return plan
    done = batches.combine([plan])
    return replace(plan, target=done.target, data=done.data)
