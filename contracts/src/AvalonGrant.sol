// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Grant} from "./grants/Grant.sol";

interface IGrantingOptions {
    struct Trade {
        uint256 strike;
        uint256 position;
        uint256 iterations;
        uint8 kind;
        uint256 amount;
        /// What the position shall hold afterwards.
        uint256 collateral;
        uint256 leastCost;
        uint256 mostCost;
    }

    struct Result {
        uint256 position;
        uint256 cost;
        uint256 fee;
    }

    function addCollateral(uint256 position, uint256 amount) external;
    function closePosition(Trade memory trade) external returns (Result memory);
    function forceClosePosition(Trade memory trade) external returns (Result memory);
    function getStrikeAndExpiry(uint256 strike) external view returns (uint256 price, uint256 expiry);
}

interface IGrantingPositions {
    struct Position {
        uint256 id;
        uint256 strike;
        uint8 kind;
        uint256 amount;
        uint256 collateral;
        uint8 state;
    }

    function getApproved(uint256 id) external view returns (address);
    function getOptionPosition(uint256 id) external view returns (Position memory);
    function isApprovedForAll(address owner, address operator) external view returns (bool);
    function ownerOf(uint256 id) external view returns (address);
    function transferFrom(address from, address to, uint256 id) external;
}

interface IGrantingSpot {
    function getSpotPriceForMarket(address market) external view returns (uint256);
}

interface IGrantingCoin {
    function allowance(address owner, address spender) external view returns (uint256);
    function balanceOf(address holder) external view returns (uint256);
}

/// @title AvalonGrant
/// @notice May take an owner's positions at a Lyra Avalon market (only an owner trades there), and does one thing with
/// them: buys back a part of a short, or all of it, and returns the position and all money in the same transaction. No
/// operator's money is touched, and none is paid to one. The account is the position's number, its one position 0.
/// @dev An approval for one position ends with its first transfer: `setApprovalForAll` lasts. Nobody sends positions
/// here by `safeTransferFrom`: what is sent otherwise is lost.
contract AvalonGrant is Grant {
    uint8 private constant ACTIVE = 1;
    uint8 private constant FIRST_SHORT = 2;
    uint8 private constant CALL_BASE = 2;
    uint8 private constant PUT = 4;
    bytes32 private constant POSITION = 0;

    IGrantingOptions public immutable MARKET;
    IGrantingPositions public immutable POSITIONS;
    IGrantingSpot public immutable SPOT;
    address public immutable DOLLARS;
    address public immutable TOKEN;

    error NotReducing(uint256 held);
    error NothingThere(address contract_);

    constructor(IGrantingOptions market, IGrantingPositions positions, IGrantingSpot spot, address dollars, address token) {
        address[5] memory all = [address(market), address(positions), address(spot), dollars, token];
        for (uint256 i; i < all.length; ++i) {
            if (all[i].code.length == 0) revert NothingThere(all[i]);
        }
        (MARKET, POSITIONS, SPOT, DOLLARS, TOKEN) = (market, positions, spot, dollars, token);
    }

    function ownerOf(bytes32 account) public view override returns (address) {
        try POSITIONS.ownerOf(uint256(account)) returns (address owner) {
            return owner;
        } catch {
            return address(0);
        }
    }

    /// @notice Whether the account's owner lets this contract take the position.
    function mayTake(bytes32 account) external view returns (bool) {
        address owner = ownerOf(account);
        if (owner == address(0)) return false;
        return POSITIONS.getApproved(uint256(account)) == address(this)
            || POSITIONS.isApprovedForAll(owner, address(this));
    }

    /// @notice Dollars of the owner's that this contract may pay with, where a position holds none.
    function dollarsOf(bytes32 account) external view returns (uint256) {
        address owner = ownerOf(account);
        uint256 has = IGrantingCoin(DOLLARS).balanceOf(owner);
        uint256 may = IGrantingCoin(DOLLARS).allowance(owner, address(this));
        return has < may ? has : may;
    }

    /// @notice Closes `amount` of a short for at most `most` dollars, `forced` where the market trades it no other way.
    /// They are taken from its collateral, and what closing did not cost goes back there; where its collateral is the
    /// token, they are the owner's own. What a whole closing leaves goes to the owner.
    function reduce(uint256 account, uint256 amount, uint256 most, bool forced) external onlyOperatorOf(bytes32(account)) {
        address owner = ownerOf(bytes32(account));
        IGrantingPositions.Position memory held = POSITIONS.getOptionPosition(account);
        if (held.state != ACTIVE || held.kind < FIRST_SHORT || amount > held.amount) revert NotReducing(held.amount);
        _count(bytes32(account), POSITION, amount, held.amount);
        uint256 bound = _mostFor(held, amount);
        if (most > bound) revert WorsePriceThanAllowed(bound);

        bool whole = amount == held.amount;
        POSITIONS.transferFrom(owner, address(this), account);
        if (held.kind == CALL_BASE) {
            _call(DOLLARS, abi.encodeWithSignature("transferFrom(address,address,uint256)", owner, this, most));
            _allow(most);
            _close(held, amount, whole ? 0 : held.collateral, most, forced);
            _allow(0);
        } else if (whole) {
            _close(held, amount, 0, most, forced);
        } else {
            uint256 spare = most - _close(held, amount, held.collateral - most, most, forced);
            if (spare != 0) {
                _allow(spare);
                MARKET.addCollateral(account, spare);
            }
        }
        if (!whole) POSITIONS.transferFrom(address(this), owner, account);
        _giveAll(DOLLARS, owner);
        _giveAll(TOKEN, owner);
    }

    /// @dev What the options would pay if they ended now, and the owner's share of the spot besides.
    function _mostFor(IGrantingPositions.Position memory held, uint256 amount) private view returns (uint256) {
        (uint256 price,) = MARKET.getStrikeAndExpiry(held.strike);
        uint256 spot = SPOT.getSpotPriceForMarket(address(MARKET));
        (uint256 high, uint256 low) = held.kind == PUT ? (price, spot) : (spot, price);
        uint256 pays = high > low ? high - low : 0;
        return (pays + spot * shareOf(bytes32(held.id)) / ONE) * amount / ONE;
    }

    function _close(
        IGrantingPositions.Position memory held,
        uint256 amount,
        uint256 collateral,
        uint256 most,
        bool forced
    ) private returns (uint256) {
        IGrantingOptions.Trade memory trade =
            IGrantingOptions.Trade(held.strike, held.id, 1, held.kind, amount, collateral, 0, most);
        return (forced ? MARKET.forceClosePosition(trade) : MARKET.closePosition(trade)).cost;
    }

    function _allow(uint256 amount) private {
        _call(DOLLARS, abi.encodeWithSignature("approve(address,uint256)", MARKET, amount));
    }

    function _giveAll(address token, address owner) private {
        uint256 left = IGrantingCoin(token).balanceOf(address(this));
        if (left != 0) _call(token, abi.encodeWithSignature("transfer(address,uint256)", owner, left));
    }
}
