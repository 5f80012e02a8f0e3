// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {WAD} from "./Types.sol";

/// @title Marks
/// @notice Mark, averaged premium and funding of a perpetual: pure arithmetic of prices with 9 decimals.
/// @dev `keeper/margin/portfolio/clearinghouse/marks.py` is the same in Python.
library Marks {
    /// @dev A match that stands for so long has half of the average.
    int256 internal constant AVERAGING = 30 minutes;
    /// @dev Funding is of so long.
    int256 internal constant PERIOD = 8 hours;

    /// @notice A share of the index, rounded down: the farthest that the mark may be from it, or the most funding.
    function share(uint256 index, uint256 fraction) internal pure returns (int256) {
        return int256(index * fraction / uint256(WAD));
    }

    /// @notice (premium * AVERAGING + (last - index, clamped to the band) * elapsed) / (AVERAGING + elapsed), rounded
    /// towards zero: an exponential average of implicit steps. What has stood for no time has no weight.
    function averaged(int256 premium, uint256 index, uint256 last, int256 band, uint256 elapsed)
        internal
        pure
        returns (int256)
    {
        int256 sample = last == 0 ? int256(0) : clamped(int256(last) - int256(index), band);
        return (premium * AVERAGING + sample * int256(elapsed)) / (AVERAGING + int256(elapsed));
    }

    /// @notice The median of index, index + premium and the last match, no farther from the index than the band.
    function mark(uint256 index, int256 premium, uint256 last, int256 band) internal pure returns (uint256) {
        int256 shifted = clamped(premium, band);
        int256 matched = last == 0 ? int256(0) : clamped(int256(last) - int256(index), band);
        // The median of three of which one is zero: the smaller of two of one sign, else zero.
        int256 moved;
        if (shifted > 0 && matched > 0) moved = shifted < matched ? shifted : matched;
        if (shifted < 0 && matched < 0) moved = shifted > matched ? shifted : matched;
        return uint256(int256(index) + moved);
    }

    /// @notice What a time adds to the integral of funding: the premium of mark over index, at most `most` either way,
    /// times the seconds. Exact.
    function paid(uint256 mark_, uint256 index, int256 most, uint256 elapsed) internal pure returns (int256) {
        return clamped(int256(mark_) - int256(index), most) * int256(elapsed);
    }

    /// @notice Funding, the one integer that both sides pay and get by: the integral over the period, rounded down.
    function funding(int256 integral) internal pure returns (int256 whole) {
        whole = integral / PERIOD;
        if (integral < 0 && whole * PERIOD != integral) --whole;
    }

    function clamped(int256 value, int256 most) internal pure returns (int256) {
        return value > most ? most : value < -most ? -most : value;
    }
}
