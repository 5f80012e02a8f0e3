// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Instrument, Leg, Line, Pledge, Portfolio, ScenarioSet} from "./Types.sol";

/// @notice Where `Markets` has its options.
interface IListing {
    function options() external view returns (address);
}

/// @notice What the clearinghouse asks of `Markets`. Each reverts where a feed that it needs is stale or out of bounds.
interface IMarkets {
    function instrument(uint32 id) external view returns (Instrument memory);
    function lines(Leg[] calldata legs) external view returns (Line[] memory found, uint256 contingency);
    function pledges(uint256[] calldata amounts) external view returns (Pledge[] memory);
    function markOf(uint32 instrument) external view returns (uint64);
    function funding(uint8 underlying) external view returns (int256);
    function accrue(uint8 underlying) external returns (int256 funding);
    function matched(uint8 underlying, uint64 price) external;
    function collaterals() external view returns (uint256);
    function collateral(uint256 id) external view returns (address token, uint256 cap);
    /// @dev Money, without a haircut, rounded down.
    function worth(uint256 id, uint256 amount) external view returns (uint256);
    function settlement(uint8 underlying, uint40 expiry) external view returns (bool done, uint64 price);
}

interface IScenarios {
    function set(bool initial) external view returns (ScenarioSet memory);
    function one(bool initial, uint256 scenario) external view returns (ScenarioSet memory);
}

interface IValuation {
    function equity(Portfolio calldata account) external pure returns (int256);
    function valueIn(Portfolio calldata account, ScenarioSet calldata set, uint256 scenario) external pure returns (int256);
    function worst(Portfolio calldata account, ScenarioSet calldata set) external pure returns (int256 value, uint256 at);
    function admits(Portfolio calldata before, Portfolio calldata account, ScenarioSet calldata set)
        external
        pure
        returns (bool yes, int256 value, uint256 at);
}
