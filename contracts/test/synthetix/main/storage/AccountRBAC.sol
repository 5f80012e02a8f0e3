// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for the core's file of this name, which no npm package ships: who may do what with an account. The owner
// and whoever has ADMIN may do everything.

import {SetUtil} from "@synthetixio/core-contracts/contracts/utils/SetUtil.sol";
import {AddressError} from "@synthetixio/core-contracts/contracts/errors/AddressError.sol";

library AccountRBAC {
    using SetUtil for SetUtil.Bytes32Set;
    using SetUtil for SetUtil.AddressSet;

    bytes32 internal constant _ADMIN_PERMISSION = "ADMIN";
    bytes32 internal constant _PERPS_MODIFY_COLLATERAL_PERMISSION = "PERPS_MODIFY_COLLATERAL";
    bytes32 internal constant _PERPS_COMMIT_ASYNC_ORDER_PERMISSION = "PERPS_COMMIT_ASYNC_ORDER";

    error InvalidPermission(bytes32 permission);

    struct Data {
        address owner;
        mapping(address => SetUtil.Bytes32Set) permissions;
        SetUtil.AddressSet permissionAddresses;
    }

    function isPermissionValid(bytes32 permission) internal pure {
        if (
            permission != _ADMIN_PERMISSION &&
            permission != _PERPS_MODIFY_COLLATERAL_PERMISSION &&
            permission != _PERPS_COMMIT_ASYNC_ORDER_PERMISSION
        ) {
            revert InvalidPermission(permission);
        }
    }

    function grantPermission(Data storage self, bytes32 permission, address target) internal {
        if (target == address(0)) revert AddressError.ZeroAddress();
        if (!self.permissionAddresses.contains(target)) self.permissionAddresses.add(target);
        self.permissions[target].add(permission);
    }

    function revokePermission(Data storage self, bytes32 permission, address target) internal {
        self.permissions[target].remove(permission);
        if (self.permissions[target].length() == 0) self.permissionAddresses.remove(target);
    }

    /// A new owner starts with no permissions given.
    function transfer(Data storage self, address owner) internal {
        address[] memory targets = self.permissionAddresses.values();
        for (uint256 i = 0; i < targets.length; i++) {
            bytes32[] memory given = self.permissions[targets[i]].values();
            for (uint256 j = 0; j < given.length; j++) self.permissions[targets[i]].remove(given[j]);
            self.permissionAddresses.remove(targets[i]);
        }
        self.owner = owner;
    }

    function hasPermission(Data storage self, bytes32 permission, address target) internal view returns (bool) {
        return target != address(0) && self.permissions[target].contains(permission);
    }

    function authorized(Data storage self, bytes32 permission, address target) internal view returns (bool) {
        return
            target == self.owner ||
            hasPermission(self, _ADMIN_PERMISSION, target) ||
            hasPermission(self, permission, target);
    }
}
