// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Instrument, Kind} from "./Types.sol";

/// @title Listing
/// @notice An instrument and what its expiry is settled at (0: not yet) in one word, in which sixteen pass cheaply from one
/// contract to another: kind in the lowest 8 bits, underlying in the next 8, expiry in 40, strike in 64, price in 64.
library Listing {
    function pack(Instrument memory terms) internal pure returns (uint256) {
        return uint256(terms.kind) | uint256(terms.underlying) << 8 | uint256(terms.expiry) << 16
            | uint256(terms.strike) << 56;
    }

    function with(uint256 listing, uint64 price) internal pure returns (uint256) {
        return listing | uint256(price) << 120;
    }

    function unpack(uint256 listing) internal pure returns (Instrument memory) {
        return Instrument(Kind(uint8(listing)), underlyingOf(listing), expiryOf(listing), uint64(listing >> 56));
    }

    function underlyingOf(uint256 listing) internal pure returns (uint8) {
        return uint8(listing >> 8);
    }

    /// @dev A perpetual's is 0.
    function expiryOf(uint256 listing) internal pure returns (uint40) {
        return uint40(listing >> 16);
    }

    /// @dev The same of all options that expire together.
    function surfaceOf(uint256 listing) internal pure returns (uint256) {
        return listing >> 8 & type(uint48).max;
    }

    function priceOf(uint256 listing) internal pure returns (uint64) {
        return uint64(listing >> 120);
    }
}
