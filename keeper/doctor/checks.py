"""Checks of every part that the daemon needs, once each, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from keeper.config import Settings
from keeper.doctor.channels import channels
from keeper.doctor.contracts import liquidator, takeover
from keeper.doctor.files import files
from keeper.doctor.funds import funds
from keeper.doctor.gas import gas
from keeper.doctor.grants import grants
from keeper.doctor.keys import address_of, signer
from keeper.doctor.markets import contract, market
from keeper.doctor.nodes import nodes
from keeper.doctor.owners import owners
from keeper.doctor.protected import together
from keeper.doctor.store import store
from keeper.errors import KeeperError
from keeper.model.finding import Finding
from keeper.service.markets import build, pools


def run_checks(settings: Settings, config: Path) -> Iterator[Finding]:
    """Run all checks; returns all findings."""
    yield from files(settings, config)
    for key, instead in settings.old_keys:
        yield Finding.warning(key, "is an old key, which the next version does not know", instead)
    connections = pools(settings)
    reachable = set()
    for name, pool in connections.items():
        for finding in nodes(settings.of_chain(name), pool):
            if finding.verdict == "ok" and finding.subject == f"chain {name}":
                reachable.add(name)
            yield finding
    yield from attempt("store", lambda: store(settings))
    markets = build(settings, connections, None)
    for run in markets:
        subject = f"market {run.name}"
        if run.settings.chain not in reachable:
            yield Finding.fault(subject, "its chain cannot be reached", "See the chain's own line above")
            continue
        found = list(attempt(f"{subject}, contract", partial(contract, run)))
        yield from found
        if all(finding.verdict != "fault" for finding in found):
            yield from attempt(subject, partial(market, settings.of_chain(run.settings.chain), run))
    read = [run for run in markets if run.book.head is not None]
    for name in sorted(reachable):
        known = [run for run in read if run.settings.chain == name]
        yield from attempt(
            f"chain {name}, gas price", partial(gas, settings.of_chain(name), connections[name], known)
        )
    yield from attempt("protect", lambda: together(settings, read))
    yield from signer(settings)
    payer = address_of(settings)
    if payer is not None:
        for name in sorted(reachable):
            known = [run for run in read if run.settings.chain == name]
            yield from attempt(
                f"funds on {name}", partial(funds, settings.of_chain(name), connections[name], known, payer)
            )
            yield from attempt(
                f"liquidator on {name}", partial(liquidator, settings, name, connections[name], payer)
            )
            for run in known:
                yield from attempt(f"owners in {run.name}", partial(owners, settings, run, payer))
                yield from attempt(f"rights in {run.name}", partial(grants, settings, run, payer))
                yield from attempt(f"takeovers in {run.name}", partial(takeover, run, payer))
    yield from channels(settings)


def attempt(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one check; an error that the keeper knows becomes its fault."""
    try:
        yield from look()
    except KeeperError as error:
        where = f"{error.where}: " if error.where else ""
        yield Finding.fault(subject, where + error.what, error.remedy)
