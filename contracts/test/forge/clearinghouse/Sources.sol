// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Markets} from "../../../src/clearinghouse/Markets.sol";
import {IOptions} from "../../../src/clearinghouse/Markets.sol";
import {IIndexes, Options} from "../../../src/clearinghouse/Options.sol";
import {Feed} from "../../../src/clearinghouse/Feeds.sol";
import {Instrument, Kind, Leg} from "../../../src/clearinghouse/Types.sol";
import {RoundsFeed, SurfaceFeed, TokenOfDecimals} from "../../clearinghouse/SourceStandIns.sol";
import {vm} from "../StandIns.sol";

/// @notice Markets of two underlyings (2,000 and 30,000) and two collaterals, and options on the first.
abstract contract TwoMarkets {
    uint256 internal constant WAD = 1e18;
    uint256 internal constant BEGIN = 1_750_000_000;
    uint32 internal constant HEARTBEAT = 1 hours;
    uint8 internal constant ETH = 0;
    uint8 internal constant BTC = 1;
    address internal constant HOUSE = address(0xC1EA);

    RoundsFeed internal eth;
    RoundsFeed internal btc;
    RoundsFeed internal usd;
    SurfaceFeed internal surface;
    Markets internal markets;
    Options internal options;
    uint40 internal expiry = uint40(BEGIN + 30 days);

    function build() internal {
        vm.warp(BEGIN);
        (eth, btc, usd) = (new RoundsFeed(8, 2_000e8), new RoundsFeed(18, 30_000e18), new RoundsFeed(8, 0.999e8));
        surface = new SurfaceFeed();
        markets = new Markets(address(this));
        options = new Options(address(this), IIndexes(address(markets)));
        markets.connect(HOUSE, IOptions(address(options)));
        markets.setUnderlying(ETH, terms(eth, 100e8, 100_000e8));
        markets.setUnderlying(BTC, terms(btc, 1_000e18, 1_000_000e18));
        markets.setCollateral(0, pledge(usd, new TokenOfDecimals(6), 0.9e8, 1.1e8, 1_000_000e6));
        markets.setCollateral(1, pledge(eth, new TokenOfDecimals(18), 100e8, 100_000e8, 500e18));
        options.open(ETH, expiry, 50e9);
    }

    function terms(RoundsFeed feed, uint128 least, uint128 most) internal view returns (Markets.Underlying memory) {
        return Markets.Underlying({
            index: Feed(address(feed), HEARTBEAT, 0, least, most),
            band: 0.05e18,
            fundingCap: 0.01e18,
            closing: 0.001e18,
            shortClosing: 0.004e18,
            volatility: address(surface),
            volatilityHeartbeat: 2 hours,
            leastVolatility: 0.1e18,
            mostVolatility: 3e18,
            mostSkew: 1e18
        });
    }

    function pledge(RoundsFeed feed, TokenOfDecimals token, uint128 least, uint128 most, uint128 step)
        internal
        pure
        returns (Markets.Collateral memory)
    {
        return Markets.Collateral(
            Feed(address(feed), HEARTBEAT, 0, least, most), step, 0.1e18, 0.2e18, address(token), 0, 1e24
        );
    }

    function list(Kind kind, uint64 strike) internal returns (uint32) {
        return options.list(Instrument(kind, ETH, expiry, strike));
    }

    function leg(uint32 instrument, int64 size, int128 cost) internal pure returns (Leg[] memory legs) {
        legs = new Leg[](1);
        legs[0] = Leg(instrument, size, cost);
    }

    /// @dev Time goes on and the feeds with it.
    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
        refresh(2_000e8);
    }

    function refresh(int256 price) internal {
        eth.push(price);
        btc.push(30_000e18);
        usd.push(0.999e8);
        surface.set(0.8e18, -0.2e18, block.timestamp);
    }
}
