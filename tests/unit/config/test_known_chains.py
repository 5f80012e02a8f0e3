"""The one table of chains: every row has its source, and what code rests on is there."""

from __future__ import annotations

import pytest
from eth_utils.address import is_checksum_address

from keeper.config.known_chains import chain_name, known_chain, known_chains, native_coin

pytestmark = pytest.mark.unit


def test_every_row_names_its_sources() -> None:
    rows = known_chains().values()
    assert len(rows) > 40 and len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.sources["chain"]
        for name in ("wrapped", "sequencer_feed", "native_feed"):
            if row.id not in (31337, 1337) and getattr(row, name) is not None:
                assert row.sources[name].startswith("npm "), (row.name, name)
        for address in (row.sequencer_feed, row.native_feed, row.wrapped and row.wrapped.address):
            assert not address or is_checksum_address(address), (row.name, address)
        if row.kind:
            assert row.sources["kind"].startswith("npm ")


def test_what_differs_between_chains_is_told() -> None:
    base, arbitrum, polygon, avalanche = (known_chain(each) for each in (8453, 42161, 137, 43114))
    assert base and arbitrum and polygon and avalanche
    assert (base.kind, base.data_fee) == ("op-stack", "op-stack") and base.sequencer_feed
    assert arbitrum.kind == "arbitrum" and str(arbitrum.block_time) == "0.25"
    assert polygon.wrapped is not None and polygon.wrapped.symbol == "WPOL" and polygon.native == "POL"
    assert avalanche.wrapped is not None and avalanche.wrapped.symbol == "WAVAX"
    assert (chain_name(1), chain_name(56), chain_name(31337)) == ("ethereum", "bnb", "local")


def test_an_unknown_chain_has_a_name_too() -> None:
    assert known_chain(4242424242) is None
    assert (chain_name(4242424242), native_coin(4242424242)) == ("chain4242424242", "native coins")
