"""Scenarios as they are kept, how wide they are at a time, and what a publication of widths does.

As contracts/src/clearinghouse/Scenarios.sol. A width's buffer is exhaustible (EMIR RTS 153/2013, article
28 (1) (a)): `keeper.margin.risk.dynamic.with_buffer` is the same rule in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.rounding import WAD, mul_div_up, wad_mul_down, wad_mul_up

MOST_SCENARIOS = 48
MOST_UNDERLYINGS = 8
MOST_COLLATERALS = 8


def encode_steps(rows: Sequence[Sequence[int]]) -> bytes:
    """Scenarios as the contract keeps them: signed numbers of 16 bits, one scenario behind the other."""
    return b"".join(step.to_bytes(2, "big", signed=True) for row in rows for step in row)


def decode_steps(data: bytes, underlyings: int, collaterals: int) -> tuple[tuple[int, ...], ...]:
    """A row of 3·underlyings + collaterals steps per scenario; what is no whole scenario is left out."""
    numbers = 3 * underlyings + collaterals
    steps = [int.from_bytes(data[at : at + 2], "big", signed=True) for at in range(0, len(data) - 1, 2)]
    return tuple(tuple(steps[at : at + numbers]) for at in range(0, len(steps) - numbers + 1, numbers))


@dataclass(frozen=True, slots=True)
class WidthRamp:
    """Widths on their way from `left` at `start` to `target` at `end`, and as last `calculated`."""

    start: int
    end: int
    left: tuple[int, ...]
    target: tuple[int, ...]
    calculated: tuple[int, ...]

    def at(self, time: int) -> tuple[int, ...]:
        """left + (target − left)·(time − start) / (end − start), rounded up; `target` from `end` on."""
        if time >= self.end:
            return self.target
        gone, whole = max(time - self.start, 0), self.end - self.start
        return tuple(
            mul_div_up(left * (whole - gone) + target * gone, 1, whole)
            for left, target in zip(self.left, self.target, strict=True)
        )


@dataclass(frozen=True, slots=True)
class PublishLimits:
    """What one publication may change, as fractions, and its pace in seconds.

    A calculated width rises by at most `up` of itself and falls by at most `down`; `buffer` is the
    exhaustible share on top, refilled by at most `replenish` of what is in effect.
    """

    up: int
    down: int
    buffer: int
    replenish: int
    interval: int
    ramp: int


@dataclass(frozen=True, slots=True)
class WidthBound:
    """The least and the greatest a width may be."""

    floor: int
    ceiling: int


def calculated_range(before: int, limits: PublishLimits, bound: WidthBound) -> tuple[int, int]:
    """The least and the greatest that may be published after `before`, rounded inwards."""
    least = max(wad_mul_up(before, WAD - limits.down), bound.floor)
    return least, min(wad_mul_down(before, WAD + limits.up), bound.ceiling)


def target_width(aimed_at: int, calculated: int, limits: PublishLimits, bound: WidthBound) -> int:
    """min(max(r, min(M′·(1 + replenish), r·(1 + buffer))), ceiling) after M′ = `aimed_at`, products down."""
    refilled = wad_mul_down(aimed_at, WAD + limits.replenish)
    full = wad_mul_down(calculated, WAD + limits.buffer)
    return min(max(calculated, min(refilled, full)), bound.ceiling)


def published(
    ramp: WidthRamp,
    calculated: Sequence[int],
    limits: PublishLimits,
    bounds: Sequence[WidthBound],
    now: int,
) -> WidthRamp:
    """The ramp after a publication; MarginError where the contract refuses it."""
    if now < ramp.start + limits.interval:
        raise MarginError(
            f"is published again {now - ramp.start} s after the last",
            field="widths",
            remedy=f"Wait until {ramp.start + limits.interval}",
        )
    targets = []
    rows = zip(calculated, ramp.calculated, ramp.target, bounds, strict=True)
    for number, (new, before, aimed_at, bound) in enumerate(rows):
        least, most = calculated_range(before, limits, bound)
        if not least <= new <= most:
            raise MarginError(
                f"is {new}, may be {least} to {most}", field=f"widths[{number}]", remedy="Go there in steps"
            )
        targets.append(target_width(aimed_at, new, limits, bound))
    return WidthRamp(now, now + limits.ramp, ramp.at(now), tuple(targets), tuple(calculated))
