"""Sources as they are in the world: constant round ids, nothing named, prices that are fixed."""

from __future__ import annotations

import pytest

from keeper.localchain.anvil import Anvil
from keeper.localchain.tokens import create_feed, create_proxy
from keeper.oracles.sources import Source
from tests.integration.oracles.test_resolving import Sources, kinds
from tests.support import gearbox_feeds as gearbox
from tests.support import price_standins as make

pytestmark = pytest.mark.integration

DOLLAR = 10**8


@pytest.fixture
def sources(anvil: Anvil) -> Sources:
    return Sources(anvil)


def feeds(source: Source) -> list[str]:
    return [each.address for each in source.feeds()]


def test_ghos_oracle_and_other_code_that_can_answer_nothing_else_is_a_fixed_price(sources: Sources) -> None:
    to = sources.deployer
    gho = sources.resolve(make.create_gho(to))
    assert (gho.kind, gho.is_constant, gho.basis) == ("fixed", True, "constant")
    assert list(gho.unresolved()) == [] and gho.decimals == 8 and gho.description == ""
    assert sources.resolve(make.create_fixed(to, DOLLAR)).is_constant, "an immutable is part of the code"
    always = sources.resolve(gearbox.create_constant(to, 2 * DOLLAR))
    assert (always.kind, always.basis) == ("fixed", "set"), "that it says it is of now tells nothing"
    over = sources.resolve(make.create_stable_cap(to, gho.address, 2 * DOLLAR))
    assert kinds(over) == ["stable-cap", "fixed"] and over.basis == "constant"


def test_what_somebody_may_set_is_not_fixed_whatever_it_answers(sources: Sources) -> None:
    found = sources.resolve(make.create_unknown(sources.deployer))
    assert (found.kind, found.is_constant, found.basis) == ("unresolved", False, "nothing")


def test_an_adapter_that_names_nothing_rests_on_the_feeds_it_calls(sources: Sources) -> None:
    to = sources.deployer
    feed = create_proxy(to, make.create_feed(to, 2500 * DOLLAR))
    found = sources.resolve(make.create_nameless(to, feed))
    assert kinds(found) == ["derived", "chainlink"] and feeds(found) == [feed.lower()]
    assert list(found.unresolved()) == [] and found.basis == "feeds"
    over = sources.resolve(make.create_nameless(to, make.create_unknown(to)))
    assert (over.kind, over.basis) == ("unresolved", "nothing")


def test_gearboxs_adapters_resolve_to_their_leaves(sources: Sources) -> None:
    to = sources.deployer
    dollar = create_proxy(to, make.create_feed(to, 2500 * DOLLAR))
    in_base = make.create_feed(to, 10**18, decimals=18)
    composite = sources.resolve(gearbox.create_composite(to, in_base, dollar))
    assert kinds(composite) == ["composite", "aggregator", "chainlink"]
    assert feeds(composite) == [in_base.lower(), dollar.lower()]
    bounded = sources.resolve(gearbox.create_bounded(to, dollar, 3000 * DOLLAR))
    assert kinds(bounded) == ["scaled", "chainlink"]
    principal = sources.resolve(gearbox.create_principal(to, dollar)[0])
    assert kinds(principal) == ["scaled", "chainlink"] and "PT stand-in" in principal.description
    staked = sources.resolve(gearbox.create_staked(to, dollar)[0])
    assert kinds(staked) == ["scaled", "chainlink"]


def test_a_name_that_leads_to_no_source_does_not_make_a_feed_unknown(sources: Sources, anvil: Anvil) -> None:
    """A contract with rounds of its own may call anything `source`."""
    feed = create_feed(sources.deployer, DOLLAR)
    token = make.create_unknown(sources.deployer)
    odd = make.create_misleading(sources.deployer, feed, token)
    sources.deployer.flush()
    sources.pass_time(30)
    assert sources.resolve(odd).kind == "aggregator"


def test_names_of_sources_are_bounded_and_print(sources: Sources) -> None:
    odd = make.create_feed(sources.deployer, DOLLAR, description="ETH\0\x1b[31m\u202e / USD" + "x" * 5_000)
    found = sources.resolve(odd)
    assert found.description.startswith("ETH[31m / USD") and len(found.description) <= 64
    assert found.description.isprintable()


@pytest.mark.parametrize("answer", [0, -5])
def test_a_feed_that_says_nothing_sensible_is_still_a_feed(sources: Sources, answer: int) -> None:
    assert sources.resolve(make.create_feed(sources.deployer, answer)).kind == "aggregator"
