"""Answers of `contracts/src/AaveV3Lens.sol`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from keeper.chain.calls import Call
from keeper.errors import KeeperError
from keeper.margin.lending.aave import health
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.rules import BY_REVISION, Rules
from keeper.margin.lending.aave.state import EMode, MarketState, Reserve
from keeper.protocols.lenses import LensContract

LENS = LensContract("AaveV3Lens", "0x00000000000000000000000000000000ba7c00a3")

# Words of the lens's structures: see their declarations in the contract.
_RESERVE_WORDS = 24
_EMODE_WORDS = 12


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A market's price sentinel: its answer at the block, and what the answer depends on (seconds, Unix
    times).

    `answer` is the sequencer feed's: 0 is up; None where the feed failed.
    """

    allowed: bool
    grace_period: int
    answer: int | None
    started_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool's market-wide state at one block. `unpriced` names reserves whose price cannot be read;
    `emode_sources` has the categories with a price of their own (up to 3.1) and their key at the oracle,
    `unpriced_emodes` those of them whose price cannot be read."""

    revision: int
    oracle: str
    market: MarketState
    unpriced: tuple[str, ...] = ()
    sentinel: Sentinel | None = None
    emode_sources: dict[int, str] = field(default_factory=dict)
    unpriced_emodes: frozenset[int] = frozenset()
    flash_loan_premium: int = 0
    """Basis points; the whole premium."""

    @property
    def rules(self) -> Rules | None:
        """The arithmetic of the pool's revision; None where it is unknown."""
        return BY_REVISION.get(self.revision)

    def at(self, timestamp: int) -> AccruedMarket:
        """The market with interest to `timestamp`. Only where the arithmetic is known."""
        return health.accrue(self.market, timestamp, BY_REVISION[self.revision])

    def reserve_of(self, asset: str) -> Reserve | None:
        """The reserve of an asset (address as the lens has it); None where the pool lists none."""
        return next((each for each in self.market.reserves.values() if each.asset == asset), None)


def market_call(pool: str, emodes: Iterable[int]) -> Call:
    return LENS.call("market(address,uint8[])", pool, sorted(emodes))


def read_market(data: bytes) -> PoolState:
    """Decode the lens's answer by hand: the layout is fixed, and a general decoder would take most of a tick.

    A structure's words stand one after the other; where a field is a list, its word is the list's place in
    bytes from the structure's beginning. KeeperError when the answer is shorter than it says.
    """
    market = _Words(data, 32)
    revision, _, oracle, base_unit, premium, *sentinel, reserves_at, emodes_at = market.take(14)
    reserves = market.rows(reserves_at, _RESERVE_WORDS)
    emodes = [market.at(market.base + emodes_at + 32, place) for place in market.places(emodes_at)]
    found = [(_reserve(row), bool(row[15])) for row in reserves]
    categories = [words.take(_EMODE_WORDS) for words in emodes]
    return PoolState(
        revision=revision,
        oracle=_address(oracle),
        market=MarketState(
            reserves={each.id: each for each, _ in sorted(found, key=lambda pair: pair[0].id)},
            emodes={row[0]: _emode(row) for row in categories},
            base_unit=base_unit,
        ),
        unpriced=tuple(each.asset for each, priced in found if not priced),
        sentinel=_sentinel(sentinel),
        emode_sources={row[0]: _address(row[5]) for row in categories if row[5]},
        unpriced_emodes=frozenset(row[0] for row in categories if row[5] and not row[7]),
        flash_loan_premium=premium,
    )


class _Words:
    """The 32-byte words of an answer from a place on."""

    def __init__(self, data: bytes, base: int) -> None:
        self.data = data
        self.base = base

    def take(self, count: int, start: int | None = None) -> list[int]:
        first = self.base if start is None else start
        if first + 32 * count > len(self.data):
            raise KeeperError(
                f"the lens's answer ends after {len(self.data)} bytes, in the middle of a market",
                remedy="The node may cut long answers: name another, or report it",
            )
        data, number = self.data, int.from_bytes
        return [number(data[at : at + 32], "big") for at in range(first, first + 32 * count, 32)]

    def rows(self, place: int, width: int) -> list[list[int]]:
        """A list of structures without lists of their own."""
        start = self.base + place
        [count] = self.take(1, start)
        words = self.take(count * width, start + 32)
        return [words[at : at + width] for at in range(0, len(words), width)]

    def places(self, place: int) -> list[int]:
        """Places of a list's structures, from the end of its length on."""
        start = self.base + place
        [count] = self.take(1, start)
        return self.take(count, start + 32)

    def at(self, base: int, place: int) -> _Words:
        return _Words(self.data, base + place)


def _address(word: int) -> str:
    return f"0x{word:040x}"


def _sentinel(row: Sequence[int]) -> Sentinel | None:
    target, allowed, grace_period, feed_ok, answer, started_at, updated_at = row
    if not target:
        return None
    signed = answer - (1 << 256) if answer >> 255 else answer
    return Sentinel(bool(allowed), grace_period, signed if feed_ok else None, started_at, updated_at)


def _reserve(row: Sequence[int]) -> Reserve:
    """Words: the asset, thirteen of its ReserveData, price, whether that is one, and eight more."""
    asset, data, (price, price_ok, available, supply, debt) = row[0], row[1:14], row[14:19]
    stable, counted, grace_until = row[19:22], row[22], row[23]
    return Reserve(
        id=data[7],
        asset=_address(asset),
        a_token=_address(data[8]),
        stable_debt_token=_address(data[9]),
        variable_debt_token=_address(data[10]),
        configuration=data[0],
        liquidity_index=data[1],
        liquidity_rate=data[2],
        variable_borrow_index=data[3],
        variable_borrow_rate=data[4],
        last_update=data[6],
        price=price if price_ok else 0,
        available_liquidity=min(available, counted),
        scaled_supply=supply,
        scaled_variable_debt=debt,
        accrued_to_treasury=data[12],
        stable_principal=stable[0],
        stable_rate=stable[1],
        stable_since=stable[2],
        grace_until=grace_until,
    )


def _emode(row: Sequence[int]) -> EMode:
    identity, _, ltv, threshold, bonus, _, price, price_ok, collateral, borrowable, ltv_zero, _ = row
    return EMode(identity, ltv, threshold, bonus, price if price_ok else 0, collateral, borrowable, ltv_zero)
