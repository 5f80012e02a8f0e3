"""What a configuration says of a chain besides its nodes: known by id, or probed when it was written."""

from __future__ import annotations

from decimal import Decimal

from keeper.config import known_chain
from keeper.service.planning.gas_ceilings import COIN, DAY_GAS, GWEI, fitting_price
from keeper.setup.survey import Survey


def chain_lines(found: Survey, chain: str) -> str:
    """Lines below `[chains.NAME]`, each with its reason."""
    return "".join(f"{line}\n" for line in [*_sequencer(found), *_gas(found), *_data(found), *_coin(found)])


def _sequencer(found: Survey) -> list[str]:
    row = known_chain(found.chain_id)
    if row is None or row.sequencer_feed is None:
        return []
    return [
        f"# Tells when the sequencer is down ({row.sources['sequencer_feed']}).",
        f'sequencer_feed = "{row.sequencer_feed}"',
    ]


def _gas(found: Survey) -> list[str]:
    if found.gas is None:
        return ["# The node did not say what gas costs: max_gas_price_gwei is set at each start."]
    most = fitting_price(found.chain_id, found.gas, None)
    price, day = Decimal(most) / GWEI, Decimal(most * DAY_GAS * found.gas.scale) / COIN
    now = Decimal(found.gas.price) / GWEI
    return [
        f"# The most that a unit of gas may cost ({now.normalize():f} gwei when this was written), and all",
        "# gas of a day, in native coins.",
        f"max_gas_price_gwei = {price.normalize():f}",
        f'max_gas_per_day = "{day.normalize():f}"',
    ]


def _data(found: Survey) -> list[str]:
    if found.data_fee == "none":
        return ["# No contract of the chain charges for data besides gas.", 'data_fee = "none"']
    return [
        "# Data is charged besides gas; a contract of the chain tells how much.",
        f'data_fee = "{found.data_fee}"',
    ]


def _coin(found: Survey) -> list[str]:
    """Without the price of the coin nothing is liquidated: what gas costs would be unknown."""
    coin = found.native
    if coin.setting == "":
        return [f"# A native coin costs {coin.because}; native_price would say otherwise."]
    if coin.setting is not None:
        return [f"# What a native coin costs: {coin.because}.", f'native_price = "{coin.setting}"']
    return [
        f"# NEEDED: {coin.because}, and without it nothing is liquidated. A number (units of",
        "# account), an asset of any market (symbol or address), or the address of a feed.",
        "# native_price = 2500",
    ]
