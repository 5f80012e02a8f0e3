"""Which signed prices may be brought to a block."""

from __future__ import annotations

from decimal import Decimal

import pytest

from keeper.oracles.pull.judging import SignedPrice, judge, judge_benchmark

pytestmark = pytest.mark.unit

NOW, SHARE = 1_750_000_000, Decimal("0.01")


def price(
    published: int = NOW, value: int = 30_000, confidence: int = 0, before: int | None = None
) -> SignedPrice:
    return SignedPrice(b"\x01" * 32, value, confidence, -8, published, before)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (price(), None),
        (price(NOW - 60), None),
        (price(NOW - 61), "too old"),
        (price(NOW + 1), "too early"),
        (price(confidence=300), None),
        (price(confidence=301), "unsure"),
        (price(value=0), "no price"),
        (price(value=-30_000), "no price"),
    ],
)
def test_age_time_and_confidence_decide_to_the_unit(one: SignedPrice, kind: str | None) -> None:
    found = judge(one, NOW, 60, SHARE)
    assert (None if found is None else found.kind) == kind


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (price(NOW, before=NOW - 1), None),
        (price(NOW + 5, before=NOW - 1), None),
        (price(NOW + 5), None),
        (price(NOW - 1), "too early"),
        (price(NOW + 5, before=NOW), "too old"),
        (price(NOW, confidence=301), None),
        (price(NOW, value=0), "no price"),
    ],
)
def test_a_benchmark_is_the_first_price_at_or_after_its_time(one: SignedPrice, kind: str | None) -> None:
    found = judge_benchmark(one, NOW)
    assert (None if found is None else found.kind) == kind
