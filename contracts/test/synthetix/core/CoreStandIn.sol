// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for Synthetix' core, which no npm package ships: the dollar token, the credit each market has with
// whoever backs it, and the collateral that markets lay down. It computes what a market may take out as the core does
// (credit, moved by each deposit and withdrawal, and the collateral's value); who backs the markets and how their
// debts are shared is absent: `setCredit` says what is there.

import {AssociatedSystemsModule} from "@synthetixio/core-modules/contracts/modules/AssociatedSystemsModule.sol";
import {AssociatedSystem} from "@synthetixio/core-modules/contracts/storage/AssociatedSystem.sol";
import {ITokenModule} from "@synthetixio/core-modules/contracts/interfaces/ITokenModule.sol";
import {TokenModule} from "@synthetixio/core-modules/contracts/modules/TokenModule.sol";
import {AccessError} from "@synthetixio/core-contracts/contracts/errors/AccessError.sol";
import {ERC165Helper} from "@synthetixio/core-contracts/contracts/utils/ERC165Helper.sol";
import {ERC20Storage} from "@synthetixio/core-contracts/contracts/token/ERC20Storage.sol";
import {OwnableStorage} from "@synthetixio/core-contracts/contracts/ownership/OwnableStorage.sol";
import {INodeModule} from "@synthetixio/oracle-manager/contracts/interfaces/INodeModule.sol";
import {IMarket} from "@synthetixio/main/contracts/interfaces/external/IMarket.sol";
import {IRewardDistributor} from "@synthetixio/main/contracts/interfaces/external/IRewardDistributor.sol";
import {IMarketCollateralModule} from "@synthetixio/main/contracts/interfaces/IMarketCollateralModule.sol";
import {IMarketManagerModule} from "@synthetixio/main/contracts/interfaces/IMarketManagerModule.sol";
import {IUtilsModule} from "@synthetixio/main/contracts/interfaces/IUtilsModule.sol";
import {IVaultModule} from "@synthetixio/main/contracts/interfaces/IVaultModule.sol";
import {RewardsDistributor} from "@synthetixio/rewards-distributor/src/RewardsDistributor.sol";

contract UsdTokenStandIn is TokenModule {
    /// As the core's dollar: a market spends the allowance it was given, an endless one too.
    function burnWithAllowance(address from, address spender, uint256 amount) external {
        OwnableStorage.onlyOwner();
        mapping(address => uint256) storage allowances = ERC20Storage.load().allowance[from];
        if (amount > allowances[spender]) revert InsufficientAllowance(amount, allowances[spender]);
        allowances[spender] -= amount;
        _burn(from, amount);
    }
}

contract CoreStandIn is
    AssociatedSystemsModule,
    IMarketManagerModule,
    IMarketCollateralModule,
    IUtilsModule,
    IVaultModule
{
    struct Market {
        address at;
        int256 credit;
        address[] collaterals;
        mapping(address => uint256) amounts;
    }

    error IncorrectMarketInterface(address market);
    error NotEnoughLiquidity(uint128 marketId, uint256 amount);

    event MarketRegistered(address indexed market, uint128 indexed marketId, address indexed sender);

    INodeModule private immutable _oracle;
    uint128 private _count;
    mapping(uint128 => Market) private _markets;
    mapping(address => bytes32) private _nodes;

    constructor(address owner, INodeModule oracle) {
        OwnableStorage.load().owner = owner;
        _oracle = oracle;
    }

    modifier onlyMarket(uint128 marketId) {
        if (msg.sender != _markets[marketId].at) revert AccessError.Unauthorized(msg.sender);
        _;
    }

    function setCredit(uint128 marketId, int256 credit) external {
        OwnableStorage.onlyOwner();
        _markets[marketId].credit = credit;
    }

    /// Which node prices a collateral that markets lay down.
    function setCollateralNode(address collateralType, bytes32 nodeId) external {
        OwnableStorage.onlyOwner();
        _nodes[collateralType] = nodeId;
    }

    function registerMarket(address market) external returns (uint128 marketId) {
        if (!ERC165Helper.safeSupportsInterface(market, type(IMarket).interfaceId)) {
            revert IncorrectMarketInterface(market);
        }
        marketId = ++_count;
        _markets[marketId].at = market;
        emit MarketRegistered(market, marketId, msg.sender);
    }

    function depositMarketUsd(
        uint128 marketId,
        address target,
        uint256 amount
    ) external onlyMarket(marketId) returns (uint256) {
        _markets[marketId].credit += int256(amount);
        UsdTokenStandIn(address(_usd())).burnWithAllowance(target, msg.sender, amount);
        return 0;
    }

    function withdrawMarketUsd(
        uint128 marketId,
        address target,
        uint256 amount
    ) external onlyMarket(marketId) returns (uint256) {
        if (amount > getWithdrawableMarketUsd(marketId)) revert NotEnoughLiquidity(marketId, amount);
        _markets[marketId].credit -= int256(amount);
        _usd().mint(target, amount);
        return 0;
    }

    function depositMarketCollateral(
        uint128 marketId,
        address collateralType,
        uint256 amount
    ) external onlyMarket(marketId) {
        Market storage market = _markets[marketId];
        if (market.amounts[collateralType] == 0) market.collaterals.push(collateralType);
        market.amounts[collateralType] += amount;
        ITokenModule(collateralType).transferFrom(msg.sender, address(this), amount);
    }

    function withdrawMarketCollateral(
        uint128 marketId,
        address collateralType,
        uint256 amount
    ) external onlyMarket(marketId) {
        Market storage market = _markets[marketId];
        market.amounts[collateralType] -= amount;
        if (market.amounts[collateralType] == 0) _forget(market.collaterals, collateralType);
        ITokenModule(collateralType).transfer(msg.sender, amount);
    }

    function getWithdrawableMarketUsd(uint128 marketId) public view returns (uint256) {
        Market storage market = _markets[marketId];
        int256 withdrawable = market.credit;
        for (uint256 i = 0; i < market.collaterals.length; i++) {
            address token = market.collaterals[i];
            withdrawable += (int256(market.amounts[token]) * _oracle.process(_nodes[token]).price) / 1e18;
        }
        return withdrawable < 0 ? 0 : uint256(withdrawable);
    }

    function getMarketCollateral(uint128 marketId) external view returns (uint256) {
        int256 credit = _markets[marketId].credit;
        return credit < 0 ? 0 : uint256(credit);
    }

    function getMarketCollateralAmount(uint128 marketId, address collateralType) external view returns (uint256) {
        return _markets[marketId].amounts[collateralType];
    }

    function getMarketAddress(uint128 marketId) external view returns (address) {
        return _markets[marketId].at;
    }

    function getOracleManager() external view returns (INodeModule) {
        return _oracle;
    }

    /// Nothing is delegated here; a token says it is, so that what is seized is handed on.
    function getVaultCollateral(uint128, address) external pure returns (uint256, uint256) {
        return (1e18, 1e18);
    }

    function _usd() private view returns (ITokenModule) {
        return ITokenModule(AssociatedSystem.load("USDToken").proxy);
    }

    function _forget(address[] storage list, address token) private {
        for (uint256 i = 0; i < list.length; i++) {
            if (list[i] != token) continue;
            list[i] = list[list.length - 1];
            list.pop();
            return;
        }
    }
}

/// Where seized synths of one kind go. It keeps them.
contract RewardsDistributorStandIn is IRewardDistributor, RewardsDistributor {
    event RewardsDistributed(uint128 poolId, address collateralType, uint256 amount);

    uint128 public constant poolId = 1;
    address private immutable _token;

    constructor(address token_) {
        _token = token_;
    }

    function token() public view override(IRewardDistributor, RewardsDistributor) returns (address) {
        return _token;
    }

    function name() external pure returns (string memory) {
        return "stand-in";
    }

    function payout(uint128, uint128, address, address, uint256) external pure returns (bool) {
        return false;
    }

    function onPositionUpdated(uint128, uint128, address, uint256) external pure {}

    function distributeRewards(uint128 pool, address collateralType, uint256 amount, uint64, uint32) external {
        emit RewardsDistributed(pool, collateralType, amount);
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IRewardDistributor).interfaceId || id == this.supportsInterface.selector;
    }
}
