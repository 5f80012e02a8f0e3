// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title VolatilityStandIn
/// @notice A stand-in for whoever tells volatilities: anybody sets what every expiry has.
contract VolatilityStandIn {
    uint256 public atTheMoney = 0.8e18;
    int256 public skew;
    uint256 public updatedAt = block.timestamp;

    function set(uint256 atTheMoney_, int256 skew_) external {
        (atTheMoney, skew, updatedAt) = (atTheMoney_, skew_, block.timestamp);
    }

    function volatility(uint8, uint40) external view returns (uint256, int256, uint256) {
        return (atTheMoney, skew, updatedAt);
    }
}
