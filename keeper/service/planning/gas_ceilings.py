"""Gas ceilings where the operator sets none: what fits a chain, from what its gas costs at the start."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from keeper.chain import fees
from keeper.chain.pool import NodePool
from keeper.config import ChainSettings, known_chain

GWEI = 10**9
COIN = 10**18
# Prices rise a thousandfold between a calm hour and a crash, in which the keeper must be able to act.
CALM_TO_CRASH = 1000
# Where it costs much already, of a coin that nobody knows: room for what may come.
LEAST_ROOM = 10
# A million gas, a large liquidation, shall not cost more units of account than this, and may cost so much.
MOST_FOR_A_MILLION, LEAST_FOR_A_MILLION = 1000, 20
# The same where a coin is ether, or unknown, and nobody says what it costs.
MOST_FOR_ETHER, LEAST_FOR_ETHER = 500 * GWEI, 10 * GWEI
# What is taken for no ceiling at all, by the settings too.
MOST_OF_ALL = 100_000 * GWEI
# Gas of a day at that ceiling: some ten large liquidations at the worst price, thousands at the usual one.
DAY_GAS = 10_000_000
# What a plain transfer takes. Where it takes a multiple (data charged in gas, gas counted in small units),
# everything does.
TRANSFER_GAS = 21_000
_ANYBODY = "0x000000000000000000000000000000000000dEaD"


@dataclass(frozen=True, slots=True)
class GasCeilings:
    """Most wei per gas, and most wei of gas in 24 hours; whether the operator set each."""

    price: int
    day: int
    price_given: bool
    day_given: bool

    @property
    def words(self) -> str:
        """The ceilings for people."""
        price = f"{Decimal(self.price) / GWEI:f} gwei a unit of gas" + _whose(self.price_given)
        day = f"{Decimal(self.day) / COIN:f} native coins a day" + _whose(self.day_given)
        return f"{price}, {day}"


@dataclass(frozen=True, slots=True)
class GasLevel:
    """The present level of a chain's gas: wei per gas, and how many times more gas everything takes than on
    Ethereum."""

    price: int
    scale: int = 1


def gas_level(pool: NodePool) -> GasLevel:
    """Ask the chain for its gas level. The scale is that of a transfer of nothing, 1 where no node estimates
    one. No single node raises it above what the others report."""
    price = fees.present(pool)
    others = _numbers(pool, "eth_gasPrice") if len(pool.nodes) > 1 else []
    told = _numbers(pool, "eth_estimateGas", {"from": _ANYBODY, "to": _ANYBODY, "data": "0x"})
    gas = _lower_middle(told) if told else TRANSFER_GAS
    return GasLevel(min(price, _lower_middle(others)) if others else price, max(gas // TRANSFER_GAS, 1))


def _numbers(pool: NodePool, method: str, *params: Any) -> list[int]:
    """What every node answers, without zeros."""
    answers = pool.call_each(method, *params)
    return [number for each in answers if isinstance(each, str) and (number := int(each, 16))]


def _lower_middle(numbers: list[int]) -> int:
    """The middle number; of two, the lower."""
    return sorted(numbers)[(len(numbers) - 1) // 2]


def gas_ceilings(settings: ChainSettings, level: GasLevel) -> GasCeilings:
    """The ceilings as configured for the chain or for all, else what fits the chain's gas."""
    own, common = settings.chain, settings.execution
    price = own.max_gas_price_gwei if own.max_gas_price_gwei is not None else common.max_gas_price_gwei
    day = own.max_gas_per_day if own.max_gas_per_day is not None else common.max_gas_per_day
    coin = own.native_price if isinstance(own.native_price, Decimal) else settings.policy.native_price
    fits = fitting_price(own.chain_id, level, coin)
    return GasCeilings(
        fits if price is None else int(price * GWEI),
        fits * DAY_GAS * level.scale if day is None else int(day * COIN),
        price is not None,
        day is not None,
    )


def fitting_price(chain_id: int, level: GasLevel, coin: Decimal | None) -> int:
    """Most wei per gas on a chain, rounded up to two digits; `coin` is the price of a native coin in units of
    account, where it is known."""
    row = known_chain(chain_id)
    if coin is not None:
        most, least = (
            int(COIN / coin) * units // 10**6 for units in (MOST_FOR_A_MILLION, LEAST_FOR_A_MILLION)
        )
    elif row is None or row.native == "ETH":
        most, least = MOST_FOR_ETHER, LEAST_FOR_ETHER
    else:
        most, least = MOST_OF_ALL, GWEI
    most, least = most // level.scale, least // level.scale
    within = max(min(level.price * CALM_TO_CRASH, most), least)
    if row is None and coin is None:
        within = max(within, level.price * LEAST_ROOM)
    return _two_digits(min(max(within, 1), MOST_OF_ALL))


def _two_digits(wei: int) -> int:
    step = 10 ** max(len(str(wei)) - 2, 0)
    return int(-(-wei // step) * step)


def _whose(given: bool) -> str:
    return "" if given else " (what fits the chain)"
