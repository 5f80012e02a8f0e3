// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Markets} from "./Markets.sol";
import {Options} from "./Options.sol";
import {Quote, Snapshot, Snapshots, Spot, Surface} from "./Snapshots.sol";
import {Leg, Line, Pledge} from "./Types.sol";

/// @title Moments
/// @notice All that the value of accounts hangs on at a moment, and lines and pledges at a moment that is past: by the
/// arithmetic that `Markets` uses for the present one.
contract Moments {
    Markets public immutable markets;
    Options public immutable options;

    constructor(Markets markets_, Options options_) {
        (markets, options) = (markets_, options_);
    }

    /// @notice Everything there is, now.
    function snapshot() external view returns (Snapshot memory at) {
        uint256 count = markets.underlyings();
        uint40[][] memory live = new uint40[][](count);
        at.spots = new Spot[](count);
        count = 0;
        for (uint8 i; i < live.length; ++i) {
            at.spots[i] = markets.spotOf(i);
            live[i] = options.live(i);
            count += live[i].length;
        }
        at.surfaces = new Surface[](count);
        count = 0;
        for (uint8 i; i < live.length; ++i) {
            for (uint256 k; k < live[i].length; ++k) at.surfaces[count++] = markets.surfaceOf(i, live[i][k]);
        }
        at.quotes = new Quote[](markets.collaterals());
        for (uint256 i; i < at.quotes.length; ++i) at.quotes[i] = markets.quoteOf(i);
    }

    /// @notice `Markets.lines` at a moment's terms. What was settled since then was not yet, where the moment still has it.
    function linesAt(Snapshot memory at, Leg[] memory legs)
        external
        view
        returns (Line[] memory found, uint256 contingency)
    {
        uint32[] memory ids = new uint32[](legs.length);
        for (uint256 i; i < legs.length; ++i) ids[i] = legs[i].instrument;
        return Snapshots.lines(at, options.listings(ids), legs);
    }

    /// @notice `Markets.pledges` at a moment's terms.
    function pledgesAt(Snapshot memory at, uint256[] memory amounts) external pure returns (Pledge[] memory) {
        return Snapshots.pledges(at.quotes, amounts);
    }
}
