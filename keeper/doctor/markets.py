"""A market: the contract that stands there, whether our numbers are its own, and what may stop actions."""

from __future__ import annotations

from collections.abc import Iterator

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.calls import Call
from keeper.chain.calls import run as read
from keeper.config import Settings
from keeper.doctor.finding import Finding
from keeper.doctor.prices import price_lines
from keeper.oracles.sequencer import Sequencer
from keeper.protocols.identity import NAMES, identify
from keeper.service.markets import Market
from keeper.service.watching.unknown_names import misnamed
from keeper.service.watching.unknown_sources import UnknownSources
from keeper.service.watching.value import value

_SENTINEL = function_signature_to_4byte_selector("getPriceOracleSentinel()")
_LIQUIDATION_ALLOWED = function_signature_to_4byte_selector("isLiquidationAllowed()")
_PROVIDER = function_signature_to_4byte_selector("ADDRESSES_PROVIDER()")


def contract(run: Market) -> Iterator[Finding]:
    """What stands at the configured address; ConfigError when it is no market."""
    pool = run.book.pool
    found = identify(pool, blocks.latest(pool), run.adapter.contract)
    subject = f"market {run.name}, contract"
    if found.led_from is not None:
        yield Finding(
            subject,
            "fault",
            f"{found.led_from} is not {NAMES[found.protocol]} but leads to it",
            f'Set markets.{run.name}.address = "{found.address}"',
        )
        return
    if found.protocol != run.adapter.protocol:
        yield Finding(
            subject,
            "fault",
            f"{found.address} is {NAMES[found.protocol]}",
            f'Set markets.{run.name}.protocol = "{found.protocol}"',
        )
        return
    yield Finding(subject, "ok", f"{found.address} is {NAMES[found.protocol]}")


def market(settings: Settings, run: Market) -> Iterator[Finding]:
    """Revision, parity, sentinel, protected accounts and how gas is priced."""
    head = blocks.latest(run.book.pool)
    prices = run.prices
    assert prices is not None, "doctor builds markets that judge prices"
    at = value(run, head)
    version = run.adapter.version(run.book.state)
    revision = run.adapter.revision(run.book.state)
    if halted := at.memory.watch_only.reason:
        yield Finding(
            f"market {run.name}",
            "fault",
            f"watched only: {halted}",
            "Wait for a keeper that knows this version; nothing is sent meanwhile",
        )
    else:
        detail = f"{run.adapter.protocol} {version or '?'} (revision {revision}), {at.accounts} accounts"
        if at.accounts:
            yield Finding(f"market {run.name}", "ok", detail)
        else:
            remedy = f"Check markets.{run.name}.from_block and address, unless the market is new"
            yield Finding(f"market {run.name}", "warning", f"{detail}: nobody was ever here", remedy)
        yield Finding(f"market {run.name}, parity", "ok", "a sample equals the contract's own view")
    yield from (Finding(*line) for line in price_lines(prices, UnknownSources().hanging(run, at)))
    if prices.chain.sequencer_feed is not None:
        yield _sequencer(run.name, prices.chain.sequencer_feed, prices.sequencer)
    yield from _sentinel(run, head)
    for i, protect in enumerate(settings.protect):
        if protect.market == run.name and not run.of([protect.account.lower()]):
            yield Finding(
                f"protect[{i}]",
                "warning",
                f"{protect.account} has no position in {run.name}",
                "Check the address, or the market's from_block",
            )
    for wrong in misnamed(settings, run, head):
        yield Finding(wrong.where, "fault", wrong.what, wrong.remedy)
    for what, remedy in run.adapter.setup_warnings(run.book.state):
        yield Finding(f"market {run.name}, trust", "warning", what, remedy)


def _sequencer(market: str, feed: str, said: Sequencer) -> Finding:
    subject = f"market {market}, sequencer"
    if said.complaint:
        remedy = "Nothing is sent until it is up; if it is, correct sequencer_feed"
        return Finding(subject, "fault", said.complaint, remedy)
    return Finding(subject, "ok", f"up since {said.up_since} by {feed}")


def _sentinel(run: Market, head: Head) -> Iterator[Finding]:
    """Whether a sentinel can forbid liquidations here, and whether it does now."""
    subject = f"market {run.name}, sentinel"
    provider = read(run.book.pool, head, [Call(run.adapter.contract, _PROVIDER)])[0].data[12:32]
    answer = read(run.book.pool, head, [Call("0x" + provider.hex(), _SENTINEL)])[0]
    if not answer.ok or not any(answer.data):
        watched = run.prices is not None and run.prices.chain.sequencer_feed is not None
        yield Finding(subject, "ok", "none" if watched else "none: no sequencer is watched here")
        return
    address = str(to_checksum_address(answer.data[12:32]))
    allowed = read(run.book.pool, head, [Call(address, _LIQUIDATION_ALLOWED)])[0]
    if allowed.ok and any(allowed.data):
        yield Finding(subject, "ok", f"{address} allows liquidations")
        return
    said = "does not answer" if not allowed.ok else "forbids liquidations now"
    yield Finding(
        subject,
        "warning",
        f"{address} {said}",
        "The chain's sequencer was down a short while ago: liquidations open again after its grace period",
    )
