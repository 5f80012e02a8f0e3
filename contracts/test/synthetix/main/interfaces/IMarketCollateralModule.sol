// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the perps and spot markets ask of the core; a stand-in for the core's file of this name.

interface IMarketCollateralModule {
    function depositMarketCollateral(uint128 marketId, address collateralType, uint256 amount) external;

    function withdrawMarketCollateral(uint128 marketId, address collateralType, uint256 amount) external;

    function getMarketCollateralAmount(uint128 marketId, address collateralType) external view returns (uint256);
}
