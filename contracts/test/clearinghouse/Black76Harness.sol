// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Black76} from "../../src/clearinghouse/Black76.sol";

/// @notice Many prices and deviations in one call, for a test that compares them with another calculation.
contract Black76Harness {
    /// @notice Call and put of each forward, strike and deviation.
    function prices(uint256[3][] calldata options) external pure returns (uint256[2][] memory found) {
        found = new uint256[2][](options.length);
        for (uint256 i; i < options.length; ++i) {
            (found[i][0], found[i][1]) = Black76.prices(options[i][0], options[i][1], options[i][2]);
        }
    }

    /// @notice The deviation of each volatility and time in seconds.
    function deviations(uint256[2][] calldata times) external pure returns (uint256[] memory found) {
        found = new uint256[](times.length);
        for (uint256 i; i < times.length; ++i) {
            found[i] = Black76.deviation(times[i][0], times[i][1]);
        }
    }
}
