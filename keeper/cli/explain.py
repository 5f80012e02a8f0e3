"""`keeper explain ACCOUNT`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.text import Text

from keeper.chain.blocks import Head
from keeper.cli.output import console, money, name, print_json, print_table
from keeper.cli.scan import in_words, try_markets
from keeper.config import Settings
from keeper.errors import ConfigError, KeeperError
from keeper.model.account_key import account_key
from keeper.model.valuation import AssetLine, Explanation, PositionLine
from keeper.policy.levels import NEAR, Policies
from keeper.protocols.registry import load
from keeper.service.markets import Market, policies_of
from keeper.service.reporting.record import account_json, block_json, valuation_json
from keeper.service.watching.market_valuation import MarketValuation

_OF_OPTIONS = ("days", "greeks")


@dataclass(frozen=True, slots=True)
class Explained:
    """An account in one market at a block."""

    market: Market
    head: Head
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A market that could not answer, or could not for this account in it (its key; else its owner)."""

    market: Market
    account: str
    why: KeeperError


def explain(config: Path, account: str, *, as_json: bool) -> int:
    """Print each market's explanation of the account; 1 when one of them could not answer, else 0.

    An error ends it only where no market has an answer.
    """
    try:
        key = account_key(account)
    except ValueError as error:
        raise ConfigError(
            f"{account!r} is no account",
            where="explain",
            remedy="Give an address (0x and 40 hexadecimal digits) or an account's number",
        ) from error
    settings = load(config)
    policies = policies_of(settings)
    found = list(_ask(settings, key))
    answers = [each for each in found if isinstance(each, Explained)]
    failures = [each for each in found if isinstance(each, Unanswered)]
    if not answers and len(failures) == 1:
        raise failures[0].why
    if not found:
        raise ConfigError(
            f"no market knows the account {account}",
            where="explain",
            remedy="Check the address, the markets, and their from_block",
        )
    if as_json:
        print_json([_object(each, policies) for each in answers] + [_failure(each) for each in failures])
        return 1 if failures else 0
    for answer in answers:
        _print(answer, policies)
    for failure in failures:
        words = f"{failure.market.name}: {name(failure.account)} is not explained: {failure.why}"
        console.print(Text(words, "bold red"))
    return 1 if failures else 0


def _ask(settings: Settings, owner: str) -> Iterator[Explained | Unanswered]:
    for market, at in try_markets(settings):
        if isinstance(at, KeeperError):
            yield Unanswered(market, owner, at)
            continue
        for account in market.of([owner]):
            try:
                yield Explained(market, at.head, _explain(market, at, account))
            except KeeperError as error:
                yield Unanswered(market, account, error)


def _explain(market: Market, at: MarketValuation, account: str) -> Explanation:
    head = at.head
    if halted := at.memory.watch_only.reason:
        raise ConfigError(
            f"is watched only ({halted}), so its numbers cannot be explained here",
            where=f"market {market.name}",
        )
    state = market.book.state
    # Planning reads symbols too; nobody pays here, so the balances asked for are the market's own.
    symbols = market.purse(head, market.adapter.contract).symbols
    return market.adapter.explainer.explain(
        state, account, market.book.accounts[account], head.timestamp, symbols
    )


def _failure(each: Unanswered) -> dict[str, object]:
    whose = account_json(each.market.adapter, each.account)
    return {"market": each.market.name, **whose, "error": str(each.why)}


def _object(answer: Explained, policies: Policies) -> dict[str, object]:
    e = answer.explanation
    return {
        "block": block_json(answer.head),
        "market": answer.market.name,
        **valuation_json(
            answer.market.adapter, e.valuation, policies.crossed(answer.market.name, e.valuation)
        ),
        "formula": e.formula,
        "assets": [_line(line) for line in e.lines],
        **({"positions": [_line(line) for line in e.positions]} if e.positions else {}),
    }


def _line(line: AssetLine | PositionLine) -> dict[str, object]:
    """A line with integers as text, without fields that only options have where it is no option."""
    found = {k: str(v) if isinstance(v, int) else v for k, v in asdict(line).items() if k not in _OF_OPTIONS}
    if isinstance(line, PositionLine) and line.days is not None:
        found["days"] = line.days
        found["greeks"] = {name: str(number) for name, number in line.greeks.items()}
    return found


def _print(answer: Explained, policies: Policies) -> None:
    market, e = answer.market, answer.explanation
    decimals = market.adapter.explainer.decimals(market.book.state, e.valuation.account)
    rows = [
        [
            line.symbol,
            money(line.price, decimals),
            money(line.supplied, line.decimals) if line.supplied else "",
            money(line.collateral, decimals) if line.collateral else "",
            f"{line.threshold / 100:.2f} %" if line.collateral else "",
            money(line.owed, line.decimals) if line.owed else "",
            money(line.debt, decimals) if line.debt else "",
            money(line.breaks_at, decimals) if line.breaks_at is not None else "",
        ]
        for line in e.lines
    ]
    print_table(
        f"{name(e.valuation.account)} in {market.name} at block {answer.head.number}",
        ["asset", "price", "supplied", "collateral", "threshold", "owed", "debt", "breaks at price"],
        rows,
    )
    if e.positions:
        _print_positions(e.positions, decimals)
    breach = policies.crossed(market.name, e.valuation)
    words = policies.words(market.name, e.valuation.account, breach or "")
    below = f": {'' if words == NEAR else 'below '}{words}" if words else ""
    console.print(Text(in_words(market, e.valuation) + below, "bold"))
    console.print(e.formula, style="dim")


def _print_positions(lines: Sequence[PositionLine], decimals: int) -> None:
    numbers = ("size", "entry", "mark", "pnl", "funding", "initial", "maintenance")
    breaks = ("breaks_below", "breaks_above")
    rows = [
        [
            line.symbol,
            *(money(getattr(line, number), decimals) for number in numbers),
            *("" if (at := getattr(line, edge)) is None else money(at, decimals) for edge in breaks),
        ]
        for line in lines
    ]
    columns = ["market", *numbers, "breaks below", "breaks above"]
    print_table("positions", columns, rows)
    if options := [line for line in lines if line.days is not None]:
        _print_greeks(options, decimals)


def _print_greeks(lines: Sequence[PositionLine], decimals: int) -> None:
    names = list(dict.fromkeys(name for line in lines for name in line.greeks))
    rows = [
        [
            line.symbol,
            f"{line.days:.2f}",
            *(f"{line.greeks[name] / 10**decimals:,.4g}" if name in line.greeks else "" for name in names),
        ]
        for line in lines
    ]
    print_table("options, by position", ["market", "days left", *names], rows)
