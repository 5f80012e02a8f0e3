// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {InPlace} from "./lens/InPlace.sol";

/// @title PerpV2Growth
/// @notice Laid over Perp v2's exchange: a market's funding as it was last settled, and from where its pool's moves are
/// limited, which no view tells.
contract PerpV2Growth is InPlace {
    uint256 private constant LIMIT_TICK = 208;
    uint256 private constant FIRST_TRADED = 209;
    uint256 private constant LAST_SETTLED = 210;
    uint256 private constant GROWTH = 211;
    uint256 private constant LIMIT_TIME = 214;

    /// @notice Premium and premium over root (Q96), when both were recorded, and when the market was first traded in.
    function growthOf(address base)
        external
        view
        returns (int256 premium, int256 overRoot, uint256 time, uint256 firstTraded)
    {
        bytes32 at = _valueOf(uint160(base), bytes32(GROWTH));
        (premium, overRoot) = (int256(_word(at, 0)), int256(_word(at, 1)));
        time = _word(_valueOf(uint160(base), bytes32(LAST_SETTLED)), 0);
        firstTraded = _word(_valueOf(uint160(base), bytes32(FIRST_TRADED)), 0);
    }

    /// @notice From which tick a trade's move is limited, and since when.
    function limitOf(address base) external view returns (int24 tick, uint256 time) {
        tick = int24(int256(_word(_valueOf(uint160(base), bytes32(LIMIT_TICK)), 0)));
        time = _word(_valueOf(uint160(base), bytes32(LIMIT_TIME)), 0);
    }
}
