// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {WAD} from "./Types.sol";

/// @title Cash
/// @notice What accounts have and owe in money, and the interest between them. It grows by the second and is at once of
/// whoever has cash then, in proportion and rounded down, whether or not anybody is touched; whoever owes is charged it,
/// rounded up, whenever touched. So all cash, with `undistributed` and the fund, is always what is held.
library Cash {
    using SafeCast for int256;

    /// @dev `due` and `index` are the ledger's of when `cash` was last counted.
    struct Purse {
        int128 cash;
        uint128 due;
        uint256 index;
    }

    struct Ledger {
        /// What all that have cash have, as of when each was last touched, and what all that owe owe.
        uint256 lent;
        uint256 owed;
        /// Interest that a unit of cash has been given since the beginning.
        uint256 index;
        /// What has been charged to who owes less what has been given to who has: below zero while more is due than charged.
        int256 undistributed;
        /// The insurance fund.
        uint256 fund;
        /// The rate of a year times seconds, summed since the beginning, until `at`.
        uint128 due;
        uint40 at;
    }

    uint256 private constant ONE_YEAR = 365 days * uint256(WAD);

    /// @notice A purse's cash with interest until now.
    function current(Purse storage purse, Ledger storage ledger, uint256 rate) internal view returns (int256) {
        (uint256 due, uint256 index,) = until(ledger, rate);
        return withInterest(purse.cash, due - purse.due, index - purse.index);
    }

    /// @notice Cash after `due` and the index have risen: what is owed by ⌈owed · due / year⌉.
    function withInterest(int256 cash, uint256 due, uint256 rise) internal pure returns (int256) {
        if (cash >= 0) return cash + cash * int256(rise) / WAD;
        uint256 product = uint256(-cash) * due;
        return product == 0 ? cash : cash - int256((product - 1) / ONE_YEAR + 1);
    }

    /// @notice `due` and the index now. Where nobody has a whole unit of cash the interest is the fund's.
    function until(Ledger storage ledger, uint256 rate)
        internal
        view
        returns (uint256 due, uint256 index, uint256 ofFund)
    {
        uint256 rise = rate * (block.timestamp - ledger.at);
        (due, index) = (ledger.due + rise, ledger.index);
        uint256 interest = ledger.owed * rise / ONE_YEAR;
        uint256 lent = ledger.lent;
        if (lent < uint256(WAD)) ofFund = interest;
        else index += interest * uint256(WAD) / lent;
    }

    /// @notice Brings the ledger up to now: before its sums or the rate change.
    function accrue(Ledger storage ledger, uint256 rate) internal {
        (uint256 due, uint256 index, uint256 ofFund) = until(ledger, rate);
        (ledger.due, ledger.at, ledger.index) = (uint128(due), uint40(block.timestamp), index);
        if (ofFund == 0) return;
        ledger.fund += ofFund;
        ledger.undistributed -= int256(ofFund);
    }

    /// @notice Adds a change of cash to a purse after its interest.
    function add(Purse storage purse, Ledger storage ledger, uint256 rate, int256 change) internal {
        accrue(ledger, rate);
        (int256 before, uint128 due, uint256 index) = (purse.cash, ledger.due, ledger.index);
        int256 cash = withInterest(before, due - purse.due, index - purse.index);
        if (cash != before) ledger.undistributed += before - cash;
        cash += change;
        if (before > 0) ledger.lent -= uint256(before);
        else ledger.owed -= uint256(-before);
        if (cash > 0) ledger.lent += uint256(cash);
        else ledger.owed += uint256(-cash);
        (purse.cash, purse.due, purse.index) = (cash.toInt128(), due, index);
    }
}
