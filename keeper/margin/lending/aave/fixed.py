"""Aave's fixed-point operations (WadRayMath, PercentageMath, MathUtils), rounding in the name.

Wad 1e18, ray 1e27, percentages in basis points (1e4). Results are those of the Solidity libraries;
overflow checks are left out because Python integers do not overflow.
Source: aave/core-v3 1.19.3 and aave-dao/aave-v3-origin 3.6.0, protocol/libraries/math.
"""

from __future__ import annotations

from keeper.model.money import WAD as WAD

RAY = 10**27
PERCENT = 10**4
HALF_RAY = RAY // 2
WAD_RAY_RATIO = RAY // WAD
HALF_PERCENT = PERCENT // 2
SECONDS_PER_YEAR = 365 * 24 * 3600
MAX_UINT256 = 2**256 - 1


def ray_mul_half_up(a: int, b: int) -> int:
    return (a * b + HALF_RAY) // RAY


def ray_mul_floor(a: int, b: int) -> int:
    return a * b // RAY


def ray_mul_ceil(a: int, b: int) -> int:
    return -(-a * b // RAY)


def ray_div_half_up(a: int, b: int) -> int:
    return (a * RAY + b // 2) // b


def ray_div_floor(a: int, b: int) -> int:
    return a * RAY // b


def ray_div_ceil(a: int, b: int) -> int:
    return -(-a * RAY // b)


def ray_to_wad_half_up(a: int) -> int:
    return (a + WAD_RAY_RATIO // 2) // WAD_RAY_RATIO


def wad_to_ray(a: int) -> int:
    return a * WAD_RAY_RATIO


def ray_pow_half_up(base: int, exponent: int) -> int:
    """base^exponent in ray by squaring, each product rounded half up (Aave v1 and its utilities)."""
    result = base if exponent % 2 else RAY
    exponent //= 2
    while exponent:
        base = ray_mul_half_up(base, base)
        if exponent % 2:
            result = ray_mul_half_up(result, base)
        exponent //= 2
    return result


def wad_mul_half_up(a: int, b: int) -> int:
    return (a * b + WAD // 2) // WAD


def wad_div_half_up(a: int, b: int) -> int:
    return (a * WAD + b // 2) // b


def percent_mul_half_up(value: int, percentage: int) -> int:
    return (value * percentage + HALF_PERCENT) // PERCENT


def percent_mul_floor(value: int, percentage: int) -> int:
    return value * percentage // PERCENT


def percent_mul_ceil(value: int, percentage: int) -> int:
    return -(-value * percentage // PERCENT)


def percent_div_half_up(value: int, percentage: int) -> int:
    return (value * PERCENT + percentage // 2) // percentage


def percent_div_floor(value: int, percentage: int) -> int:
    return value * PERCENT // percentage


def percent_div_ceil(value: int, percentage: int) -> int:
    return -(-value * PERCENT // percentage)


def mul_div_floor(a: int, b: int, c: int) -> int:
    return a * b // c


def mul_div_ceil(a: int, b: int, c: int) -> int:
    return -(-a * b // c)
