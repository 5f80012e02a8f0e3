// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for the core's file of this name, which no npm package ships: an account is a number with an owner.

import {ERC2771Context} from "@synthetixio/core-contracts/contracts/utils/ERC2771Context.sol";
import {AccountRBAC} from "./AccountRBAC.sol";

library Account {
    using AccountRBAC for AccountRBAC.Data;

    error AccountNotFound(uint128 accountId);
    error PermissionDenied(uint128 accountId, bytes32 permission, address target);

    struct Data {
        uint128 id;
        uint64 lastInteraction;
        AccountRBAC.Data rbac;
    }

    function load(uint128 id) internal pure returns (Data storage account) {
        bytes32 slot = keccak256(abi.encode("io.synthetix.synthetix.Account", id));
        assembly {
            account.slot := slot
        }
    }

    function create(uint128 id, address owner) internal returns (Data storage account) {
        account = load(id);
        account.id = id;
        account.rbac.owner = owner;
    }

    function exists(uint128 id) internal view returns (Data storage account) {
        account = load(id);
        if (account.rbac.owner == address(0)) revert AccountNotFound(id);
    }

    function loadAccountAndValidatePermission(
        uint128 id,
        bytes32 permission
    ) internal returns (Data storage account) {
        account = load(id);
        address sender = ERC2771Context._msgSender();
        if (!account.rbac.authorized(permission, sender)) revert PermissionDenied(id, permission, sender);
        account.lastInteraction = uint64(block.timestamp);
    }
}
