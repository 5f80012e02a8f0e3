"""Raw state of an Aave v3 market and of one account, as the contracts store it."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.lending.aave.fixed import MAX_UINT256


@dataclass(frozen=True, slots=True)
class Reserve:
    """One reserve. Indices and rates in ray, `price` in the oracle's base currency unit.

    `configuration` is the contract's packed word; the properties name its fields.
    `available_liquidity` is what the pool can pay out; `scaled_supply`, `scaled_variable_debt` and
    `accrued_to_treasury` are scaled units of the whole reserve, `stable_*` its whole stable debt (principal
    at `stable_since`, average rate). Liquidations are blocked up to and including Unix time `grace_until`.
    """

    id: int
    asset: str
    a_token: str
    variable_debt_token: str
    stable_debt_token: str
    configuration: int
    liquidity_index: int
    liquidity_rate: int
    variable_borrow_index: int
    variable_borrow_rate: int
    last_update: int
    price: int
    available_liquidity: int = 0
    scaled_supply: int = 0
    scaled_variable_debt: int = 0
    accrued_to_treasury: int = 0
    stable_principal: int = 0
    stable_rate: int = 0
    stable_since: int = 0
    grace_until: int = 0

    @property
    def ltv(self) -> int:
        """Loan to value, basis points."""
        return self.configuration & 0xFFFF

    @property
    def threshold(self) -> int:
        """Liquidation threshold, basis points."""
        return self.configuration >> 16 & 0xFFFF

    @property
    def bonus(self) -> int:
        """Liquidation bonus, basis points: 10000 or more, or 0 for what is no collateral."""
        return self.configuration >> 32 & 0xFFFF

    @property
    def decimals(self) -> int:
        return self.configuration >> 48 & 0xFF

    @property
    def active(self) -> bool:
        return bool(self.configuration >> 56 & 1)

    @property
    def frozen(self) -> bool:
        return bool(self.configuration >> 57 & 1)

    @property
    def paused(self) -> bool:
        return bool(self.configuration >> 60 & 1)

    @property
    def flash_loans(self) -> bool:
        """Whether flash loans are enabled (3.0.1 and later)."""
        return bool(self.configuration >> 63 & 1)

    @property
    def reserve_factor(self) -> int:
        """Share of the interest that goes to the treasury, basis points."""
        return self.configuration >> 64 & 0xFFFF

    @property
    def supply_cap(self) -> int:
        """Supply cap in whole tokens; 0: no cap."""
        return self.configuration >> 116 & (1 << 36) - 1

    @property
    def protocol_fee(self) -> int:
        """Share of the liquidation bonus that goes to the treasury, basis points."""
        return self.configuration >> 152 & 0xFFFF

    @property
    def emode_category(self) -> int:
        """The asset's e-mode category (3.0 and 3.1 only: later versions keep bitmaps in the category)."""
        return self.configuration >> 168 & 0xFF

    @property
    def debt_ceiling(self) -> int:
        """Debt ceiling of isolation mode, with 2 decimals; 0: not isolated."""
        return self.configuration >> 212 & (1 << 40) - 1

    @property
    def unit(self) -> int:
        """Token units per whole token."""
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True)
class EMode:
    """One efficiency-mode category; `price` is its own source's (to 3.1), zero where it has none.

    Bitmaps are by reserve id (3.2 and later); `ltv_zero_bitmap` marks collaterals with LTV zero (3.6).
    """

    id: int
    ltv: int
    threshold: int
    bonus: int
    price: int = 0
    collateral_bitmap: int = 0
    borrowable_bitmap: int = 0
    ltv_zero_bitmap: int = 0


@dataclass(frozen=True, slots=True)
class MarketState:
    """All reserves (by id) and e-mode categories of a pool at one block."""

    reserves: dict[int, Reserve]
    emodes: dict[int, EMode]
    base_unit: int = 10**8


@dataclass(frozen=True, slots=True)
class Position:
    """One account's stake in one reserve in scaled units; stable debt as principal, yearly rate (ray) and
    time."""

    reserve_id: int
    scaled_collateral: int = 0
    scaled_debt: int = 0
    stable_principal: int = 0
    stable_rate: int = 0
    stable_since: int = 0


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account: its e-mode, its configuration bitmap (two bits per reserve), and its positions by id."""

    emode: int
    configuration: int
    positions: tuple[Position, ...]

    def borrows(self, reserve_id: int) -> bool:
        return bool(self.configuration >> (2 * reserve_id) & 1)

    def uses_as_collateral(self, reserve_id: int) -> bool:
        return bool(self.configuration >> (2 * reserve_id + 1) & 1)

    def position(self, reserve_id: int) -> Position:
        """The position in a reserve; empty where there is none."""
        for position in self.positions:
            if position.reserve_id == reserve_id:
                return position
        return Position(reserve_id)


@dataclass(frozen=True, slots=True)
class AccountData:
    """What `getUserAccountData` returns: base currency units, basis points, and health in wad."""

    collateral: int
    debt: int
    threshold: int
    health: int

    @property
    def has_debt(self) -> bool:
        return self.debt != 0


NO_DEBT_HEALTH = MAX_UINT256
