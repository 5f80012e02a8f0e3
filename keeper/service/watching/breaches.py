"""Judging a market's valuations: episodes begin, deepen and end, and some of them ask for an action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from keeper.alerts import account_alerts
from keeper.book.rows import Rows as BookRows
from keeper.model.valuation import Valuation
from keeper.policy import episodes
from keeper.policy.levels import THRESHOLDS, Levels, Policies, is_below
from keeper.service.markets import Market
from keeper.service.planning import redemptions
from keeper.service.planning.breach import Breach
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.selection import Rows, Watch
from keeper.store.database import Store
from keeper.store.rows import insert_row
from keeper.store.tables.watching import WORK, Episode
from keeper.store.types import BigInt

# Of an account that the book does not know, or was not asked for yet.
_ROWLESS = -1
# Fewer than SQLite takes as parameters of one statement.
_AT_ONCE = 1_000
# So many accounts in parts of a market that nobody trusts are tried to be planned for at a block.
STRANGERS_ASKED = 16
Asking = tuple[Valuation, Levels, int]
"""The valuation that asks for an action, the levels that apply, and the episode's number."""
_THESE = select(Episode).where(col(Episode.id).in_(bindparam("numbers", expanding=True)))
_LOWER = (
    update(Episode)
    .where(col(Episode.id) == bindparam("number"))
    .values(lowest_health=bindparam("health", type_=BigInt()))
)


class StaleEpisodesError(Exception):
    """An episode remembered as open was closed by another keeper."""


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """The part of an open episode that judging needs for all of them."""

    id: int
    lowest: int


class OpenEpisodes:
    """The open episodes of one market's accounts, by account and threshold: read from the store once, then
    kept in step with it by the judging loop, which alone opens and closes them."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], OpenEpisode] = {}
        self.foreseen: set[str] = set()
        """Accounts that a pending update made liquidatable ahead of a block; alerted once a block includes
        it."""
        self._rows: dict[str, dict[str, int]] = {}
        self._rowless: dict[str, set[str]] = {}

    def put(self, account: str, threshold: str, episode: OpenEpisode) -> None:
        self.known[account, threshold] = episode
        if account not in self._rows.setdefault(threshold, {}):
            self._rows[threshold][account] = _ROWLESS
            self._rowless.setdefault(threshold, set()).add(account)

    def drop(self, account: str, threshold: str) -> None:
        del self.known[account, threshold]
        if threshold == "liquidate":
            self.foreseen.discard(account)
        del self._rows[threshold][account]
        self._rowless[threshold].discard(account)

    def rows(self, threshold: str, rows: BookRows) -> Rows:
        """The rows with an open episode of this threshold; an account that the book does not know has
        none."""
        found, rowless = self._rows.get(threshold, {}), self._rowless.get(threshold, set())
        for account in list(rowless):
            row = rows.row(account)
            if row is not None:
                found[account] = row
                rowless.discard(account)
        known = np.fromiter(found.values(), np.int64, len(found))
        return known[known != _ROWLESS] if rowless else known


def open_episodes(store: Store, markets: Sequence[str]) -> dict[str, OpenEpisodes]:
    """The open episodes of accounts, by market."""
    found = {market: OpenEpisodes() for market in markets}
    with store.session() as session:
        # Plain rows: an object of the mapper for each would take seconds where there are many thousands.
        rows = session.connection().execute(
            select(*map(col, (Episode.market, Episode.account, Episode.threshold)))
            .add_columns(col(Episode.id), col(Episode.lowest_health))
            .where(col(Episode.closed_block).is_(None))
            .where(col(Episode.threshold).not_in((redemptions.THRESHOLD, *WORK)))
            .where(col(Episode.market).in_(markets))
        )
        for market, account, threshold, number, lowest in rows:
            found[market].put(account, threshold, OpenEpisode(number, lowest))
    return found


def watch(market: Market, policies: Policies, open_now: OpenEpisodes, *, everything: bool) -> Watch:
    """What screening must leave to exact numbers in this market."""
    return Watch(
        levels={threshold: policies.general.of(threshold) for threshold in THRESHOLDS},
        hysteresis=policies.hysteresis,
        special=policies.special(market.name),
        open=lambda threshold: open_now.rows(threshold, market.book.rows),
        everything=everything,
    )


def judge(
    session: Session, market: Market, valued: MarketValuation, policies: Policies, open_now: OpenEpisodes
) -> list[Breach]:
    """The actions that this block's valuations ask for. An account that interest alone takes below a
    threshold by the next block's time counts as below it now."""
    valuations = [
        _foreseen(v, valued.next_block.get(v.account), market.name, policies) for v in valued.valuations
    ]
    keys: list[tuple[str, str]] = [(v.account, t) for v in valuations for t in THRESHOLDS]
    lowest = {key: open_now.known[key].lowest for key in keys if key in open_now.known}
    found = episodes.changes(market.name, valuations, lowest, policies)
    fresh: dict[int, Episode] = {}
    for below in found.opened:
        episode = Episode.begin(market.name, below.account, below.threshold, valued.head.number, below.health)
        insert_row(session, episode)
        assert episode.id is not None
        fresh[episode.id] = episode
        open_now.put(below.account, below.threshold, OpenEpisode(episode.id, below.health))
        levels = policies.levels(market.name, below.account)
        account_alerts.episode_opened(
            session, episode, levels.of(below.threshold), protected=levels.protection is not None
        )
    lower = []
    for below in found.lowered:
        number = open_now.known[below.account, below.threshold].id
        lower.append({"number": number, "health": below.health})
        open_now.put(below.account, below.threshold, OpenEpisode(number, below.health))
    if lower:
        # In one statement: where prices fall, all open episodes deepen at every block.
        session.connection().execute(_LOWER, lower)
    closing = _episodes(session, [open_now.known[a, t].id for a, t, _ in found.closed])
    for account, threshold, health in found.closed:
        row = closing[open_now.known[account, threshold].id]
        open_now.drop(account, threshold)
        if row.closed_block is not None:
            continue
        row.closed_block, row.closed_health = valued.head.number, health
        protected = policies.levels(market.name, account).protection is not None
        account_alerts.episode_closed(session, row, protected=protected)
    come = sorted(open_now.foreseen.intersection(v.account for v in valuations))
    foreseen = _episodes(session, [open_now.known[account, "liquidate"].id for account in come])
    for account in come:
        row = foreseen[open_now.known[account, "liquidate"].id]
        levels = policies.levels(market.name, account)
        account_alerts.episode_opened(session, row, levels.liquidate, protected=levels.protection is not None)
        open_now.foreseen.discard(account)
    return _wanted(session, market, valued, valuations, policies, open_now, fresh)


def _wanted(
    session: Session,
    market: Market,
    valued: MarketValuation,
    valuations: Sequence[Valuation],
    policies: Policies,
    open_now: OpenEpisodes,
    fresh: Mapping[int, Episode],
) -> list[Breach]:
    """The breaches that ask for an action; `fresh` are the episodes that began at this block."""
    asking: list[Asking] = []
    for valuation in valuations:
        levels = policies.levels(market.name, valuation.account)
        protection = levels.protection
        if levels.ignored:
            continue
        if not valued.acting and not (protection is not None and protection.when_unverified):
            continue
        threshold = "top_up" if protection else "liquidate"
        if is_below(valuation, levels.top_up if protection else levels.liquidate):
            asking.append((valuation, levels, open_now.known[valuation.account, threshold].id))
    asking = _bounded(market, asking)
    rows = _episodes(session, [number for _, _, number in asking if number not in fresh])
    rows.update(fresh)
    if any(row.closed_block is not None for row in rows.values()):
        raise StaleEpisodesError
    return [Breach(market, v, levels, rows[number], valued.acting) for v, levels, number in asking]


def _bounded(market: Market, asking: list[Asking]) -> list[Asking]:
    """Leave out most accounts in parts that nobody trusts: nothing is done there, and reporting a few is
    enough. Anybody can make as many as they like."""
    strange = [
        each
        for each in asking
        if (part := market.adapter.part(each[0].account))
        and each[1].protection is None
        and not market.is_trusted_part(part)
    ]
    left_out = {valuation.account for valuation, _, _ in strange[STRANGERS_ASKED:]}
    return [each for each in asking if each[0].account not in left_out]


def _foreseen(valuation: Valuation, coming: Valuation | None, market: str, policies: Policies) -> Valuation:
    """The next block's valuation where it is worse and crosses a threshold that the present one does not."""
    now, then = valuation.health, coming.health if coming is not None else None
    if coming is None or now is None or then is None or then >= now:
        return valuation
    levels = policies.levels(market, valuation.account)
    return valuation if levels.crossed(coming) == levels.crossed(valuation) else coming


def _episodes(session: Session, numbers: Sequence[int]) -> dict[int, Episode]:
    """Episodes by number, read together; they are never deleted."""
    found: dict[int, Episode] = {}
    for first in range(0, len(numbers), _AT_ONCE):
        rows = session.scalars(_THESE, {"numbers": numbers[first : first + _AT_ONCE]})
        found.update({row.id: row for row in rows if row.id is not None})
    return found
