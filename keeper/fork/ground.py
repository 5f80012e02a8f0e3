"""What a fork must know of its markets: their tokens, their worth, their holders and their feeds."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.blocks import latest
from keeper.chain.calls import run as read
from keeper.chain.erc20 import read_address
from keeper.chain.pool import NodePool
from keeper.fork.leaves import leaves_of
from keeper.localchain.rpc import LocalRpc
from keeper.model.money import Rate
from keeper.service.markets import Market


@dataclass(frozen=True, slots=True)
class ForkAsset:
    """One token of a market. Addresses in lower case; `price` in base units per whole token, of which `rate`
    gives the worth; `unit` is a whole token in its own units.

    `holder` is the contract that keeps the market's units of it. `sources` give its price: none where the
    protocol does not ask, several where it has several prices (Morpho Blue: one per market).
    """

    market: str
    asset: str
    symbol: str
    unit: int
    price: int
    rate: Rate
    holder: str
    sources: tuple[str, ...]

    @property
    def money(self) -> int:
        """What a whole token is worth, 1e-18 of the unit of account."""
        return self.rate.down(self.price)


def survey(pool: NodePool, markets: list[Market]) -> list[ForkAsset]:
    """All tokens of these markets at the newest block."""
    return [each for market in markets for each in _of(pool, market)]


def _of(pool: NodePool, market: Market) -> list[ForkAsset]:
    head, adapter = latest(pool), market.adapter
    lenses = adapter.mirror.lenses()
    state = adapter.mirror.read_market(read(pool, head, [adapter.mirror.market_call([])], lenses)[0])
    facts = market.purse(head, adapter.contract, state)
    priced = adapter.valuer.priced_assets(state)
    sources: dict[str, list[str]] = {}
    for each, answer in zip(priced, read(pool, head, [p.source_call for p in priced], lenses), strict=True):
        sources.setdefault(each.token or each.asset, []).append(read_address(answer))
    rate = Rate.of(adapter.explainer.base_decimals(state), market.settings.base_price)
    return [
        ForkAsset(
            market=market.name,
            asset=token,
            symbol=asset.symbol,
            unit=asset.unit,
            price=asset.price,
            rate=rate,
            holder=adapter.planner.holder(state, token),
            sources=tuple(dict.fromkeys(sources.get(token, []))),
        )
        for token, asset in adapter.planner.assets(state, facts).items()
        # What can be paid or is priced; not claims on it.
        if token in facts.funds or token in sources
    ]


def feeds(rpc: LocalRpc, assets: list[ForkAsset]) -> dict[str, tuple[str, ...]]:
    """The leaf feeds behind each priced token, from every market that prices it."""
    found: dict[str, tuple[str, ...]] = {}
    for each in assets:
        behind = (leaf for source in each.sources if each.price for leaf in leaves_of(rpc, source))
        found[each.asset] = tuple(dict.fromkeys([*found.get(each.asset, ()), *behind]))
    return found
