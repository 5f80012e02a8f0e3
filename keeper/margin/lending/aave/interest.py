"""Interest accrued to a timestamp, in ray. Rates are per year, in ray; times in seconds.

A negative rate or time raises MarginError, as the contract's unsigned subtraction reverts.
"""

from __future__ import annotations

from keeper.margin.checks import natural
from keeper.margin.lending.aave.fixed import RAY, SECONDS_PER_YEAR, ray_mul_half_up, ray_pow_half_up


def linear_interest(rate: int, elapsed: int) -> int:
    """RAY + rate·dt/Y, truncated: growth of the supply index in every 3.x."""
    return RAY + natural(rate, "rate") * natural(elapsed, "elapsed") // SECONDS_PER_YEAR


def compounded_interest_binomial(rate: int, elapsed: int) -> int:
    """(1 + rate/Y)^dt by three binomial terms, powers truncated per second (core-v3, 3.0.x)."""
    if natural(elapsed, "elapsed") == 0:
        return RAY
    natural(rate, "rate")
    power_two = ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR)
    power_three = ray_mul_half_up(power_two, rate) // SECONDS_PER_YEAR
    minus_two = elapsed - 2 if elapsed > 2 else 0
    second = elapsed * (elapsed - 1) * power_two // 2
    third = elapsed * (elapsed - 1) * minus_two * power_three // 6
    return RAY + rate * elapsed // SECONDS_PER_YEAR + second + third


def compounded_interest_per_second(rate: int, elapsed: int) -> int:
    """(1 + r)^dt by three binomial terms, the rate truncated to seconds first (v2 and v3 before 3.0.1)."""
    if natural(elapsed, "elapsed") == 0:
        return RAY
    natural(rate, "rate")
    per_second = rate // SECONDS_PER_YEAR
    power_two = ray_mul_half_up(per_second, per_second)
    power_three = ray_mul_half_up(power_two, per_second)
    minus_two = elapsed - 2 if elapsed > 2 else 0
    second = elapsed * (elapsed - 1) * power_two // 2
    third = elapsed * (elapsed - 1) * minus_two * power_three // 6
    return RAY + per_second * elapsed + second + third


def annual_yield(rate: int, elapsed: int = SECONDS_PER_YEAR) -> int:
    """(1 + rate/Y)^elapsed − 1 in ray, compounded every second: for display, no contract computes it."""
    return ray_pow_half_up(RAY + rate // SECONDS_PER_YEAR, elapsed) - RAY


def compounded_interest_taylor(rate: int, elapsed: int) -> int:
    """e^x by three Taylor terms with x = rate·dt/Y, multiplied half-up (Origin 3.4 and later)."""
    if natural(elapsed, "elapsed") == 0:
        return RAY
    natural(rate, "rate")
    x = rate * elapsed // SECONDS_PER_YEAR
    return RAY + x + ray_mul_half_up(x, x // 2 + ray_mul_half_up(x, x // 6))
