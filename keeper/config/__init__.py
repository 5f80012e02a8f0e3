"""The settings of a keeper, one file per section, and how they are read."""

from keeper.config.chain_settings import ChainSettings
from keeper.config.chains import LOCAL_CHAIN_IDS, Chain, RelaySettings
from keeper.config.known_chains import KnownChain, chain_name, known_chain, native_coin
from keeper.config.markets import (
    ChainlinkSource,
    MarketSettings,
    Oracle,
    PriceServiceTerms,
    ProtocolSettings,
    PythSource,
    UniswapV3Source,
    market_model,
    table_of,
)
from keeper.config.policy import Policy, Protect
from keeper.config.running import AlertChannel, SignerSettings
from keeper.config.settings import Settings, read, settings_model
from keeper.config.values import checked_address, wad

__all__ = [
    "LOCAL_CHAIN_IDS",
    "AlertChannel",
    "Chain",
    "ChainSettings",
    "ChainlinkSource",
    "KnownChain",
    "MarketSettings",
    "Oracle",
    "Policy",
    "PriceServiceTerms",
    "Protect",
    "ProtocolSettings",
    "PythSource",
    "RelaySettings",
    "Settings",
    "SignerSettings",
    "UniswapV3Source",
    "chain_name",
    "checked_address",
    "known_chain",
    "market_model",
    "native_coin",
    "read",
    "settings_model",
    "table_of",
    "wad",
]
