// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {WAD} from "./Types.sol";

/// @title Cash
/// @notice What accounts have and owe in money, and the interest between them. Whoever owes pays by the second, compounded
/// whenever the account is touched and rounded up; whoever has cash gets it in proportion, rounded down. What rounding
/// leaves stays in `undistributed`, so that all cash, with it and the fund, is always what is held.
library Cash {
    using SafeCast for int256;

    struct Purse {
        int128 cash;
        uint40 accruedAt;
        uint256 index;
    }

    struct Ledger {
        /// What all that have cash have, as of when each was last touched, and what all that owe owe.
        uint256 lent;
        uint256 owed;
        /// Interest that a unit of cash has been given since the beginning.
        uint256 index;
        uint256 undistributed;
        /// The insurance fund.
        uint256 fund;
    }

    uint256 private constant YEAR = 365 days;

    /// @notice A purse's cash with interest until now.
    function current(Purse storage purse, Ledger storage ledger, uint256 rate) internal view returns (int256) {
        return withInterest(purse.cash, rate, block.timestamp - purse.accruedAt, ledger.index - purse.index);
    }

    /// @notice Cash after so many seconds, in which the lending index rose by `rise`.
    function withInterest(int256 cash, uint256 rate, uint256 time, uint256 rise) internal pure returns (int256) {
        if (cash < 0) return cash - int256(_interest(uint256(-cash), rate, time));
        return cash + cash * int256(rise) / WAD;
    }

    /// @notice Adds a change of cash to a purse after its interest.
    function add(Purse storage purse, Ledger storage ledger, uint256 rate, int256 change) internal {
        int256 before = purse.cash;
        int256 cash = current(purse, ledger, rate);
        if (cash < before) _pay(ledger, uint256(before - cash));
        else if (cash > before) ledger.undistributed -= uint256(cash - before);
        cash += change;
        if (before > 0) ledger.lent -= uint256(before);
        else ledger.owed -= uint256(-before);
        if (cash > 0) ledger.lent += uint256(cash);
        else ledger.owed += uint256(-cash);
        purse.cash = cash.toInt128();
        purse.accruedAt = uint40(block.timestamp);
        purse.index = ledger.index;
    }

    /// @dev Where nobody has a whole unit of cash the interest is the fund's.
    function _pay(Ledger storage ledger, uint256 interest) private {
        if (ledger.lent < uint256(WAD)) {
            ledger.fund += interest;
            return;
        }
        ledger.undistributed += interest;
        ledger.index += interest * uint256(WAD) / ledger.lent;
    }

    /// @dev ⌈owed · rate · time / year⌉
    function _interest(uint256 owed, uint256 rate, uint256 time) private pure returns (uint256) {
        uint256 product = owed * rate * time;
        uint256 divisor = uint256(WAD) * YEAR;
        return product == 0 ? 0 : (product - 1) / divisor + 1;
    }
}
