"""The insurance fund covers what accounts cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.risk.insurance import insurance_fund, uncovered

pytestmark = pytest.mark.unit

losses = hnp.arrays(np.float64, (4, 50), elements=st.floats(-100, 100))
equities = hnp.arrays(np.float64, 4, elements=st.floats(-10, 100))


def test_a_profit_of_one_account_does_not_pay_anothers_debt() -> None:
    assert uncovered([[10.0, -50.0], [-50.0, 10.0]], [4.0, 4.0]).tolist() == [6.0, 6.0]


@given(losses, equities)
def test_accounts_that_can_pay_in_every_scenario_need_no_fund(lost: Array, equity: Array) -> None:
    assert insurance_fund(lost, np.maximum(equity, lost.max(axis=1)), 0.9) == 0
    assert insurance_fund(lost, equity, 0.9) >= 0


@given(losses, equities, st.floats(0, 50))
def test_more_equity_never_needs_a_larger_fund(lost: Array, equity: Array, added: float) -> None:
    assert insurance_fund(lost, equity + added, 0.9) <= insurance_fund(lost, equity, 0.9) + 1e-9


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MarginError) as refused:
        insurance_fund([[1.0]], [1.0, 2.0])
    assert refused.value.field == "equity"
