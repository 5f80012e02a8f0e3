// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {InPlace} from "./lens/InPlace.sol";

/// @title PerpV2Ticks
/// @notice Laid over Perp v2's order book: fees of a market, and what grew beyond a tick, which no view tells.
contract PerpV2Ticks is InPlace {
    uint256 private constant TICKS = 208;
    uint256 private constant FEES = 209;

    /// @notice Fees a unit of liquidity since the market opened (Q128).
    function feesOf(address base) external view returns (uint256) {
        return _word(_valueOf(uint160(base), bytes32(FEES)), 0);
    }

    /// @notice Fees, premium and premium over root on the far side of a tick.
    function beyond(address base, int24 tick) external view returns (uint256 fee, int256 premium, int256 overRoot) {
        bytes32 ticks = _valueOf(uint160(base), bytes32(TICKS));
        bytes32 at = keccak256(abi.encode(int256(tick), ticks));
        (fee, premium, overRoot) = (_word(at, 0), int256(_word(at, 1)), int256(_word(at, 2)));
    }
}
