"""Whether a signed price may be brought: its age, its time, its confidence interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

UpdateFaultKind = Literal["missing", "no price", "too early", "too old", "unsure", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class SignedPrice:
    """A signed price: price and half the width of its 68 % interval, both times 10**exponent, and its publish
    time (Unix seconds). `before`: the publish time of the previous one, None where not given."""

    id: bytes
    price: int
    confidence: int
    exponent: int
    published: int
    before: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateFault:
    """A reason not to bring a price."""

    kind: UpdateFaultKind
    detail: str


def judge(price: SignedPrice, now: int, max_age: int, max_confidence: Decimal) -> UpdateFault | None:
    """What is wrong with a price for a block at `now`. A price later than the block is unusable: a contract
    that subtracts the two would underflow."""
    if price.price <= 0:
        return UpdateFault("no price", f"says {price.price}, which is no price")
    if price.published > now:
        early = price.published - now
        return UpdateFault(
            "too early", f"was published {early} s after the block that it would be brought to"
        )
    if now - price.published > max_age:
        return UpdateFault("too old", f"is {now - price.published} s old, more than the {max_age} s allowed")
    return unsure(price, max_confidence)


def judge_benchmark(price: SignedPrice, at: int) -> UpdateFault | None:
    """What is wrong with a price as the first one at or after `at`."""
    if price.price <= 0:
        return UpdateFault("no price", f"says {price.price}, which is no price")
    if price.published < at:
        return UpdateFault("too early", f"was published {at - price.published} s before the time asked for")
    if price.before is not None and price.before >= at:
        return UpdateFault("too old", "is not the first one at or after the time asked for")
    return None


def unsure(price: SignedPrice, most: Decimal) -> UpdateFault | None:
    """Whether the confidence interval is wider than the share `most` of the price."""
    if price.confidence <= price.price * most:
        return None
    share = Decimal(price.confidence) / Decimal(price.price)
    return UpdateFault("unsure", f"is unsure by {share:.2%}, more than max_confidence allows ({most:.2%})")
