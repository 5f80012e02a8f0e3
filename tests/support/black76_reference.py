"""Black-76 to fifty digits and more, by series alone: what fixed-point prices are measured against.

N(z) = ½ + φ(z)·(z + z³/3 + z⁵/(3·5) + …), whose terms are all above zero.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from functools import cache

DIGITS = 160
"""Enough that N(−20) ≈ 10⁻⁸⁹, a difference from ½, still has seventy."""
_CONTEXT = Context(prec=DIGITS, Emin=-10_000, Emax=10_000)
_SCALE: int = 10**DIGITS
_FARTHEST = 20
WAD = 10**18


def price(forward: int, strike: int, deviation: int) -> Decimal:
    """The true price, in wei, of whichever of call and put is out of the money; all arguments in WAD."""
    smaller, larger = sorted((forward, strike))
    if smaller == 0 or deviation == 0:
        return Decimal(0)
    with localcontext(_CONTEXT):
        s = Decimal(deviation) / WAD
        h = log_ratio(larger, smaller) / s
        return smaller * normal(s / 2 - h) - larger * normal(-s / 2 - h)


def log_ratio(larger: int, smaller: int) -> Decimal:
    """ln(larger / smaller)."""
    with localcontext(_CONTEXT):
        return (Decimal(larger) / smaller).ln()


def bell(a: Decimal) -> Decimal:
    """e^(−a²/2)."""
    with localcontext(_CONTEXT):
        return (-a * a / 2).exp()


def normal(x: Decimal) -> Decimal:
    """N(x); 0 or 1 beyond 20, where 10⁻⁸⁹ is left."""
    if abs(x) > _FARTHEST:
        return Decimal(int(x > 0))
    with localcontext(_CONTEXT):
        z = int(x.copy_abs().scaleb(DIGITS))
        square, term, total, odd = z * z // _SCALE, z, 0, 1
        while term:
            total += term
            odd += 2
            term = term * square // (_SCALE * odd)
        half = bell(x) / root_of_two_pi() * Decimal(total).scaleb(-DIGITS)
        return Decimal("0.5") + half.copy_sign(x)


def tail(z: Decimal) -> Decimal:
    """R(z) = e^(z²/2)·N(−z), 0 ≤ z ≤ 19."""
    with localcontext(_CONTEXT):
        return normal(-z) / bell(z)


@cache
def root_of_two_pi() -> Decimal:
    """√(2π), π by Machin's formula."""
    with localcontext(_CONTEXT):
        two_pi = 8 * (4 * _arctangent_of_inverse(5) - _arctangent_of_inverse(239))
        return two_pi.sqrt()


def _arctangent_of_inverse(n: int) -> Decimal:
    scale = _SCALE * 10**10
    power, total, odd = scale // n, 0, 1
    while power:
        total += power // odd if odd % 4 == 1 else -(power // odd)
        power //= n * n
        odd += 2
    return Decimal(total) / scale
