// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the perps market asks of the core; a stand-in for the core's file of this name.

interface IVaultModule {
    function getVaultCollateral(
        uint128 poolId,
        address collateralType
    ) external view returns (uint256 amount, uint256 value);
}
