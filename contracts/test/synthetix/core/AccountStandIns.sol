// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// Stand-ins for the core's AccountModule and AccountTokenModule, which no npm package ships: accounts are numbers and
// tokens (the token is core-modules' own), whose owner gives permissions. Selectors, events and errors are the core's.

import {AssociatedSystem} from "@synthetixio/core-modules/contracts/storage/AssociatedSystem.sol";
import {FeatureFlag} from "@synthetixio/core-modules/contracts/storage/FeatureFlag.sol";
import {NftModule} from "@synthetixio/core-modules/contracts/modules/NftModule.sol";
import {INftModule} from "@synthetixio/core-modules/contracts/interfaces/INftModule.sol";
import {OwnableStorage} from "@synthetixio/core-contracts/contracts/ownership/OwnableStorage.sol";
import {SetUtil} from "@synthetixio/core-contracts/contracts/utils/SetUtil.sol";
import {Account} from "@synthetixio/main/contracts/storage/Account.sol";
import {AccountRBAC} from "@synthetixio/main/contracts/storage/AccountRBAC.sol";

contract AccountModuleStandIn {
    using AccountRBAC for AccountRBAC.Data;
    using SetUtil for SetUtil.Bytes32Set;
    using SetUtil for SetUtil.AddressSet;

    struct AccountPermissions {
        address user;
        bytes32[] permissions;
    }

    error OnlyAccountTokenProxy(address origin);
    error PermissionNotGranted(uint128 accountId, bytes32 permission, address user);
    error InvalidAccountId(uint128 accountId);

    event AccountCreated(uint128 indexed accountId, address indexed owner);
    event PermissionGranted(
        uint128 indexed accountId,
        bytes32 indexed permission,
        address indexed user,
        address sender
    );
    event PermissionRevoked(
        uint128 indexed accountId,
        bytes32 indexed permission,
        address indexed user,
        address sender
    );

    function createAccount(uint128 requestedAccountId) external payable {
        FeatureFlag.ensureAccessToFeature("createAccount");
        if (requestedAccountId >= type(uint128).max / 2) revert InvalidAccountId(requestedAccountId);
        INftModule(getAccountTokenAddress()).safeMint(msg.sender, requestedAccountId, "");
        Account.create(requestedAccountId, msg.sender);
        emit AccountCreated(requestedAccountId, msg.sender);
    }

    function grantPermission(uint128 accountId, bytes32 permission, address user) external payable {
        AccountRBAC.isPermissionValid(permission);
        _administered(accountId).rbac.grantPermission(permission, user);
        emit PermissionGranted(accountId, permission, user, msg.sender);
    }

    function revokePermission(uint128 accountId, bytes32 permission, address user) external payable {
        _administered(accountId).rbac.revokePermission(permission, user);
        emit PermissionRevoked(accountId, permission, user, msg.sender);
    }

    function renouncePermission(uint128 accountId, bytes32 permission) external payable {
        if (!hasPermission(accountId, permission, msg.sender)) {
            revert PermissionNotGranted(accountId, permission, msg.sender);
        }
        Account.load(accountId).rbac.revokePermission(permission, msg.sender);
        emit PermissionRevoked(accountId, permission, msg.sender, msg.sender);
    }

    function notifyAccountTransfer(address to, uint128 accountId) external payable {
        if (msg.sender != getAccountTokenAddress()) revert OnlyAccountTokenProxy(msg.sender);
        Account.load(accountId).rbac.transfer(to);
    }

    function getAccountTokenAddress() public view returns (address) {
        return AssociatedSystem.load("accountNft").proxy;
    }

    function getAccountOwner(uint128 accountId) external view returns (address) {
        return Account.load(accountId).rbac.owner;
    }

    function getAccountLastInteraction(uint128 accountId) external view returns (uint256) {
        return Account.load(accountId).lastInteraction;
    }

    function getAccountPermissions(uint128 accountId) external view returns (AccountPermissions[] memory found) {
        AccountRBAC.Data storage rbac = Account.load(accountId).rbac;
        address[] memory users = rbac.permissionAddresses.values();
        found = new AccountPermissions[](users.length);
        for (uint256 i = 0; i < users.length; i++) {
            found[i] = AccountPermissions(users[i], rbac.permissions[users[i]].values());
        }
    }

    function hasPermission(uint128 accountId, bytes32 permission, address user) public view returns (bool) {
        return Account.load(accountId).rbac.hasPermission(permission, user);
    }

    function isAuthorized(uint128 accountId, bytes32 permission, address user) external view returns (bool) {
        return Account.load(accountId).rbac.authorized(permission, user);
    }

    function _administered(uint128 accountId) private returns (Account.Data storage) {
        return Account.loadAccountAndValidatePermission(accountId, AccountRBAC._ADMIN_PERMISSION);
    }
}

contract AccountTokenStandIn is NftModule {
    /// Tells the market, which owns this token; not when it is made, as the market does that itself.
    function _postTransfer(address from, address to, uint256 tokenId) internal override {
        if (from == address(0)) return;
        AccountModuleStandIn(OwnableStorage.getOwner()).notifyAccountTransfer(to, uint128(tokenId));
    }
}
