// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @dev Money has 18 decimals; sizes and prices have 9, so that size times price is money exactly: what one side of a
/// trade wins the other loses, to the unit. Fractions, volatilities and deviations have 18 decimals.
int256 constant WAD = 1e18;
/// @dev From a price of 9 decimals to one of 18.
uint256 constant PRICE_TO_WAD = 1e9;
uint256 constant MAX_LEGS = 16;

enum Kind {
    Perpetual,
    Call,
    Put
}

/// @notice What a leg is a position in. Options are European and settled in cash; a perpetual has neither expiry nor
/// strike.
struct Instrument {
    Kind kind;
    uint8 underlying;
    uint40 expiry;
    uint64 strike;
}

/// @notice A position, in one slot. `cost` is what its size was bought for. Of a perpetual it counts prices less funding:
/// profit is size * (mark - funding) - cost. Of an option it has been paid, and only tells how much of its value is
/// profit.
struct Leg {
    uint32 instrument;
    int64 size;
    int128 cost;
}

/// @notice All that an account is: what its state hash commits to. `collateral` is in units of each token; `cash` is as of
/// when interest due and the lending index were these: see `Cash`.
struct AccountState {
    int256 cash;
    uint256 due;
    uint256 lendingIndex;
    uint256[] collateral;
    Leg[] legs;
}

/// @notice A leg at a market's present terms, which is all that its value in a scenario hangs on.
/// @param price Of a perpetual its mark, of an option the underlying's index (9 decimals).
/// @param carried Of a perpetual cost + size * funding, what is taken off its value (money); of an option 0.
/// @param settled The part of an option's forward that no longer moves: what has been averaged already (9 decimals).
/// @param open The share of the forward that still moves with `price`; outside the averaging window all of it.
/// @param deviation Volatility times the root of time, of the part that still moves.
struct Line {
    Kind kind;
    uint8 underlying;
    int64 size;
    uint64 price;
    int256 carried;
    uint256 strike;
    uint256 settled;
    uint256 open;
    uint256 deviation;
}

/// @notice A collateral's value after its haircut at the present price (money, rounded down).
struct Pledge {
    uint8 token;
    uint256 value;
}

/// @notice An account ready to be valued. `contingency` is taken off in every scenario alike.
struct Portfolio {
    int256 cash;
    uint256 contingency;
    Line[] lines;
    Pledge[] pledges;
}

/// @notice Joint scenarios. Each is 3 * underlyings + collaterals signed numbers of 16 bits in `steps`: for each
/// underlying its moves of price, of volatility and of basis, then each collateral's move of price, all in
/// ten-thousandths of a width. `widths` has four numbers for each underlying (price, volatility up, volatility down,
/// basis), then one for each collateral, fractions of 18 decimals.
struct ScenarioSet {
    uint256 underlyings;
    uint256 collaterals;
    bytes steps;
    uint256[] widths;
}
