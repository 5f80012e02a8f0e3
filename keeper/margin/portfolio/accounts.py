"""Accounts as columns: one table of legs per kind, each leg naming its account and underlying by index."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.options.checks import Mask, finite_array, non_negative_array, positive_array

Index = NDArray[np.int64]


def _empty() -> Array:
    return np.empty(0)


def _indices() -> Index:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Legs:
    """Columns of shape (legs,); `account` and `underlying` are indices from 0."""

    account: Index = field(default_factory=_indices)
    underlying: Index = field(default_factory=_indices)
    quantity: Array = field(default_factory=_empty)

    def __len__(self) -> int:
        return len(self.account)

    def rows(self, chosen: slice | Index | Mask) -> Self:
        """The chosen legs, in their order."""
        return type(self)(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def with_columns(self, **columns: Array | Index) -> Self:
        """The same legs with some columns replaced."""
        return type(self)(**{f.name: columns.get(f.name, getattr(self, f.name)) for f in fields(self)})


_Table = TypeVar("_Table", bound=_Legs)


@dataclass(frozen=True, slots=True)
class OptionLegs(_Legs):
    """European options: signed `quantity` of units of the underlying, `strike`, `years` to expiry.

    `forward_ratio` is the expiry's forward over spot, `discount` the present value of one unit at expiry;
    `volatility` per year, at the leg's strike.
    """

    strike: Array = field(default_factory=_empty)
    years: Array = field(default_factory=_empty)
    volatility: Array = field(default_factory=_empty)
    is_call: Mask = field(default_factory=lambda: np.empty(0, dtype=bool))
    forward_ratio: Array = field(default_factory=_empty)
    discount: Array = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class PerpLegs(_Legs):
    """Linear perpetuals: `entry` is the price at which profit is zero (funding settled into cash)."""

    entry: Array = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class SpotLegs(_Legs):
    """Spot holdings that count at full value and move with the scenarios, so they hedge."""


@dataclass(frozen=True, slots=True)
class CollateralLegs(_Legs):
    """Collateral that counts after its haircut and does not move in scenarios: the haircut covers its price
    risk. `quantity` ≥ 0."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """A book of accounts: `cash` of shape (accounts,) and the legs, sorted by account when built.

    Build with `Accounts.of`, which checks every column; `MarginError` names leg table, column and position.
    """

    cash: Array
    options: OptionLegs = field(default_factory=OptionLegs)
    perps: PerpLegs = field(default_factory=PerpLegs)
    spot: SpotLegs = field(default_factory=SpotLegs)
    collateral: CollateralLegs = field(default_factory=CollateralLegs)

    @classmethod
    def of(
        cls,
        cash: Array,
        options: OptionLegs | None = None,
        perps: PerpLegs | None = None,
        spot: SpotLegs | None = None,
        collateral: CollateralLegs | None = None,
    ) -> Accounts:
        """A checked book: finite numbers, unexpired options, volatilities above 0, accounts that exist."""
        held = finite_array(cash, "cash")
        if held.ndim != 1:
            raise MarginError(
                "cash is not one number an account", field="cash", remedy="Give shape (accounts,)"
            )
        count = len(held)
        options = _checked(options or OptionLegs(), count, "options")
        for name in ("strike", "years", "volatility", "forward_ratio", "discount"):
            positive_array(getattr(options, name), f"options.{name}")
        perps = _checked(perps or PerpLegs(), count, "perps")
        positive_array(perps.entry, "perps.entry")
        collateral = _checked(collateral or CollateralLegs(), count, "collateral")
        non_negative_array(collateral.quantity, "collateral.quantity")
        return cls(held, options, perps, _checked(spot or SpotLegs(), count, "spot"), collateral)

    def __len__(self) -> int:
        return len(self.cash)

    def part(self, start: int, stop: int) -> Accounts:
        """Accounts start ≤ i < stop, renumbered from 0."""
        tables = {}
        for name in ("options", "perps", "spot", "collateral"):
            legs = getattr(self, name)
            low, high = np.searchsorted(legs.account, (start, stop))
            rows = legs.rows(slice(int(low), int(high)))
            tables[name] = rows.with_columns(account=rows.account - start)
        return Accounts(self.cash[start:stop], **tables)

    def one(self, account: int) -> Accounts:
        """A single account as a book of one; MarginError where it does not exist."""
        if not 0 <= account < len(self):
            raise MarginError(
                f"there is no account {account}", field="account", remedy="Use 0 to accounts − 1"
            )
        return self.part(account, account + 1)

    def copies(self, count: int) -> Accounts:
        """`count` copies of a book of one, as accounts 0 … count − 1."""
        tables = {}
        for name in ("options", "perps", "spot", "collateral"):
            legs = getattr(self, name)
            rows = legs.rows(np.tile(np.arange(len(legs)), count))
            tables[name] = rows.with_columns(account=np.repeat(np.arange(count), len(legs)))
        return Accounts(np.repeat(self.cash, count), **tables)


def check_underlyings(accounts: Accounts, count: int) -> None:
    """`MarginError` where a leg's underlying is not among the `count` listed ones."""
    for name in ("options", "perps", "spot", "collateral"):
        legs = getattr(accounts, name)
        unlisted = (legs.underlying < 0) | (legs.underlying >= count)
        if unlisted.any():
            row = int(np.argmax(unlisted))
            raise MarginError(
                f"underlying {int(legs.underlying[row])} is not listed",
                field=f"{name}.underlying[{row}]",
                remedy=f"List it in the market, or use 0 to {count - 1}",
            )


def _checked(legs: _Table, accounts: int, table: str) -> _Table:
    columns: dict[str, Any] = {}
    for column in fields(legs):
        values = np.asarray(getattr(legs, column.name))
        if values.shape != (len(legs.account),):
            raise MarginError(
                f"shape {values.shape} for {len(legs.account)} legs",
                field=f"{table}.{column.name}",
                remedy="Give one entry a leg",
            )
        if column.name in {"account", "underlying"}:
            columns[column.name] = values.astype(np.int64)
        elif column.name == "is_call":
            columns[column.name] = values.astype(bool)
        else:
            columns[column.name] = finite_array(values, f"{table}.{column.name}")
    owner = columns["account"]
    if ((owner < 0) | (owner >= accounts)).any():
        raise MarginError(
            f"a leg names an account outside 0 … {accounts - 1}",
            field=f"{table}.account",
            remedy="Give every account a cash entry",
        )
    order = np.argsort(owner, kind="stable")
    return type(legs)(**{name: values[order] for name, values in columns.items()})
