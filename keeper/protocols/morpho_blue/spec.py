"""Morpho Blue, as the registry lists it."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.protocols.morpho_blue.market import MorphoBlueMarket
from keeper.protocols.morpho_blue.mirror import CREATE_MARKET
from keeper.protocols.morpho_blue.settings import MorphoBlueSettings
from keeper.protocols.spec import SetupHints, Spec

_TABLE = """\
# All markets of the singleton are followed, but anybody makes one, of his own token and with his own oracle:
# accounts are acted on only in the markets that are named here (untrusted_markets = "act" trusts them all).
{ids}
# What a whole loan token is worth in base currency, where that is not 1.
# loan_prices = {{ WETH = "2500" }}
"""


def _table(pairs: Sequence[tuple[str, str]], most: int) -> str:
    """The markets found, by id, commented out: which of them to trust is for the operator to say."""
    listed = [f'#   "{id_}",  # {symbol}' for id_, symbol in pairs[:most]]
    more = [f"#   and {len(pairs) - most} more"] if len(pairs) > most else []
    ids = "\n".join(["# market_ids = [", *(listed or ['#   "0x…",']), *more, "# ]"])
    return _TABLE.format(ids=ids)


SPEC = Spec(
    name="morpho-blue",
    title="the singleton of Morpho Blue",
    market="morpho",
    marks=("extSloads(bytes32[])", "feeRecipient()", "DOMAIN_SEPARATOR()"),
    leads=("MORPHO()",),
    adapter=MorphoBlueMarket,
    settings=MorphoBlueSettings,
    setup=SetupHints(created=CREATE_MARKET, by_address=True, table=_table),
)
