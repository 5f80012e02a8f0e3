"""Which actions of a hostile day only a lie could justify, from the chain's events and the true prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.demo.reading import LIQUIDATION, events, price, word
from keeper.demo.stage import Stage
from keeper.model.money import WAD

_SUPPLY = "Supply(address,address,address,uint256,uint16)"
_REPAY = "Repay(address,address,address,uint256,bool)"
TOP_UP_PERCENT = 105


def wrong_actions(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]]) -> list[str]:
    """Liquidations that lost money at true prices, and top-ups of owners who were not truly below their
    threshold. Actions are decided a block before the one that includes them."""
    return [*_liquidations(stage, last, truth), *_top_ups(stage, last, truth)]


def _liquidations(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]]) -> Iterator[str]:
    reserves = {r.asset.lower(): r for r in stage.market.reserves.values()}
    for event in events(stage, last, LIQUIDATION):
        got, paid = reserves[event.topics[0]], reserves[event.topics[1]]
        repaid, seized = event.words[0], event.words[1]
        unit, debt_unit = 10**got.decimals, 10**paid.decimals
        gains = [
            seized * prices[got.symbol] // unit - repaid * prices[paid.symbol] // debt_unit
            for prices in (truth.get(event.block - 1), truth.get(event.block))
            if prices is not None
        ]
        if gains and max(gains) < 0:
            yield f"block {event.block}: liquidating {event.topics[2]} lost {-max(gains)} at true prices"


def _top_ups(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]]) -> Iterator[str]:
    """Top-ups that the true price did not justify. Each owner has one volatile collateral against a dollar
    debt: health is in proportion to its price."""
    owners = {
        stage.people.saver.lower(): ("WETH", "USDC"),
        stage.people.repayer.lower(): ("WBTC", "DAI"),
    }
    for signature in (_SUPPLY, _REPAY):
        for event in events(stage, last, signature):
            # Both events name the account second among what they index.
            owner = event.topics[1]
            decided = event.block - 1
            if owner not in owners or decided not in truth:
                continue
            collateral, debt = owners[owner]
            health = word(stage, decided, stage.market.pool, "getUserAccountData(address)", owner, 5)
            said = {
                symbol: price(stage, stage.market.reserves[symbol].asset, decided)
                for symbol in (collateral, debt)
            }
            real = truth[decided]
            true_health = health * real[collateral] * said[debt] // (said[collateral] * real[debt])
            if true_health * 100 >= TOP_UP_PERCENT * WAD:
                yield (
                    f"block {event.block}: {owner} was topped up at a true health of "
                    f"{true_health * 10_000 // WAD / 10_000}"
                )
