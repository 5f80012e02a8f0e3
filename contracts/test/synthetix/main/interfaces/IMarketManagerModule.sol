// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the perps and spot markets ask of the core; a stand-in for the core's file of this name.

interface IMarketManagerModule {
    function registerMarket(address market) external returns (uint128 marketId);

    function depositMarketUsd(uint128 marketId, address target, uint256 amount) external returns (uint256 feeAmount);

    function withdrawMarketUsd(uint128 marketId, address target, uint256 amount) external returns (uint256 feeAmount);

    function getWithdrawableMarketUsd(uint128 marketId) external view returns (uint256);

    function getMarketCollateral(uint128 marketId) external view returns (uint256);
}
