// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the perps market asks of where seized synths go; a stand-in for the rewards-distributor package's file.

interface RewardsDistributor {
    function poolId() external view returns (uint128);

    function token() external view returns (address);

    function distributeRewards(
        uint128 poolId,
        address collateralType,
        uint256 amount,
        uint64 start,
        uint32 duration
    ) external;
}
