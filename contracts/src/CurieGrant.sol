// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Grant} from "./grants/Grant.sol";

interface IGrantingHouse {
    struct Order {
        address base;
        bool isBaseToQuote;
        bool isExactInput;
        uint256 amount;
        uint256 oppositeAmountBound;
        uint256 deadline;
        uint160 sqrtPriceLimitX96;
        bytes32 referralCode;
    }

    function getAccountBalance() external view returns (address);
    function getDelegateApproval() external view returns (address);
    function openPositionFor(address trader, Order calldata order)
        external
        returns (uint256 base, uint256 quote, uint256 fee);
}

interface IGrantingBalances {
    function getTakerPositionSize(address trader, address base) external view returns (int256);
}

interface IGrantingApproval {
    function canOpenPositionFor(address trader, address delegate) external view returns (bool);
}

interface IGrantingBase {
    function getIndexPrice(uint256 interval) external view returns (uint256);
}

/// @title CurieGrant
/// @notice The delegate of traders of one Perp v2, who may open positions for them, and does one thing with that: makes
/// a position smaller on its side, at a price near the index. Collateral anybody deposits without a right.
contract CurieGrant is Grant {
    IGrantingHouse public immutable HOUSE;

    error NotReducing(int256 held);
    error NoHouse();

    constructor(IGrantingHouse house) {
        if (address(house).code.length == 0) revert NoHouse();
        HOUSE = house;
    }

    /// @notice A trader is its own owner.
    function ownerOf(bytes32 account) public pure override returns (address) {
        return address(uint160(uint256(account)));
    }

    /// @notice Whether the trader has made this contract a delegate.
    function hasRight(bytes32 account) external view returns (bool) {
        return IGrantingApproval(HOUSE.getDelegateApproval()).canOpenPositionFor(ownerOf(account), address(this));
    }

    /// @notice Trades `size` of base against the trader's own position (signed: negative sells), for at least, or at
    /// most, `bound` of quote, fees included.
    function reduce(address trader, address base, int256 size, uint256 bound)
        external
        onlyOperatorOf(bytes32(uint256(uint160(trader))))
    {
        bytes32 account = bytes32(uint256(uint160(trader)));
        int256 held = IGrantingBalances(HOUSE.getAccountBalance()).getTakerPositionSize(trader, base);
        if (size == 0 || held == 0 || size > 0 == held > 0 || _size(size) > _size(held)) revert NotReducing(held);
        _count(account, bytes32(uint256(uint160(base))), _size(size), _size(held));
        uint256 worth = _size(size) * IGrantingBase(base).getIndexPrice(0) / ONE;
        uint256 cost = worth * shareOf(account) / ONE;
        bool sells = size < 0;
        if (sells ? bound < worth - cost : bound > worth + cost) {
            revert WorsePriceThanAllowed(sells ? worth - cost : worth + cost);
        }
        HOUSE.openPositionFor(
            trader, IGrantingHouse.Order(base, sells, sells, _size(size), bound, block.timestamp, 0, "")
        );
    }

    function _size(int256 signed) private pure returns (uint256) {
        return uint256(signed < 0 ? -signed : signed);
    }
}
