"""Greeks of an option are the slopes of its price, as the margin library has it in integers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.margin.options.lyra_avalon.minimum import MinimumTerms
from keeper.margin.options.lyra_avalon.option_prices import option_prices
from keeper.margin.rounding import WAD
from keeper.protocols.lyra_avalon.explaining import greeks
from keeper.protocols.lyra_avalon.lens import AvalonBoard, AvalonCare, AvalonState, OptionPosition

pytestmark = pytest.mark.unit

DAY, NOW = 86_400, 1_800_000_000
EXPIRY = NOW + 40 * DAY
TERMS = MinimumTerms(
    200 * WAD, WAD // 5, 5 * WAD // 2, 14 * DAY, 9 * WAD // 5, 56 * DAY, 6 * WAD // 5, 4 * WAD // 5, WAD // 20
)
BOARD = AvalonBoard(1, EXPIRY, False, 8 * WAD // 10, NOW, 2_000 * WAD, {7: 11 * WAD // 10})
STATE = AvalonState(
    *5 * ("0x",), 2_000 * WAD, False, TERMS, WAD // 2, 0, {1: BOARD}, AvalonCare("0x", 0, 0, 0, 0, 0, {})
)
LONG_CALL, LONG_PUT, SHORT_CALL, SHORT_PUT = 0, 1, 3, 4
SIZE = 3


def held(kind: int) -> OptionPosition:
    return OptionPosition(kind, True, 1, 2_100 * WAD, SIZE * WAD, 0, EXPIRY, 7)


def worth(
    kind: int, spot: float = 2_000, seconds: int = 40 * DAY, vol: float = 0.88, rate: float = 0.05
) -> float:
    """Of all options of the position, in dollars; a seller's below zero."""
    numbers = (round(each * WAD) for each in (vol, spot, 2_100, rate))
    call, put = option_prices(seconds, *numbers)
    return (put if kind in (LONG_PUT, SHORT_PUT) else call) / WAD * (SIZE if kind <= LONG_PUT else -SIZE)


@pytest.mark.parametrize("kind", [LONG_CALL, LONG_PUT, SHORT_CALL, SHORT_PUT])
def test_each_is_the_slope_of_what_the_position_is_worth(kind: int) -> None:
    found = {name: number / WAD for name, number in greeks(STATE, held(kind), NOW).items()}
    up, down, at = worth(kind, 2_001), worth(kind, 1_999), worth(kind)
    assert found == pytest.approx(
        {
            "delta": (up - down) / 2,
            "gamma": up - 2 * at + down,
            "vega": (worth(kind, vol=0.881) - worth(kind, vol=0.879)) / 0.2,
            "theta": (worth(kind, seconds=40 * DAY - 60) - worth(kind, seconds=40 * DAY + 60)) * 720,
            "rho": (worth(kind, rate=0.051) - worth(kind, rate=0.049)) / 0.2,
        },
        rel=1e-5,
    )


def test_there_are_none_without_a_spot_a_volatility_or_time() -> None:
    still = replace(BOARD, skews={7: 0})
    for state, timestamp in (
        (replace(STATE, spot=None), NOW),
        (replace(STATE, boards={1: still}), NOW),
        (replace(STATE, boards={}), NOW),
        (STATE, EXPIRY),
    ):
        assert greeks(state, held(SHORT_PUT), timestamp) == {}
