"""How much of a position of Perp v2 is traded back where the pool does not take all of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.model.grant import Grant
from keeper.model.offer import Asset
from keeper.model.plan import Blocked
from keeper.protocols.perp_v2 import reducing
from keeper.protocols.perp_v2.records import StoredPosition

pytestmark = pytest.mark.unit

WAD = 10**18
BASE, TRADER = "0x" + "ba" * 20, "0x" + "7a" * 20


def test_what_reaches_the_target_is_reduced_though_the_pool_would_not_take_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 the pool takes 40 within the limits, and 30 are enough."""
    held = StoredPosition(BASE, 100 * WAD, -100 * WAD, 0)
    raw: Any = SimpleNamespace(positions=(held,))
    trading = SimpleNamespace(index=WAD)
    book = SimpleNamespace(symbol="vETH", status="open", trading=trading, price=WAD, base=BASE)
    state: Any = SimpleNamespace(markets={BASE: book}, account_balance="0x" + "ac" * 20)
    monkeypatch.setattr(reducing, "closed", lambda _, size, __: size if size <= 40 * WAD else None)
    monkeypatch.setattr(reducing, "growths", lambda *_: {})
    monkeypatch.setattr(reducing, "after", lambda raw, held, amount, brought: amount)
    monkeypatch.setattr(
        reducing, "valued", lambda state, account, amount, now: SimpleNamespace(health=WAD + amount // 100)
    )
    request: Any = SimpleNamespace(
        timestamp=1, most_slippage=WAD // 100, account=TRADER, target=13 * WAD // 10
    )
    step: Any = SimpleNamespace(action="reduce", asset="vETH")
    grant = Grant("0x" + "60" * 20, True, {BASE: 100 * WAD}, WAD // 100)
    found = reducing.cure("0x" + "cc" * 20, state, raw, request, step, Asset(BASE, "vETH", WAD, WAD), grant)
    assert not isinstance(found, Blocked), found.reason
    assert found.needed == 30 * WAD
