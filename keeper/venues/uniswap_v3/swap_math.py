"""One step of a swap within one range of liquidity: SwapMath.sol and SqrtPriceMath.sol of v3-core 1.0.1.

Prices are roots in Q64.96; amounts are token units. The pool's input is rounded up, its output down.
"""

from __future__ import annotations

from dataclasses import dataclass

Q96 = 2**96
MILLION = 10**6


@dataclass(frozen=True, slots=True)
class SwapStep:
    """The result of a step: the new price, and the amounts taken, given, and kept as fee (of the token
    taken)."""

    price: int
    taken: int
    given: int
    fee: int


def step(price: int, target: int, liquidity: int, remaining: int, fee: int) -> SwapStep:
    """Step towards `target` with what remains: in units to sell if positive, to buy if negative."""
    down = price >= target
    selling = remaining >= 0
    if selling:
        net = remaining * (MILLION - fee) // MILLION
        whole = _taken(price, target, liquidity, down)
        reached = target if net >= whole else _after_input(price, liquidity, net, down)
    else:
        whole = _given(price, target, liquidity, down)
        reached = target if -remaining >= whole else _after_output(price, liquidity, -remaining, down)
    all_the_way = reached == target
    taken = whole if all_the_way and selling else _taken(price, reached, liquidity, down)
    given = whole if all_the_way and not selling else _given(price, reached, liquidity, down)
    if not selling:
        given = min(given, -remaining)
    if selling and not all_the_way:
        return SwapStep(reached, taken, given, remaining - taken)
    return SwapStep(reached, taken, given, _up(taken * fee, MILLION - fee))


def _taken(price: int, reached: int, liquidity: int, down: bool) -> int:
    return (
        _amount0(reached, price, liquidity, up=True) if down else _amount1(price, reached, liquidity, up=True)
    )


def _given(price: int, reached: int, liquidity: int, down: bool) -> int:
    return (
        _amount1(reached, price, liquidity, up=False)
        if down
        else _amount0(price, reached, liquidity, up=False)
    )


def _amount0(low: int, high: int, liquidity: int, *, up: bool) -> int:
    product = (liquidity << 96) * (high - low)
    return _up(_up(product, high), low) if up else product // high // low


def _amount1(low: int, high: int, liquidity: int, *, up: bool) -> int:
    product = liquidity * (high - low)
    return _up(product, Q96) if up else product // Q96


def _after_input(price: int, liquidity: int, amount: int, down: bool) -> int:
    if not down:
        return price + (amount << 96) // liquidity
    if not amount:
        return price
    whole = liquidity << 96
    product = amount * price
    if product < 2**256 and whole + product < 2**256:
        return _up(whole * price, whole + product)
    return _up(whole, whole // price + amount)


def _after_output(price: int, liquidity: int, amount: int, down: bool) -> int:
    if down:
        return price - _up(amount << 96, liquidity)
    whole = liquidity << 96
    return _up(whole * price, whole - amount * price)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
