// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the core asks of a distributor of rewards; a stand-in for the core's file of this name.

import {IERC165} from "@synthetixio/core-contracts/contracts/interfaces/IERC165.sol";

interface IRewardDistributor is IERC165 {
    function name() external view returns (string memory);

    function token() external view returns (address);

    function payout(
        uint128 accountId,
        uint128 poolId,
        address collateralType,
        address sender,
        uint256 amount
    ) external returns (bool);

    function onPositionUpdated(
        uint128 accountId,
        uint128 poolId,
        address collateralType,
        uint256 newShares
    ) external;
}
