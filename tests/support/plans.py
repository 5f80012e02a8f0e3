"""Plans that only have to be written down: nothing of them is ever carried out."""

from __future__ import annotations

from keeper.model.plan import Kind, Plan, Spend


def written_plan(market: str, account: str, kind: Kind = "liquidate", loss: int = 0) -> Plan:
    """A plan of one account that spends nothing and calls nobody."""
    return Plan(market, account, kind, "", "", "", Spend("", "", 0), 0, 0, 0, {}, loss=loss)
