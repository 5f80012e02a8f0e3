// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Grant} from "./grants/Grant.sol";

interface IGrantingPerps {
    struct Commitment {
        uint128 market;
        uint128 account;
        int128 size;
        uint128 strategy;
        uint256 acceptablePrice;
        bytes32 tracking;
        address referrer;
    }

    struct Order {
        uint256 time;
        Commitment commitment;
    }

    function commitOrder(Commitment memory commitment) external returns (Order memory order, uint256 fees);
    function getAccountOwner(uint128 account) external view returns (address);
    function getOpenPositionSize(uint128 account, uint128 market) external view returns (int128);
    function indexPrice(uint128 market) external view returns (uint256);
    function modifyCollateral(uint128 account, uint128 collateral, int256 change) external;
}

/// @title SynthetixGrant
/// @notice Holds an account's two permissions at a Synthetix v3 perps market, PERPS_MODIFY_COLLATERAL (which could
/// withdraw, too) and PERPS_COMMIT_ASYNC_ORDER (which could open, too), and does two things with them: adds an
/// operator's own tokens as collateral, and commits orders that only make a position smaller on its side.
contract SynthetixGrant is Grant {
    IGrantingPerps public immutable PERPS;

    error NotReducing(int128 held);
    error NoPerps();

    constructor(IGrantingPerps perps) {
        if (address(perps).code.length == 0) revert NoPerps();
        PERPS = perps;
    }

    function ownerOf(bytes32 account) public view override returns (address) {
        return PERPS.getAccountOwner(uint128(uint256(account)));
    }

    /// @notice Adds `amount` of a collateral, whose `token` the operator has approved here.
    function add(uint128 account, uint128 collateral, address token, uint128 amount)
        external
        onlyOperatorOf(bytes32(uint256(account)))
    {
        _pull(bytes32(uint256(account)), token, address(PERPS), amount);
        // Of 128 bits, so that it stays positive: a negative change would withdraw.
        PERPS.modifyCollateral(account, collateral, int256(uint256(amount)));
    }

    /// @notice Commits an order of `size` against the account's position, at `acceptablePrice` at worst; anybody
    /// settles it later.
    function reduce(uint128 account, uint128 market, int128 size, uint128 strategy, uint256 acceptablePrice)
        external
        onlyOperatorOf(bytes32(uint256(account)))
    {
        int128 held = PERPS.getOpenPositionSize(account, market);
        if (size == 0 || held == 0 || size > 0 == held > 0 || _size(size) > _size(held)) revert NotReducing(held);
        _count(bytes32(uint256(account)), bytes32(uint256(market)), _size(size), _size(held));
        // Near the price on both sides: an order that can only miss its limit is cancelled for a reward.
        uint256 price = PERPS.indexPrice(market);
        uint256 cost = price * shareOf(bytes32(uint256(account))) / ONE;
        if (acceptablePrice > price + cost) revert WorsePriceThanAllowed(price + cost);
        if (acceptablePrice < price - cost) revert WorsePriceThanAllowed(price - cost);
        PERPS.commitOrder(
            IGrantingPerps.Commitment(market, account, size, strategy, acceptablePrice, "", address(0))
        );
    }

    function _size(int128 signed) private pure returns (uint256) {
        return uint256(uint128(signed < 0 ? -signed : signed));
    }
}
