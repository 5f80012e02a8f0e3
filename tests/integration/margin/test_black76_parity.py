"""The keeper's fixed-point option prices are the clearinghouse library's own, to the unit."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from keeper.errors import KeeperError
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.solc import Compilation, artifacts
from keeper.margin.options.black76_fixed import deviation, prices
from tests.support.black76_cases import MOST, cases
from tests.support.state_override import LENS_ADDRESS, call_with_code

pytestmark = pytest.mark.integration

HARNESS = Compilation(("test/clearinghouse/Black76Harness.sol",), runs=10_000, evm_version="paris")
COUNT = 100_000 if os.environ.get("KEEPER_SOAK") else 4_000
AT_ONCE = 2_000


def asked(anvil: Anvil, signature: str, rows: Sequence[tuple[int, ...]], answer: str) -> tuple[object, ...]:
    code = {LENS_ADDRESS: "0x" + artifacts(HARNESS)["Black76Harness"].runtime}
    data = calldata(signature, rows)
    (found,) = decoded([answer], call_with_code(anvil.rpc, LENS_ADDRESS, data, code))
    assert isinstance(found, tuple)
    return found


def batches(rows: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    left = iter(rows)
    while batch := list(islice(left, AT_ONCE)):
        yield batch


def test_prices_at_every_edge_and_scale(anvil: Anvil) -> None:
    for batch in batches(cases(15, COUNT)):
        found = asked(anvil, "prices(uint256[3][])", batch, "uint256[2][]")
        for row, got in zip(batch, found, strict=True):
            assert prices(*row) == got, row


def test_deviations_of_every_size(anvil: Anvil) -> None:
    draw = random.Random(16)
    rows: list[tuple[int, ...]] = [(0, 0), (1, 1), (2**96 - 1, 2**64 - 1), (2**96 - 1, 1), (1, 2**64 - 1)]
    rows += [
        (draw.getrandbits(draw.randint(1, 96)), draw.getrandbits(draw.randint(1, 64)))
        for _ in range(COUNT // 4)
    ]
    # Roots that are whole, and a unit less under the root.
    rows += [(10**18 * n + less, 365 * 24 * 3600 * n * n) for n in range(1, 50) for less in (-1, 0, 1)]
    for batch in batches(rows):
        found = asked(anvil, "deviations(uint256[2][])", batch, "uint256[]")
        assert found == tuple(deviation(*row) for row in batch)


@pytest.mark.parametrize(("forward", "strike"), [(MOST + 1, 1), (1, MOST + 1), (2**256 - 1, 2**256 - 1)])
def test_both_refuse_what_is_out_of_the_domain(anvil: Anvil, forward: int, strike: int) -> None:
    with pytest.raises(KeeperError, match="revert"):
        asked(anvil, "prices(uint256[3][])", [(forward, strike, 1)], "uint256[2][]")
    with pytest.raises(KeeperError):
        prices(forward, strike, 1)


@pytest.mark.parametrize(("volatility", "seconds"), [(2**96, 1), (1, 2**64)])
def test_both_refuse_times_and_volatilities_out_of_the_domain(
    anvil: Anvil, volatility: int, seconds: int
) -> None:
    with pytest.raises(KeeperError, match="revert"):
        asked(anvil, "deviations(uint256[2][])", [(volatility, seconds)], "uint256[]")
    with pytest.raises(KeeperError):
        deviation(volatility, seconds)
