// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Feeds} from "../../../src/clearinghouse/Feeds.sol";
import {Options} from "../../../src/clearinghouse/Options.sol";
import {Snapshots, Surface} from "../../../src/clearinghouse/Snapshots.sol";
import {Instrument, Kind, Line} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";
import {RoundsFeed} from "../../clearinghouse/SourceStandIns.sol";
import {TwoMarkets} from "./Sources.sol";

contract OptionsTest is TwoMarkets {
    address private constant STRANGER = address(0xBAD);
    uint256 private constant WINDOW = 30 minutes;

    uint32 private call;
    uint256 private start;

    function setUp() public {
        build();
        call = list(Kind.Call, 1_900e9);
        start = expiry - WINDOW;
    }

    function _at(uint256 time, int256 price) private {
        vm.warp(time);
        refresh(price);
    }

    function _observe(uint256 time, int256 price) private {
        _at(time, price);
        options.observe(ETH, expiry);
    }

    /// @dev Every three minutes until the end, at a price.
    function _observeAll(int256 price) private {
        for (uint256 i = 1; i <= 10; ++i) _observe(start + 180 * i, price);
    }

    function _line() private view returns (Line memory) {
        (Line[] memory lines,) = markets.lines(leg(call, -1e9, 0));
        return lines[0];
    }

    // Listing.

    function test_anybodyListsStrikesOfAnOpenExpiryOnce() public {
        Instrument memory terms = Instrument(Kind.Put, ETH, expiry, 2_050e9);
        vm.prank(STRANGER);
        uint32 id = options.list(terms);
        check(id == 9 && options.numberOf(terms) == 9 && options.list(terms) == 9 && options.count() == 2, "once");
        check(keccak256(abi.encode(markets.instrument(id))) == keccak256(abi.encode(terms)), "terms");
        check(markets.instrument(1).kind == Kind.Perpetual && markets.instrument(1).underlying == BTC, "perpetual");
        vm.expectRevert(abi.encodeWithSelector(Options.NoSuchOption.selector, 10));
        markets.instrument(10);
        vm.expectRevert();
        markets.instrument(2);
        vm.expectRevert();
        markets.lines(leg(2, 1, 0));
    }

    function test_whatCannotBeListedIsRefused() public {
        Instrument[4] memory wrong = [
            Instrument(Kind.Perpetual, ETH, expiry, 2_000e9),
            Instrument(Kind.Call, ETH, expiry, 0),
            Instrument(Kind.Call, ETH, expiry, 2_001e9),
            Instrument(Kind.Call, ETH, expiry, type(uint64).max / 50e9 * 50e9)
        ];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Options.BadTerms.selector));
            options.list(wrong[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(Options.NoSuchExpiry.selector, BTC, expiry));
        options.list(Instrument(Kind.Call, BTC, expiry, 50e9));
        vm.warp(start);
        vm.expectRevert(abi.encodeWithSelector(Options.TooLate.selector, start));
        options.list(Instrument(Kind.Call, ETH, expiry, 2_000e9));
    }

    function test_theOwnerOpensSoManyExpiries() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        options.open(ETH, expiry + 1, 1);
        uint40[3] memory times = [uint40(BEGIN + WINDOW), expiry, expiry + 1];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Options.BadTerms.selector));
            options.open(ETH, times[i], i == 2 ? 0 : 1);
        }
        for (uint40 i = 1; i < 6; ++i) options.open(ETH, expiry + i, 1);
        vm.expectRevert(abi.encodeWithSelector(Options.TooManyExpiries.selector));
        options.open(ETH, expiry + 6, 1);
        _observeAll(2_000e8);
        options.settle(ETH, expiry);
        check(options.live(ETH).length == 5, "one less");
        options.open(ETH, expiry + 1 days, 1);
        vm.expectRevert();
        options.open(2, expiry, 1);
    }

    // In the window.

    function test_anObservationFixesAPartAndLeavesTheForwardWhereItIs() public {
        vm.warp(start);
        vm.expectRevert(abi.encodeWithSelector(Options.NotYet.selector, start + 1));
        options.observe(ETH, expiry);
        check(_open() == WAD, "all of it moves");
        _at(start + 600, 2_100e8);
        check(_open() == WAD, "until somebody observes");
        options.observe(ETH, expiry);
        Line memory line = _line();
        check(line.settled == 700e9 && line.open == WAD * 1200 / 1800, "a third");
        // 700 + 2100 * 2/3 = 2100, as before, to the rounding of the share.
        check(line.settled + line.price * line.open / WAD >= 2_100e9 - 2, "the same forward");
        options.observe(ETH, expiry);
        check(_line().settled == 700e9, "once a block");
        _observe(start + 900, 1_800e8);
        check(_line().settled == 1_000e9 && _open() == WAD / 2, "half");
    }

    function _open() private view returns (uint256 open) {
        (, open) = options.averaged(ETH, expiry);
    }

    function test_onlyWhatStillMovesDeviates() public {
        _observe(start + 900, 2_000e8);
        uint256 half = _line().deviation;
        uint256 whole = Snapshots.deviation(_surfaceOf(WAD, 0), 2_000e9, 1_900e9);
        check(half == whole / 2, "half of it");
        _observe(expiry, 2_000e8);
        Line memory line = _line();
        check(line.deviation == 0 && line.open == 0 && line.settled == 2_000e9, "nothing moves");
    }

    function _surfaceOf(uint256 open, uint256 settled) private view returns (Surface memory) {
        Surface memory found = markets.surfaceOf(ETH, expiry);
        (found.open, found.settled) = (open, settled);
        return found;
    }

    function testFuzz_theAverageIsThatOfItsObservations(uint256 seed) public {
        uint256 sum;
        uint256 last = start;
        uint256 longest;
        for (uint256 i; i < 12 && last < expiry; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 time = last + 1 + seed % 400;
            uint256 price = 1_500 + (seed >> 128) % 1_000;
            _observe(time, int256(price * 1e8));
            uint256 until = time < expiry ? time : expiry;
            sum += price * 1e9 * (until - last);
            if (time - last > longest) longest = time - last;
            last = until;
            Options.Expiry memory found = options.expiry(ETH, expiry);
            check(found.sum == sum && found.last == last && found.count == i + 1 && found.gap == longest, "sum");
            (uint256 settled, uint256 open) = options.averaged(ETH, expiry);
            check(settled == sum / WINDOW && open == WAD * (expiry - last) / WINDOW, "parts");
        }
    }

    // Settlement.

    function test_itSettlesAtTheAverageAndIsWorthTheSameInEveryScenario() public {
        _observeAll(2_000e8);
        check(!_settled(), "not by itself");
        options.settle(ETH, expiry);
        (bool done, uint64 price) = markets.settlement(ETH, expiry);
        check(done && price == 2_000e9 && options.live(ETH).length == 0, "settled");
        check(markets.markOf(call) == 100e9, "intrinsic value");
        // Nothing of it needs a feed any more.
        eth.fail(RoundsFeed.Failure.Reverts);
        (Line[] memory lines, uint256 contingency) = markets.lines(leg(call, -1e9, 0));
        check(lines[0].settled == 2_000e9 && lines[0].open == 0 && lines[0].deviation == 0, "line");
        check(contingency == 0 && lines[0].size == -1e9, "nothing to close");
        vm.expectRevert(abi.encodeWithSelector(Options.AlreadySettled.selector, ETH, expiry));
        options.settle(ETH, expiry);
        vm.expectRevert(abi.encodeWithSelector(Options.AlreadySettled.selector, ETH, expiry));
        options.settleByRounds(ETH, expiry, new uint80[](0));
    }

    function _settled() private view returns (bool done) {
        (done,) = options.settlement(ETH, expiry);
    }

    function test_theLastObservationMayBeMadeBySettling() public {
        for (uint256 i = 1; i <= 9; ++i) _observe(start + 190 * i, 2_000e8);
        vm.warp(expiry - 1);
        vm.expectRevert(abi.encodeWithSelector(Options.NotYet.selector, expiry));
        options.settle(ETH, expiry);
        // It stands from 1,710 seconds after the start.
        _at(expiry + 210, 2_000e8);
        options.settle(ETH, expiry);
        check(_settled(), "settled");
    }

    function test_tooFewOrTooFarApartDoNotSettleAndSayWhy() public {
        for (uint256 i = 1; i <= 8; ++i) _observe(start + 200 * i, 2_000e8);
        _at(expiry, 2_000e8);
        vm.expectRevert(abi.encodeWithSelector(Options.TooFewObservations.selector, 9, 200));
        options.settle(ETH, expiry);
        check(!_settled(), "waits");
    }

    function test_aLongGapDoesNotSettle() public {
        for (uint256 i = 1; i <= 12; ++i) _observe(start + 100 * i, 2_000e8);
        _at(start + 1_501, 2_000e8);
        _observe(start + 1_501, 2_000e8);
        _at(expiry, 2_000e8);
        vm.expectRevert(abi.encodeWithSelector(Options.TooFewObservations.selector, 14, 301));
        options.settle(ETH, expiry);
        // A stale feed closes nothing either, and says so.
        vm.warp(expiry + HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(Feeds.StalePrice.selector, address(eth), expiry));
        options.settle(ETH, expiry);
        check(!_settled(), "waits");
    }

    /// @dev Rounds: one before the window, then at 600, 1,200 and after the end.
    function _rounds() private returns (uint80[] memory rounds) {
        uint80 first = eth.last();
        eth.pushAt(1_000e8, start - 5);
        eth.pushAt(2_000e8, start + 600);
        eth.pushAt(3_000e8, start + 1_200);
        eth.pushAt(9_000e8, expiry + 10);
        rounds = new uint80[](4);
        for (uint80 i; i < 4; ++i) rounds[i] = first + 1 + i;
    }

    function test_theFeedsRoundsSettleWhereObservationsDoNot() public {
        uint80[] memory rounds = _rounds();
        vm.warp(expiry - 1);
        vm.expectRevert(abi.encodeWithSelector(Options.NotYet.selector, expiry));
        options.settleByRounds(ETH, expiry, rounds);
        vm.warp(expiry + 1 hours);
        options.settleByRounds(ETH, expiry, rounds);
        (, uint64 price) = options.settlement(ETH, expiry);
        check(price == 2_000e9, "(1000 + 2000 + 3000) / 3");
    }

    function test_roundsThatLeaveSomethingOutAreRefused() public {
        uint80[] memory rounds = _rounds();
        vm.warp(expiry + 1 hours);
        uint80 first = rounds[0];
        _missing(_part(rounds, 1, 4), first + 1);
        _missing(_part(rounds, 0, 3), first + 3);
        _missing(_part(rounds, 0, 0), 0);
        (rounds[1], rounds[2]) = (rounds[2], rounds[3]);
        _missing(_part(rounds, 0, 3), first + 2);
        (rounds[1], rounds[2]) = (first, first + 1);
        _missing(rounds, first);
        rounds[0] = first + 50;
        vm.expectRevert(abi.encodeWithSelector(Feeds.PriceOutOfBounds.selector, address(eth), 0));
        options.settleByRounds(ETH, expiry, rounds);
    }

    function _part(uint80[] memory rounds, uint256 from, uint256 end) private pure returns (uint80[] memory found) {
        found = new uint80[](end - from);
        for (uint256 i; i < found.length; ++i) found[i] = rounds[from + i];
    }

    function _missing(uint80[] memory rounds, uint256 round) private {
        vm.expectRevert(abi.encodeWithSelector(Options.RoundsMissing.selector, round));
        options.settleByRounds(ETH, expiry, rounds);
    }

    function test_roundsDoNotReplaceWhatWasObserved() public {
        _observeAll(2_000e8);
        uint80[] memory rounds = _rounds();
        vm.warp(expiry + 1 days);
        vm.expectRevert(abi.encodeWithSelector(Options.ObservationsSuffice.selector));
        options.settleByRounds(ETH, expiry, rounds);
        options.settle(ETH, expiry);
    }

    function test_roundsWaitForWhatMayStillBeObserved() public {
        for (uint256 i = 1; i <= 9; ++i) _observe(start + 190 * i, 2_000e8);
        uint80[] memory rounds = _rounds();
        vm.warp(start + 190 * 9 + 300);
        vm.expectRevert(abi.encodeWithSelector(Options.ObservationsSuffice.selector));
        options.settleByRounds(ETH, expiry, rounds);
        vm.warp(block.timestamp + 1);
        options.settleByRounds(ETH, expiry, rounds);
        check(_settled(), "now nobody can");
    }

    function testFuzz_roundsAverageAsTheyStood(uint256 seed) public {
        uint80 first = eth.last() + 1;
        uint256 time = start - seed % 100;
        uint256 sum;
        uint256 price;
        uint256 count;
        uint256 since = start;
        while (since < expiry) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 until = time < expiry ? time : expiry;
            if (until > since) (sum, since) = (sum + price * (until - since), until);
            price = 1_500e9 + (seed >> 128) % 1_000e9 / 10 * 10;
            eth.pushAt(int256(price / 10), time);
            ++count;
            time += seed % 500;
        }
        uint80[] memory rounds = new uint80[](count);
        for (uint80 i; i < count; ++i) rounds[i] = first + i;
        vm.warp(time + 1 hours);
        options.settleByRounds(ETH, expiry, rounds);
        (, uint64 found) = options.settlement(ETH, expiry);
        check(found == sum / WINDOW, "average");
    }

    function test_aPositionIsValuedAtWhatIsKnownUntilItSettles() public {
        _observe(start + 900, 2_000e8);
        _at(expiry + 1 days, 2_400e8);
        Line memory line = _line();
        check(line.settled == 1_000e9 && line.open == WAD / 2 && line.deviation == 0, "known");
        check(markets.markOf(call) == 300e9, "1000 + 2400 / 2 - 1900");
    }
}
