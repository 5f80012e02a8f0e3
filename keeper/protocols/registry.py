"""The one place where protocols are listed, and the configuration read with their own tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from keeper.config import Settings, market_model, read, settings_model
from keeper.protocols.aave_v3.spec import SPEC as AAVE_V3
from keeper.protocols.clearinghouse.spec import SPEC as CLEARINGHOUSE
from keeper.protocols.compound_v3.spec import SPEC as COMPOUND_V3
from keeper.protocols.liquity.spec import SPEC as LIQUITY
from keeper.protocols.lyra_avalon.spec import SPEC as LYRA_AVALON
from keeper.protocols.morpho_blue.spec import SPEC as MORPHO_BLUE
from keeper.protocols.perp_v2.spec import SPEC as PERP_V2
from keeper.protocols.spec import Spec
from keeper.protocols.synthetix_v3.spec import SPEC as SYNTHETIX_V3

PROTOCOLS: Mapping[str, Spec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            AAVE_V3,
            COMPOUND_V3,
            MORPHO_BLUE,
            LIQUITY,
            SYNTHETIX_V3,
            PERP_V2,
            LYRA_AVALON,
            CLEARINGHOUSE,
        )
    }
)
_TABLES = {spec.name: spec.settings for spec in PROTOCOLS.values()}
MARKET = market_model(_TABLES)
SETTINGS = settings_model(MARKET)
"""The configuration with a table for each protocol in every market."""


def load(path: Path) -> Settings:
    """Read and validate the configuration; paths in it are relative to the file. ConfigError if wrong."""
    return read(path, SETTINGS)
