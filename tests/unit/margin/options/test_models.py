"""Every option and portfolio model answers through the one interface."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.margin.interface import MarginModel
from keeper.margin.options import deribit, deribit_portfolio, opyn, opyn_naked, span
from keeper.margin.options.derive import pmrm, pmrm2, srm
from keeper.margin.options.lyra_avalon import shorts
from keeper.margin.portfolio import engine

pytestmark = pytest.mark.unit

MODELS: tuple[MarginModel[Any, Any, Any], ...] = (
    deribit.StandardMargin(),
    deribit_portfolio.SegregatedPortfolioMargin(),
    srm.StandardManager(),
    pmrm.PortfolioMarginManager(),
    pmrm2.PortfolioMarginManager2(),
    opyn.GammaVaults(),
    opyn_naked.NakedVaults(),
    shorts.AvalonShorts(),
    span.Span(),
    engine.PortfolioMargin(),
)


def test_names_and_versions_are_given_and_names_are_one_models() -> None:
    names = [model.name for model in MODELS]
    assert len(set(names)) == len(names)
    assert all(names) and all(model.version for model in MODELS)
