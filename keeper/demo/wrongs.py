"""Which actions of a hostile day only a lie could justify, from the chain's events and the true prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eth_utils.abi import event_signature_to_log_topic

from keeper.demo.stage import Stage
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, as_dict, as_int, as_list, as_str

_LIQUIDATION = "LiquidationCall(address,address,address,uint256,uint256,address,bool)"
_SUPPLY = "Supply(address,address,address,uint256,uint16)"
_REPAY = "Repay(address,address,address,uint256,bool)"
TOP_UP_PERCENT = 105
WAD = 10**18


@dataclass(frozen=True)
class Event:
    """A log of the pool: its block, the addresses among its topics, the words of its data."""

    block: int
    topics: list[str]
    words: list[int]


def wrong_actions(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]]) -> list[str]:
    """Liquidations that lost money at true prices, and top-ups of owners who were not truly below their
    threshold. Actions are decided a block before the one that includes them."""
    return [*_liquidations(stage, last, truth), *_top_ups(stage, last, truth)]


def _liquidations(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]]) -> Iterator[str]:
    reserves = {r.asset.lower(): r for r in stage.market.reserves.values()}
    for event in _events(stage, last, _LIQUIDATION):
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
    """Each owner has one volatile collateral against a dollar debt: health is in proportion to its price."""
    owners = {
        stage.people.saver.lower(): ("WETH", "USDC"),
        stage.people.repayer.lower(): ("WBTC", "DAI"),
    }
    for signature in (_SUPPLY, _REPAY):
        for event in _events(stage, last, signature):
            # Both events name the account second among what they index.
            owner = event.topics[1]
            decided = event.block - 1
            if owner not in owners or decided not in truth:
                continue
            collateral, debt = owners[owner]
            health = _view(stage, stage.market.pool, "getUserAccountData(address)", owner, decided, 5)
            said = {symbol: _price(stage, symbol, decided) for symbol in (collateral, debt)}
            real = truth[decided]
            true_health = health * real[collateral] * said[debt] // (said[collateral] * real[debt])
            if true_health * 100 >= TOP_UP_PERCENT * WAD:
                yield (
                    f"block {event.block}: {owner} was topped up at a true health of "
                    f"{true_health * 10_000 // WAD / 10_000}"
                )


def _price(stage: Stage, symbol: str, block: int) -> int:
    asset = stage.market.reserves[symbol].asset
    return _view(stage, stage.market.oracle, "getAssetPrice(address)", asset, block, 0)


def _view(stage: Stage, target: str, signature: str, argument: str, block: int, word: int) -> int:
    data = calldata(signature, argument)
    answer = as_str(stage.anvil.rpc.call("eth_call", {"to": target, "data": data}, hex(block)))
    return int(answer[2 + 64 * word : 66 + 64 * word], 16)


def _events(stage: Stage, last: int, signature: str) -> Iterator[Event]:
    query: dict[str, Json] = {
        "address": stage.market.pool,
        "topics": ["0x" + event_signature_to_log_topic(signature).hex()],
        "fromBlock": hex(stage.first_block),
        "toBlock": hex(last),
    }
    for each in as_list(stage.anvil.rpc.call("eth_getLogs", query)):
        log = as_dict(each)
        topics = ["0x" + as_str(topic)[26:] for topic in as_list(log["topics"])[1:]]
        data = as_str(log["data"])[2:]
        words = [int(data[at : at + 64], 16) for at in range(0, len(data), 64)]
        yield Event(as_int(log["blockNumber"]), topics, words)
