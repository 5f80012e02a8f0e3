// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Feed, Feeds} from "../../../src/clearinghouse/Feeds.sol";
import {IOptions, Markets} from "../../../src/clearinghouse/Markets.sol";
import {Marks} from "../../../src/clearinghouse/Marks.sol";
import {Moments} from "../../../src/clearinghouse/Moments.sol";
import {Quote, Snapshot, Snapshots} from "../../../src/clearinghouse/Snapshots.sol";
import {Instrument, Kind, Leg, Line, Pledge} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";
import {RoundsFeed, TokenOfDecimals} from "../../clearinghouse/SourceStandIns.sol";
import {TwoMarkets} from "./Sources.sol";

contract MarketsTest is TwoMarkets {
    address private constant STRANGER = address(0xBAD);

    function setUp() public {
        build();
    }

    function _match(uint64 price) private {
        vm.prank(HOUSE);
        markets.matched(ETH, price);
    }

    function _mark() private view returns (uint256) {
        return markets.markOf(ETH);
    }

    function _premium() private view returns (int256 premium) {
        (,, premium,) = markets.trading(ETH);
    }

    // Prices.

    function test_pricesHaveNineDecimalsAndCollateralIsExact() public {
        check(markets.indexOf(ETH) == 2_000e9 && markets.indexOf(BTC) == 30_000e9, "index");
        btc.push(30_000e18 + 999_999_999);
        check(markets.indexOf(BTC) == 30_000e9, "rounded down");
        check(markets.priceOf(0) == 0.999e30 && markets.priceOf(1) == 2_000e18, "money of 10^18 units");
        check(markets.worth(0, 1e6) == 0.999e18 && markets.worth(1, 3) == 6_000, "worth");
        (address token, uint256 cap) = markets.collateral(0);
        check(token != address(0) && cap == 1e24 && markets.collaterals() == 2, "collateral");
    }

    function test_whatAFeedSaysIsRefusedWithItsAddress() public {
        address feed = address(eth);
        vm.warp(BEGIN + HEARTBEAT);
        markets.indexOf(ETH);
        vm.warp(BEGIN + HEARTBEAT + 1);
        _refused(abi.encodeWithSelector(Feeds.StalePrice.selector, feed, BEGIN));
        eth.pushAt(2_000e8, block.timestamp + 1);
        _refused(abi.encodeWithSelector(Feeds.StalePrice.selector, feed, block.timestamp + 1));
        int256[4] memory wrong = [int256(100e8) - 1, 100_000e8 + 1, 0, -1];
        for (uint256 i; i < wrong.length; ++i) {
            eth.push(wrong[i]);
            _refused(abi.encodeWithSelector(Feeds.PriceOutOfBounds.selector, feed, wrong[i]));
        }
        eth.push(2_000e8);
        eth.fail(RoundsFeed.Failure.Reverts);
        _refused(abi.encodeWithSelector(Feeds.FeedFailed.selector, feed));
        eth.fail(RoundsFeed.Failure.AnswersShort);
        _refused(abi.encodeWithSelector(Feeds.FeedFailed.selector, feed));
    }

    function _refused(bytes memory reason) private {
        vm.expectRevert(reason);
        markets.indexOf(ETH);
        vm.expectRevert(reason);
        markets.lines(leg(0, 1e9, 0));
        vm.expectRevert(reason);
        markets.accrue(ETH);
        // The other underlying and the other collateral have nothing to do with it.
        if (block.timestamp > BEGIN + HEARTBEAT) btc.push(30_000e18);
        if (block.timestamp > BEGIN + HEARTBEAT) usd.push(0.999e8);
        markets.lines(leg(1, 1e9, 0));
        uint256[] memory amounts = new uint256[](2);
        amounts[0] = 1e6;
        check(markets.pledges(amounts).length == 1, "needs no other feed");
        amounts[1] = 1;
        vm.expectRevert(reason);
        markets.pledges(amounts);
    }

    function test_volatilityIsRefusedAndPerpetualsDoNotNeedIt() public {
        uint32 call = list(Kind.Call, 2_000e9);
        Leg[] memory legs = leg(call, 1e9, 0);
        uint256 old = block.timestamp;
        vm.warp(old + 2 hours + 1);
        eth.push(2_000e8);
        vm.expectRevert(abi.encodeWithSelector(Feeds.StaleVolatility.selector, address(surface), old));
        markets.lines(legs);
        uint256[3] memory levels = [uint256(0.1e18) - 1, 3e18 + 1, 1e18];
        int256[3] memory skews = [int256(0), 0, 1e18 + 1];
        for (uint256 i; i < 3; ++i) {
            surface.set(levels[i], skews[i], block.timestamp);
            vm.expectRevert(
                abi.encodeWithSelector(Feeds.VolatilityOutOfBounds.selector, address(surface), levels[i], skews[i])
            );
            markets.markOf(call);
        }
        markets.lines(leg(0, 1e9, 0));
    }

    // Mark and funding.

    function testFuzz_theMarkIsTheMedianWithinTheBand(uint64 index, int64 premium, uint64 last, uint64 band) public pure {
        index = 1 + index % uint64(type(int64).max);
        last %= uint64(type(int64).max);
        int256 most = Marks.share(index, band % WAD);
        uint256 mark = Marks.mark(index, premium, last, most);
        int256[3] memory prices = [int256(uint256(index)), 0, 0];
        prices[1] = prices[0] + premium;
        prices[2] = last == 0 ? prices[0] : int256(uint256(last));
        if (prices[0] > prices[1]) (prices[0], prices[1]) = (prices[1], prices[0]);
        if (prices[1] > prices[2]) (prices[1], prices[2]) = (prices[2], prices[1]);
        if (prices[0] > prices[1]) (prices[0], prices[1]) = (prices[1], prices[0]);
        int256 median = prices[1] - int256(uint256(index));
        check(int256(mark) - int256(uint256(index)) == Marks.clamped(median, most), "median");
        check(mark > 0, "a price");
    }

    function test_withoutAMatchTheMarkIsTheIndex() public {
        check(_mark() == 2_000e9, "at first");
        pass(1 days);
        check(markets.accrue(ETH) == 0 && _mark() == 2_000e9, "and later");
    }

    /// @dev Whoever matches themselves at any price moves neither mark nor average nor funding in that block, and later the
    /// average by no more than the share of time that the match stands, of the band.
    function testFuzz_matchingOneselfMovesNothing(uint64 price, uint16 wait) public {
        pass(1 hours);
        markets.accrue(ETH);
        int256 funding = markets.funding(ETH);
        _match(price);
        check(_mark() == 2_000e9 && markets.funding(ETH) == funding && _premium() == 0, "moved");
        _match(2_000e9);
        _match(price);
        check(_mark() == 2_000e9 && markets.funding(ETH) == funding && _premium() == 0, "moved");
        uint256 time = 1 + wait % 1 hours;
        pass(time);
        markets.accrue(ETH);
        int256 most = int256(100e9 * time / (30 minutes + time));
        int256 premium = _premium();
        check(premium <= most && premium >= -most, "average");
        int256 paid = most * int256(time) / 8 hours + 1;
        check(markets.funding(ETH) <= paid && markets.funding(ETH) >= -paid, "funding");
    }

    function test_aPremiumThatStandsIsPaidByLongsToShorts() public {
        _match(2_020e9);
        pass(30 minutes);
        check(markets.accrue(ETH) == int256(10e9) * 30 minutes / 8 hours, "half of it by now");
        check(_premium() == 10e9 && _mark() == 2_010e9, "half of the average");
        for (uint256 i; i < 48; ++i) {
            pass(30 minutes);
            markets.accrue(ETH);
        }
        check(_mark() > 2_019e9 && _mark() <= 2_020e9, "all of it in a day");
        // No more than 1 % of the index in eight hours.
        _match(2_100e9);
        pass(8 hours);
        int256 before = markets.accrue(ETH);
        pass(8 hours);
        check(_mark() > 2_080e9 && markets.accrue(ETH) - before == 20e9, "capped");
    }

    function testFuzz_accruingOftenOrSeldomPaysTheSameOfAStandingMark(uint8 times) public {
        // An average that has arrived does not move; then only time counts.
        _match(2_020e9);
        pass(1_000 days);
        markets.accrue(ETH);
        uint256 count = 1 + times % 16;
        (,,, int256 integral) = markets.trading(ETH);
        int256 premium = int256(_mark()) - 2_000e9;
        for (uint256 i; i < count; ++i) {
            pass(7);
            markets.accrue(ETH);
        }
        (,,, int256 later) = markets.trading(ETH);
        int256 time = int256(count * 7);
        int256 most = 20e9 * time;
        check(later - integral >= premium * time && later - integral <= most, "exact");
        check(markets.funding(ETH) == later / 8 hours, "one integer");
    }

    /// @dev Profit is size * (mark - funding) - cost: what one side has, the other has not, to the unit.
    function testFuzz_whatLongsPayShortsGet(uint64 price, int64 size, uint16 wait, bool above) public {
        size = size == type(int64).min ? int64(1) : size;
        price = uint64(1_900e9 + price % 200e9);
        _match(price);
        int256 cost = int256(size) * (int256(uint256(price)) - markets.accrue(ETH));
        vm.warp(block.timestamp + wait);
        refresh(above ? int256(2_100e8) : int256(1_900e8));
        (Line[] memory one,) = markets.lines(leg(0, size, int128(cost)));
        (Line[] memory other,) = markets.lines(leg(0, -size, int128(-cost)));
        int256 mark = int256(uint256(one[0].price));
        check(int256(size) * mark - one[0].carried == -(-int256(size) * mark - other[0].carried), "zero sum");
        check(one[0].carried == cost + int256(size) * markets.funding(ETH), "carried");
        int256 pending = markets.funding(ETH);
        check(markets.accrue(ETH) == pending, "views have the part that is pending");
    }

    function test_onlyTheClearinghouseMatches() public {
        vm.expectRevert(abi.encodeWithSelector(Markets.NotTheClearinghouse.selector));
        markets.matched(ETH, 2_000e9);
        vm.expectRevert(abi.encodeWithSelector(Markets.BadTerms.selector));
        markets.connect(STRANGER, IOptions(STRANGER));
    }

    // Portfolios.

    function _legs() private returns (Leg[] memory legs) {
        legs = new Leg[](5);
        legs[0] = Leg(ETH, -3e9, -5e21);
        legs[1] = Leg(list(Kind.Call, 2_200e9), 2e9, 0);
        legs[2] = Leg(list(Kind.Put, 1_800e9), -4e9, 0);
        legs[3] = Leg(BTC, 1e8, 3e21);
        legs[4] = Leg(list(Kind.Call, 2_500e9), -1, 0);
    }

    function test_linesHaveWhatAValueHangsOn() public {
        Leg[] memory legs = _legs();
        _match(2_010e9);
        pass(1 hours);
        (Line[] memory lines, uint256 contingency) = markets.lines(legs);
        check(lines[0].price == _mark() && lines[0].price > 2_000e9, "mark");
        check(lines[0].carried == -5e21 - 3e9 * markets.funding(ETH), "carried");
        check(lines[1].price == 2_000e9 && lines[1].open == WAD && lines[1].settled == 0, "option");
        check(lines[1].strike == 2_200e9 && lines[1].kind == Kind.Call && lines[2].kind == Kind.Put, "terms");
        // 0.8 * (1 - 0.2 * 200 / 2000) and 0.8 * (1 + 0.2 * 200 / 2000), for 30 days less an hour.
        check(lines[1].deviation < lines[2].deviation, "skew");
        check(lines[1].deviation > 0.21e18 && lines[1].deviation < 0.23e18, "deviation");
        // 3 * 2000 * 0.001 + 2 * 2000 * 0.001 + 4 * 2000 * 0.005 + 0.1 * 30000 * 0.001 + 1e-9 * 2000 * 0.005.
        check(contingency == 6e18 + 4e18 + 40e18 + 3e18 + 1e10, "contingency");
    }

    function test_aMomentHasTheSameLinesAndPledgesLater() public {
        Moments moments = new Moments(markets, options);
        options.open(BTC, expiry, 1e9);
        Leg[] memory legs = _legs();
        uint256[] memory amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (5_000_000e6, 3e18);
        _match(2_010e9);
        pass(1 hours);
        bytes memory lines;
        {
            (Line[] memory found, uint256 contingency) = markets.lines(legs);
            lines = abi.encode(found, contingency);
        }
        bytes memory pledges = abi.encode(markets.pledges(amounts));
        Snapshot memory at = moments.snapshot();
        check(at.spots.length == 2 && at.surfaces.length == 2 && at.quotes.length == 2, "everything");
        pass(1 days);
        _match(1_950e9);
        (Line[] memory then, uint256 cost) = moments.linesAt(at, legs);
        check(keccak256(abi.encode(then, cost)) == keccak256(lines), "lines");
        check(keccak256(abi.encode(moments.pledgesAt(at, amounts))) == keccak256(pledges), "pledges");
        // What the moment does not have is not made up.
        Instrument memory later = Instrument(Kind.Call, ETH, expiry + 1 days, 2_000e9);
        options.open(ETH, later.expiry, 1e9);
        legs = leg(options.list(later), 1, 0);
        vm.expectRevert(abi.encodeWithSelector(Snapshots.NotInSnapshot.selector, ETH, later.expiry));
        moments.linesAt(at, legs);
    }

    function test_collateralBeyondTheStepCountsForLess() public view {
        uint256[] memory amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (1_000_000e6, 0);
        Pledge[] memory found = markets.pledges(amounts);
        check(found.length == 1 && found[0].token == 0 && found[0].value == 899_100e18, "up to the step");
        (amounts[0], amounts[1]) = (1_000_000e6 + 1, 501e18 + 1);
        found = markets.pledges(amounts);
        check(found[0].value == 899_100e18 + 0.7e12 * 0.999, "beyond");
        check(found[1].value == 500 * 1_800e18 + 1_400e18 + 1_400, "rounded down");
    }

    function testFuzz_pledgesAreRoundedDownOnce(uint96 amount, uint80 step, uint64 haircut, uint64 further, uint96 price)
        public
        pure
    {
        uint64 first = uint64(haircut % WAD);
        uint64 second = uint64(further % (WAD - first));
        uint256 found = Snapshots.pledged(Quote(price, step, first, second), amount);
        uint256 kept = amount < step ? amount : step;
        uint256 exact = (kept * (WAD - first) + (amount - kept) * (WAD - first - second)) * price;
        check(found == exact / 1e36, "once");
    }

    // Governance.

    function test_onlyTheOwnerGoverns() public {
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER);
        Markets.Underlying memory underlying = markets.underlying(0);
        Markets.Collateral memory collateral = markets.collateralTerms(0);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        markets.setUnderlying(0, underlying);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        markets.setCollateral(0, collateral);
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        markets.connect(STRANGER, IOptions(STRANGER));
    }

    function test_termsThatWouldBreakSomethingAreRefused() public {
        for (uint256 i; i < 9; ++i) {
            Markets.Underlying memory bad = markets.underlying(0);
            if (i == 0) bad.band = 1e18;
            if (i == 1) bad.fundingCap = 1e18;
            if (i == 2) bad.index.most = uint128(type(uint64).max);
            if (i == 3) bad.index.least = 0;
            if (i == 4) (bad.index.least, bad.index.most) = (2, 1);
            if (i == 5) bad.index.heartbeat = 0;
            if (i == 6) bad.leastVolatility = 0;
            if (i == 7) bad.mostSkew = 10e18 + 1;
            if (i == 8) bad.closing = 1e18 + 1;
            vm.expectRevert(abi.encodeWithSelector(Markets.BadTerms.selector));
            markets.setUnderlying(0, bad);
        }
        for (uint256 i; i < 3; ++i) {
            Markets.Collateral memory bad = markets.collateralTerms(0);
            if (i == 0) bad.haircut = 0.9e18;
            if (i == 1) bad.token = address(new TokenOfDecimals(6));
            if (i == 2) bad.price.least = 0;
            vm.expectRevert(abi.encodeWithSelector(Markets.BadTerms.selector));
            markets.setCollateral(0, bad);
        }
        TokenOfDecimals many = new TokenOfDecimals(29);
        Markets.Collateral memory odd = pledge(usd, many, 1, 2, 0);
        vm.expectRevert(abi.encodeWithSelector(Markets.BadTerms.selector));
        markets.setCollateral(2, odd);
        Markets.Underlying memory beyond = markets.underlying(0);
        vm.expectRevert(abi.encodeWithSelector(Markets.NoSuchUnderlying.selector, 3));
        markets.setUnderlying(3, beyond);
    }

    function test_newTermsCountFromNowOnAndADeadFeedCanBeReplaced() public {
        _match(2_020e9);
        pass(30 minutes);
        int256 before = markets.funding(ETH);
        Markets.Underlying memory next = markets.underlying(0);
        next.fundingCap = 0;
        markets.setUnderlying(0, next);
        check(markets.funding(ETH) == before && before > 0, "what was until now stays");
        pass(1 hours);
        check(markets.funding(ETH) == before, "and nothing is added");
        eth.fail(RoundsFeed.Failure.Reverts);
        RoundsFeed other = new RoundsFeed(9, 1_999e9);
        next = terms(other, 100e9, 100_000e9);
        markets.setUnderlying(0, next);
        check(markets.indexOf(ETH) == 1_999e9, "another feed");
    }

    // Gas and size.

    function test_linesOfSixteenLegsAreCheapAndTheContractsFit() public {
        Leg[] memory legs = new Leg[](16);
        for (uint32 i; i < 16; ++i) {
            legs[i] = Leg(i < 2 ? i : list(i % 2 == 0 ? Kind.Call : Kind.Put, 1_600e9 + 50e9 * i), 1e9, 0);
        }
        bytes memory question = abi.encodeCall(Markets.lines, (legs));
        uint256 left = gasleft();
        (bool ok,) = address(markets).staticcall(question);
        // Of which two feeds, a surface and their terms take some 65,000.
        check(ok && left - gasleft() < 212_000, "gas");
        check(address(markets).code.length < 24_576 && address(options).code.length < 24_576, "size");
        check(address(new Moments(markets, options)).code.length < 24_576, "size");
    }
}
