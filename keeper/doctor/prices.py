"""A market's prices as `keeper doctor` reports them: unknown sources, missing settings, faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.model.finding import Finding
from keeper.oracles.guards import FEEDLESS
from keeper.oracles.sources import Source
from keeper.service.watching.prices import Pricing, Watched
from keeper.service.watching.unknown_sources import Hanging


def price_lines(prices: Pricing, hangs: Mapping[str, Hanging] | None = None) -> Iterator[Finding]:
    """One line per asset, and one per name in the configuration that matches no asset. The prices must have
    been observed at a block. `hangs` says what depends on assets with a source of unknown kind."""
    for asset, watched in prices.watched.items():
        faults = prices.judgements[asset].faults
        subject = f"market {prices.market}, price of {watched.symbol}"
        unknown = list(watched.source.unresolved())
        if unknown:
            yield _unresolved(prices, subject, watched, unknown, (hangs or {}).get(asset))
        for fault in faults:
            if fault.kind != "unresolved":
                remedy = "Compare with other sources; until it is well the guards hold what depends on it"
                yield Finding.warning(subject, fault.detail, remedy)
        key = f"markets.{prices.market}.oracles.{watched.symbol}"
        feeds = list(watched.source.feeds())
        if watched.source.basis == "nothing" and not unknown and watched.second is None:
            detail = f"{_kinds(watched.source)}: {FEEDLESS}; top-ups wait"
            remedy = f"Set {key}.second_source: a source that agrees lets them go"
            yield Finding.warning(subject, detail, remedy)
        elif feeds and watched.settings.heartbeat is None:
            remedy = f"Set {key}.heartbeat in seconds; it is published with the feed, not on chain"
            detail = f"{_kinds(watched.source)}; no heartbeat: its age is not judged"
            yield Finding.warning(subject, detail, remedy)
        elif feeds and watched.settings.heartbeat_guessed:
            guess = f"a heartbeat of {watched.settings.heartbeat} s is a guess: too few rounds to tell"
            remedy = f"Check it with the feed's publisher, then take {key}.heartbeat_guessed out"
            yield Finding.warning(subject, f"{_kinds(watched.source)}; {guess}", remedy)
        elif not faults and not unknown:
            second = f", second source {watched.second.settings.kind}" if watched.second else ""
            yield Finding.ok(subject, f"{_kinds(watched.source)}{second}")
    for name in prices.unmatched():
        yield Finding.fault(
            f"markets.{prices.market}.oracles.{name}",
            "is no asset of this market",
            f"Name one of {', '.join(sorted(prices.symbols.values()))}, or an asset's address",
        )


def _unresolved(
    prices: Pricing, subject: str, watched: Watched, unknown: list[Source], hangs: Hanging | None
) -> Finding:
    act = prices.settings.unknown_oracles == "act"
    done = "acted on all the same" if act else "watched only"
    places = ", ".join(f"{each.address}{f' ({each.note})' if each.note else ''}" for each in unknown)
    remedy = "" if act else f'Check the source; markets.{prices.market}.unknown_oracles = "act" trusts it'
    much = f"; {hangs.words}" if hangs is not None else ""
    detail = f"source of no known kind: {places}; its accounts are {done}{much}"
    return Finding.warning(subject, detail, remedy)


def _kinds(source: Source) -> str:
    """A source's kind and inputs in one line: ratio-cap over chainlink."""
    below = ", ".join(_kinds(each) for each in source.inputs)
    return f"{source.kind} over {below}" if below else source.kind
