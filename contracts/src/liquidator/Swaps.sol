// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Expecting} from "./Expecting.sol";
import {Errors, IUniswapV3Pool, IVenue, Swap} from "./ILiquidator.sol";
import {Tokens} from "./Tokens.sol";

/// @notice Exchanges: on Uniswap v3 pools directly, elsewhere through an `IVenue`.
///
/// A Uniswap route is packed: token, pool, token, …, pool, token, in the direction of the exchange. Which pools are
/// good is the caller's business; a pool can only ever take what it is owed for the swap that is under way.
abstract contract Swaps is Expecting {
    using Tokens for address;

    /// The ends of Uniswap's price range, each moved inwards by one.
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;
    uint256 private constant WORD = 20;
    uint256 private constant HOP = 40;

    /// @dev Exchanges so that balances do not fall below `floors`: what lies above is sold, what is missing bought.
    function _swap(Swap memory order, address[] memory tokens, uint256[] memory floors) internal {
        (address from, address to) = (tokens[order.from], tokens[order.to]);
        (uint256 have, uint256 floor) = order.cover
            ? (floors[order.to] + order.extra, to.held())
            : (from.held(), floors[order.from]);
        if (have <= floor) return;
        uint256 amount = have - floor;
        if (order.venue != address(0)) _swapAt(order, from, to, amount);
        else if (order.cover) _buy(order.route, amount, address(this));
        else _sell(order.route, amount);
    }

    /* UNISWAP V3 */

    /// @dev Sells exactly `amount` of the route's first token, pool after pool.
    function _sell(bytes memory route, uint256 amount) private {
        for (uint256 at; at + WORD < route.length; at += HOP) {
            (address from, address pool, address to) = _hop(route, at);
            amount = uint256(-_trade(pool, address(this), from < to, int256(amount), abi.encode(from)));
        }
    }

    /// @dev Buys exactly `amount` of the route's last token for `receiver`: the last pool first, each paid by the
    /// one before it.
    function _buy(bytes memory route, uint256 amount, address receiver) private {
        uint256 last = route.length - WORD - HOP;
        (address from, address pool, address to) = _hop(route, last);
        bytes memory rest = abi.encode(from);
        if (last != 0) {
            assembly ("memory-safe") {
                mstore(route, add(last, WORD))
            }
            rest = route;
        }
        int256 got = -_trade(pool, receiver, from < to, -int256(amount), rest);
        if (uint256(got) != amount) revert Errors.WrongAmount(uint256(got));
    }

    /// @return other The amount of the token that was not specified: negative when the pool paid it out.
    function _trade(address pool, address receiver, bool zeroForOne, int256 amount, bytes memory data)
        private
        returns (int256 other)
    {
        _expect(pool, this.uniswapV3SwapCallback.selector);
        uint160 limit = zeroForOne ? LOWEST : HIGHEST;
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool).swap(receiver, zeroForOne, amount, limit, data);
        _called();
        return amount0 < 0 ? amount0 : amount1;
    }

    /// @notice The pool of the swap under way asks for its money. `data` is the token it wants, or the route over
    /// which that is bought.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata data)
        external
        expectedFor(this.uniswapV3SwapCallback.selector)
    {
        uint256 owed = uint256(amount0 > 0 ? amount0 : amount1);
        if (data.length == 32) Tokens.give(abi.decode(data, (address)), msg.sender, owed);
        else _buy(data, owed, msg.sender);
    }

    function _hop(bytes memory route, uint256 at) private pure returns (address from, address pool, address to) {
        assembly ("memory-safe") {
            let start := add(add(route, 32), at)
            from := shr(96, mload(start))
            pool := shr(96, mload(add(start, 20)))
            to := shr(96, mload(add(start, 40)))
        }
    }

    /* OTHER VENUES */

    function _swapAt(Swap memory order, address from, address to, uint256 amount) private {
        if (order.cover) from.allow(order.venue, from.held());
        else from.give(order.venue, amount);
        IVenue(order.venue).swap(from, to, amount, order.cover, order.route);
        if (order.cover) from.disallow(order.venue);
    }
}
