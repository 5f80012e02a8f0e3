"""The numbers in docs/CLEARINGHOUSE.md's proof: each approximation is within its bound, everywhere."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from decimal import Decimal, localcontext
from itertools import pairwise

import pytest
from scipy.special import ndtr

from keeper.margin.options import black76_fixed as fixed
from tests.support import black76_reference as true

pytestmark = pytest.mark.unit

ONE = 1 << 96
TAIL_ERROR = Decimal("1e-20")
LOG_ERROR = Decimal("2e-22")
BELL_ERROR = Decimal("1e-22")
_TERMS = 12


def test_the_quotient_of_polynomials_is_within_its_bound_between_all_points() -> None:
    """|P − Q·R| ≤ ε·Q on cells that cover 0 … 19, from its Taylor polynomial and remainder on each."""
    numerator = [Decimal(each) / ONE for each in reversed(fixed._TAIL_NUMERATOR)]
    denominator = [Decimal(each) / ONE for each in reversed(fixed._TAIL_DENOMINATOR)]
    assert min(*numerator, *denominator) > 0
    with localcontext(prec=90):
        for low, high in pairwise(_cells()):
            centre, radius = (low + high) / 2, (high - low) / 2
            p, q, r = _shifted(numerator, centre), _shifted(denominator, centre), _tail_terms(centre)
            most = sum(
                abs((p[i] if i < len(p) else 0) - _product(q, r, i)) * radius**i
                for i in range(_TERMS + len(q))
            )
            # The remainder of R's series: its derivatives shrink as z grows, so that at `low` is the largest.
            most += _value(denominator, high) * _next_term(low) * radius**_TERMS
            assert most <= TAIL_ERROR * _value(denominator, low), centre


def _cells() -> Iterator[Decimal]:
    """Narrow near 0, where the error swings fastest."""
    at = Decimal(0)
    while at < 19:
        yield at
        at = min(at + (at + Decimal("0.08")) / 80, Decimal(19))
    yield at


def _tail_terms(z: Decimal) -> list[Decimal]:
    """Taylor's coefficients of R at z, from R' = z·R − 1/√(2π)."""
    terms = [true.tail(z)]
    terms.append(z * terms[0] - 1 / true.root_of_two_pi())
    for n in range(1, _TERMS - 1):
        terms.append((z * terms[n] + terms[n - 1]) / (n + 1))
    return terms


def _next_term(z: Decimal) -> Decimal:
    """More than |R⁽ⁿ⁾(z)|/n!, n = _TERMS: R⁽ⁿ⁾ is ∫uⁿ·e^(−zu − u²/2)du/√(2π) but for its sign."""
    at_zero = 2 ** ((_TERMS - 1) / 2) * math.gamma((_TERMS + 1) / 2) / math.factorial(_TERMS) / 2
    return min(Decimal(at_zero), z ** -(_TERMS + 1)) if z else Decimal(at_zero)


def _shifted(polynomial: list[Decimal], centre: Decimal) -> list[Decimal]:
    """The coefficients, lowest first, in powers of z − centre: divided by z − centre again and again."""
    left, found = list(polynomial), []
    while left:
        for i in range(len(left) - 2, -1, -1):
            left[i] += left[i + 1] * centre
        found.append(left.pop(0))
    return found


def _product(one: list[Decimal], other: list[Decimal], power: int) -> Decimal:
    return sum(
        (one[i] * other[power - i] for i in range(len(one)) if 0 <= power - i < len(other)), Decimal(0)
    )


def _value(polynomial: list[Decimal], z: Decimal) -> Decimal:
    value = Decimal(0)
    for each in reversed(polynomial):
        value = value * z + each
    return value


def test_the_quotient_in_integers_is_within_its_bound() -> None:
    draw = random.Random(1)
    for z in (0, 1, 19 * ONE, *(draw.randint(0, 19 * ONE) for _ in range(100))):
        with localcontext(prec=90):
            assert abs(Decimal(fixed._tail(z)) / ONE - true.tail(Decimal(z) / ONE)) <= TAIL_ERROR


def test_the_logarithm_is_within_its_bound_of_every_size_of_ratio() -> None:
    draw = random.Random(2)
    for k in range(128):
        smaller = draw.getrandbits(128 - k) | 1
        root = math.isqrt(smaller * smaller << (2 * k + 1))
        for larger in (smaller << k, root, root + 1, draw.randint(smaller << k, (smaller << (k + 1)) - 1)):
            if smaller <= larger < 2**128:
                with localcontext(prec=90):
                    got = Decimal(fixed._log_ratio(larger, smaller)) / ONE
                    assert abs(got - true.log_ratio(larger, smaller)) <= LOG_ERROR
    assert fixed._log_ratio(5, 5) == 0


def test_the_exponential_is_relatively_within_its_bound() -> None:
    for k in range(131):
        edge = math.isqrt((2 * k + 1) * fixed._LN_2 << 96)
        for a in (edge - 1, edge, edge + 1, edge * 99 // 100):
            if a <= fixed._FAR:
                with localcontext(prec=90):
                    expected = true.bell(Decimal(a) / ONE)
                    error = abs(Decimal(fixed._bell(a)) / ONE - expected)
                    assert error <= BELL_ERROR * expected + Decimal(2) / ONE


def test_the_distribution_that_float_prices_use_is_within_six_roundings() -> None:
    for i in range(-400, 401):
        x = i / 47
        with localcontext(prec=90):
            assert abs(Decimal(float(ndtr(x))) - true.normal(Decimal(x))) <= 6 * Decimal(2) ** -53
