// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Clearinghouse, Terms} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Feed, Feeds} from "../../../src/clearinghouse/Feeds.sol";
import {Markets} from "../../../src/clearinghouse/Markets.sol";
import {Orders, Signed} from "../../../src/clearinghouse/Orders.sol";
import {Scenarios} from "../../../src/clearinghouse/Scenarios.sol";
import {Instrument, Kind} from "../../../src/clearinghouse/Types.sol";
import {HookToken, check, vm} from "../StandIns.sol";
import {FeedStandIn, House} from "./House.sol";
import {Jump} from "./Jump.sol";

/// @notice A collateral that calls back.
contract HookCoin is HookToken {
    uint8 public constant decimals = 18;
}

/// @notice An owner that says yes to every signature, as a contract may.
contract Agreeable {
    bool public agrees = true;

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        return agrees ? bytes4(0x1626ba7e) : bytes4(0);
    }

    function open(Clearinghouse house) external returns (uint256) {
        return house.open();
    }

    function refuse() external {
        agrees = false;
    }
}

/// @notice Whoever is after money: each way that was thought of, and why it is none.
contract AttacksTest is House {
    uint256 private constant ANN = 0xA11CE;
    uint256 private constant BOB = 0xB0B;
    uint256 private constant CAT = 0xCA7;
    uint256 private constant EVE = 0xE7E;

    function setUp() public {
        build();
    }

    /* COLLATERAL */

    function coin(address token, uint32 heartbeat) private returns (FeedStandIn feed) {
        feed = new FeedStandIn(1e8);
        Feed memory price = Feed(address(feed), heartbeat, 8, 1e4, 1e14);
        markets.setCollateral(1, Markets.Collateral(price, 1e24, 0.1e18, 0.1e18, token, 0, 1e30));
    }

    function other() private returns (HookCoin found) {
        found = new HookCoin();
        found.mint(address(this), 1e24);
        found.approve(address(house), 1e24);
    }

    function test_nobodyEscapesBehindACollateralThatNoScenarioMovesYet() public {
        coin(address(other()), 30 days);
        uint256 ann = rich(ANN, 25_000, 0);
        vm.expectRevert();
        house.deposit(ann, 1, 1);
        house.worst(ann, true);
    }

    /// @dev Which the scenarios have from the next day on.
    function moving(address token) private returns (FeedStandIn feed) {
        feed = coin(token, 2 days);
        uint256[] memory numbers = new uint256[](1);
        Scenarios.Bound[] memory bounds = new Scenarios.Bound[](1);
        (numbers[0], bounds[0]) = (33, Scenarios.Bound(1e15, 3e18, 0.1e18));
        scenarios.bound(numbers, bounds);
        bytes memory steps;
        for (int16 step = -2; step <= 2; ++step) {
            steps = abi.encodePacked(steps, step * 5_000, int16(10_000), step, step * 2_500, int16(10_000), step);
            steps = abi.encodePacked(steps, step * 5_000, step * 5_000);
        }
        scenarios.replace(2, 2, 5, steps);
        vm.warp(block.timestamp + 1 days);
    }

    function test_nobodyEscapesBehindACollateralWithoutAPrice() public {
        HookCoin token = other();
        FeedStandIn feed = moving(address(token));
        uint256 ann = rich(ANN, 25_000, 0);
        house.deposit(ann, 1, 1);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(abi.encodeWithSelector(Feeds.StalePrice.selector, address(feed), BEGIN));
        house.deposit(ann, 1, 1);
    }

    function test_aTokenThatCallsBackGetsNowhere() public {
        HookCoin token = other();
        moving(address(token));
        uint256 ann = rich(ANN, 25_000, 0);
        uint256 hook = house.accounts();
        token.hook(address(house), abi.encodeCall(Clearinghouse.open, ()));
        house.deposit(ann, 1, 1e18);
        check(house.ownerOf(hook) == address(token), "it may open an account");
        bytes[6] memory calls = [
            abi.encodeCall(Clearinghouse.deposit, (ann, 1, 1)),
            abi.encodeCall(Clearinghouse.withdrawCash, (hook, 0, address(token))),
            abi.encodeCall(Clearinghouse.withdraw, (hook, 1, 0, address(token))),
            abi.encodeCall(Clearinghouse.realize, (ann)),
            abi.encodeCall(Clearinghouse.absorb, (ann)),
            abi.encodeCall(Clearinghouse.liquidate, (ann, 0, 1, hook, 0))
        ];
        for (uint256 i; i < 6; ++i) {
            token.hook(address(house), calls[i]);
            vm.expectRevert(abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector));
            house.deposit(ann, 1, 1e18);
            vm.prank(vm.addr(ANN));
            vm.expectRevert(abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector));
            house.withdraw(ann, 1, 1, address(this));
        }
        check(house.pledged(1) == token.balanceOf(address(house)), "held");
    }

    function test_cashIsNoCollateral() public {
        coin(address(dollars), 30 days);
        uint256 ann = rich(ANN, 25_000, 0);
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.BadTerms.selector));
        house.deposit(ann, 1, 1_000 * DOLLAR);
    }

    /* DEBT */

    function test_dustDoesNotKeepAnEmptyAccountFromTheFund() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 1), rich(BOB, 100_000, 0));
        house.contribute(10_000 * DOLLAR);
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 1_300 * DOLLAR, address(this));
        eth.set(1_000e8);
        vm.prank(vm.addr(BOB));
        house.buyCollateral(ann, 0, 1e18, bob, type(uint128).max);
        check(house.cashOf(ann) == 0, "the fund has paid, before anybody gives it dust");
        check(unbalanced() == 0, "to the unit");
    }

    function test_aTakerOwesNoMoreThanTheCapForOptionsEither() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 1_000_000, 0), rich(BOB, 10_000_000, 0));
        uint32 deep = options.list(Instrument(Kind.Call, ETH, expiry, 100e9));
        traded(ANN, ann, BOB, bob, deep, 500 * ONE, 1_900e9);
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 150_000 * DOLLAR, address(this));
        eth.set(330e8);
        (, int256 value, uint256 scenario) = house.worst(ann, false);
        check(value < 0, "below");
        uint256 cat = rich(CAT, 0, 10_000);
        vm.prank(vm.addr(CAT));
        house.withdrawCash(cat, 90_000 * DOLLAR, address(this));
        house.call(ann, scenario);
        vm.warp(block.timestamp + 2 hours);
        vm.prank(vm.addr(CAT));
        try house.liquidate(ann, scenario, 0.3e18, cat, type(int128).max) {
            check(false, "over the cap");
        } catch (bytes memory reason) {
            check(bytes4(reason) == Clearinghouse.OwesTooMuch.selector, "for the cap");
        }
    }

    function test_interestIsOfWhoeverLentWhileItGrew() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 100), rich(BOB, 100_000, 0));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 10_000 * DOLLAR, address(this));
        vm.warp(block.timestamp + 365 days);
        eth.set(2_000e8);
        uint256 eve = rich(EVE, 10_000_000, 0);
        house.depositCash(ann, 0);
        check(house.cashOf(eve) == 10_000_000e18, "nothing for a moment");
        check(house.cashOf(bob) >= 100_000e18 + 500e18 - 1e6, "all for who lent");
        check(unbalanced() == 0, "to the unit");
    }

    function test_anotherRateIsOfTheTimeThatComes() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 100), rich(BOB, 100_000, 0));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 10_000 * DOLLAR, address(this));
        vm.warp(block.timestamp + 365 days);
        Terms memory terms = _terms();
        terms.rate = 0;
        house.setTerms(terms);
        vm.warp(block.timestamp + 365 days);
        check(house.cashOf(ann) == -10_500e18 && house.cashOf(bob) == 100_500e18, "what was due is due");
        eth.set(2_000e8);
        house.depositCash(bob, 0);
        house.depositCash(ann, 10_500 * DOLLAR);
        check(house.cashOf(ann) == 0 && unbalanced() == 0, "to the unit");
    }

    function test_anAccountThatIsNotThereHasNoPast() public {
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NoSuchAccount.selector, 77));
        house.absorb(77);
    }

    /* BLAME */

    function test_whatCollateralLostIsNotBlamedOnAPositionOfLongAgo() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 25_000, 0), rich(BOB, 10_000_000, 0));
        uint256 cat = rich(CAT, 1_000_000, 0);
        traded(BOB, bob, ANN, ann, ETH, 50 * ONE, 2_000e9);
        moved(2_200);
        (,, uint256 scenario) = house.worst(ann, false);
        house.call(ann, scenario);
        vm.warp(block.timestamp + 2 hours);
        vm.prank(vm.addr(CAT));
        house.liquidate(ann, scenario, 0.1e18, cat, type(int128).max);
        house.depositCash(ann, 1_000_000 * DOLLAR);
        traded(ANN, ann, BOB, bob, ETH, int64(-house.stateOf(ann).legs[0].size), 2_200e9);
        // All is well again. A year later there is nothing but a debt against ether, which falls too far.
        house.deposit(ann, 0, 100e18);
        int256 cash = house.cashOf(ann);
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, uint256(cash) / 1e12 + 90_000 * DOLLAR, address(this));
        eth.set(500e8);
        vm.prank(vm.addr(BOB));
        house.buyCollateral(ann, 0, 100e18, bob, type(uint128).max);
        house.absorb(ann);
        check(house.cashOf(ann) < 0, "goes on owing");
        check(house.shortfall(ETH, false) == 0, "no ether short is to blame");
        check(unbalanced() == 0, "to the unit");
    }

    /* RIGHTS */

    function test_anOperatorPaysOutToTheOwnerOnly() public {
        uint256 ann = rich(ANN, 25_000, 1);
        vm.prank(vm.addr(ANN));
        house.setOperator(vm.addr(EVE), true);
        vm.prank(vm.addr(EVE));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotAllowed.selector));
        house.withdrawCash(ann, 1, vm.addr(EVE));
        vm.prank(vm.addr(EVE));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotAllowed.selector));
        house.withdraw(ann, 0, 1, vm.addr(EVE));
        vm.prank(vm.addr(EVE));
        house.withdrawCash(ann, 1, vm.addr(ANN));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 1, vm.addr(EVE));
    }

    /* HALTED */

    function test_noProfitLeavesAHaltedMarketByAnother() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 1_000_000, 0));
        uint256 eve = rich(EVE, 100_000, 0);
        traded(ANN, ann, BOB, bob, ETH, 50 * ONE, 2_000e9);
        moved(3_000);
        house.halt(ETH, true);
        // Bitcoin bought for far too much from an account of her own.
        Signed memory buy = signed(ANN, ann, BTC, ONE / 10, 1_000_000e9);
        Signed memory sell = signed(EVE, eve, BTC, -ONE / 10, 1_000_000e9);
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.InstrumentHalted.selector, ETH));
        orders.trade(buy, sell, uint64(ONE / 10));
    }

    function test_neitherRealizingNorSettlingTakesProfitOutOfAHaltedMarket() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 1_000_000, 0));
        traded(ANN, ann, BOB, bob, ETH, 50 * ONE, 2_000e9);
        moved(3_000);
        house.halt(ETH, true);
        house.realize(ann);
        check(house.cashOf(ann) == 100_000e18, "stays");
        vm.prank(vm.addr(ANN));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.InstrumentHalted.selector, ETH));
        house.withdrawCash(ann, 1, address(this));
    }

    /* SLICES */

    function test_aThousandTinySlicesTakeNoMoreThanOne() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 25_000, 0), rich(BOB, 1_000_000, 0));
        traded(BOB, bob, ANN, ann, ETH, 50 * ONE, 2_000e9);
        uint256 cat = rich(CAT, 1_000_000, 0);
        moved(2_200);
        (,, uint256 scenario) = house.worst(ann, false);
        house.call(ann, scenario);
        vm.warp(block.timestamp + 2 hours);
        (int256 equity, int256 value) = house.valueIn(ann, scenario);
        for (uint256 i; i < 200; ++i) {
            vm.prank(vm.addr(CAT));
            house.liquidate(ann, scenario, 1, cat, type(int256).max);
        }
        (int256 left, int256 after_) = house.valueIn(ann, scenario);
        check(left >= equity - 1e6 && after_ >= value - 1e6, "nothing is lost");
        check(house.openInterest(ETH) == 50e9 + 1 && unbalanced() == 0, "to the unit");
    }

    function test_dustOfOneUnitDoesNotKeepALegFromBeingTaken() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 25_000, 0), rich(BOB, 1_000_000, 0));
        traded(BOB, bob, ANN, ann, ETH, 50 * ONE, 2_000e9);
        traded(ANN, ann, BOB, bob, call, 1, markets.markOf(call));
        traded(BOB, bob, ANN, ann, put, 1, markets.markOf(put));
        uint256 cat = rich(CAT, 1_000_000, 0);
        moved(2_200);
        (,, uint256 scenario) = house.worst(ann, false);
        house.call(ann, scenario);
        vm.warp(block.timestamp + 2 hours);
        vm.prank(vm.addr(CAT));
        house.liquidate(ann, scenario, 0.1e18, cat, type(int256).max);
        check(house.stateOf(ann).legs.length == 1 && house.stateOf(cat).legs.length == 3, "dust goes whole");
    }

    /* THE FUND */

    /// @dev Both sides are one's own, and so is the taker: all three together have no more than without the fund's first
    /// discount on what the price has taken away.
    function test_bothSidesInOneHandTakeFromTheFundWhatAGapTakesAndTheFirstDiscount() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 25_000, 0), rich(BOB, 1_000_000, 0));
        uint256 cat = rich(CAT, 1_000_000, 0);
        house.contribute(100_000 * DOLLAR);
        traded(BOB, bob, ANN, ann, ETH, 50 * ONE, 2_000e9);
        moved(2_480);
        (,, uint256 scenario) = house.worst(ann, false);
        (int256 equity, int256 value) = house.valueIn(ann, scenario);
        check(equity > 0, "barely solvent");
        house.call(ann, scenario);
        vm.prank(vm.addr(CAT));
        house.liquidate(ann, scenario, 1e18, cat, type(int256).max);
        (,,,, uint256 fund,,) = house.ledger();
        int256 lost = 100_000e18 - int256(fund);
        check(lost <= (equity - value) / 20 - equity + 1e6 && lost >= 0, "no more than the first discount");
        check(unbalanced() == 0, "to the unit");
    }

    /* TRADES */

    function test_atNoPriceDoesMoneyLeaveAnAccountBelowInitialMargin() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 25_000, 0), rich(EVE, 100, 0));
        uint64[5] memory prices = [uint64(0), 1, 1e9, 100_000e9, type(uint64).max];
        for (uint256 i; i < 5; ++i) {
            for (uint32 k; k < 3; ++k) {
                uint32 what = [uint32(ETH), call, put][k];
                try this.trading(ANN, ann, EVE, bob, what, 10 * ONE, prices[i]) {} catch {}
                try this.trading(EVE, bob, ANN, ann, what, 10 * ONE, prices[i]) {} catch {}
                (, int256 anns,) = house.worst(ann, true);
                (, int256 bobs,) = house.worst(bob, true);
                check(anns >= 0 && bobs >= 0, "both stand");
            }
        }
        house.realize(ann);
        house.realize(bob);
        check(unbalanced() == 0, "to the unit");
    }

    function trading(uint256 key, uint256 buyer, uint256 other_, uint256 seller, uint32 what, int64 size, uint64 price)
        external
    {
        traded(key, buyer, other_, seller, what, size, price);
    }

    function testFuzz_extremeSizesAndPricesAreRefusedOrExact(int64 size, uint64 price, uint256 which) public {
        (uint256 ann, uint256 bob) = (rich(ANN, 400_000_000, 0), rich(EVE, 400_000_000, 0));
        if (size <= 0) size = size < -type(int64).max ? type(int64).max : -size;
        if (size == 0) size = 1;
        uint32 what = [uint32(ETH), call, put][which % 3];
        if (which % 2 == 0) size = size % 1e12 + 1;
        if (which % 5 == 0) price = price % 4_000e9;
        try this.trading(ANN, ann, EVE, bob, what, size, price) {
            eth.set(int256(1_000e8 + (which >> 8) % 2_000e8));
            try house.realize(ann) {} catch {}
            try house.realize(bob) {} catch {}
            check(int256(house.stateOf(ann).legs[0].size) == size, "bought");
        } catch {}
        check(unbalanced() == 0, "to the unit");
    }

    function test_whatHasExpiredIsNotTradedSettledOrNot() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 100_000, 0));
        traded(ANN, ann, BOB, bob, call, ONE, 183e9);
        for (uint256 i = 1; i <= 10; ++i) {
            vm.warp(expiry - 30 minutes + i * 3 minutes);
            eth.set(2_300e8);
            options.observe(ETH, expiry);
        }
        for (uint256 i; i < 2; ++i) {
            Signed memory buy = signed(ANN, ann, call, ONE, 1);
            Signed memory sell = signed(BOB, bob, call, -ONE, 1);
            vm.expectRevert(abi.encodeWithSelector(Clearinghouse.InstrumentExpired.selector, call));
            orders.trade(buy, sell, uint64(ONE));
            if (i == 0) options.settle(ETH, expiry);
        }
        house.settle(ann);
        house.settle(ann);
        house.settle(bob);
        check(house.cashOf(ann) == 100_000e18 + 117e18 && house.cashOf(bob) == 100_000e18 - 117e18, "once");
        check(house.settled(call, true) == 1e9 && house.settled(call, false) == 1e9 && unbalanced() == 0, "sums");
    }

    /* ORDERS */

    function test_anOrderIsOfOneContractAndAContractMayTakeItBack() public {
        uint256 bob = rich(BOB, 100_000, 0);
        Agreeable wallet = new Agreeable();
        uint256 ann = wallet.open(house);
        house.depositCash(ann, 100_000 * DOLLAR);
        Signed memory buy = signed(EVE, ann, ETH, 2 * ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -2 * ONE, 2_000e9);
        Orders others = new Orders(house);
        vm.expectRevert(abi.encodeWithSelector(Orders.WrongSignature.selector, bob, sell.order.nonce));
        others.trade(buy, sell, uint64(ONE));
        orders.trade(buy, sell, uint64(ONE));
        wallet.refuse();
        vm.expectRevert(abi.encodeWithSelector(Orders.WrongSignature.selector, ann, buy.order.nonce));
        orders.trade(buy, sell, uint64(ONE));
    }

    /// @dev One nonce, two orders: what one has filled counts against the other.
    function test_twoOrdersOfANumberFillOnce() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 100_000, 0));
        Signed memory buy = signed(ANN, ann, ETH, ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -10 * ONE, 2_000e9);
        orders.trade(buy, sell, uint64(ONE));
        Signed memory again = signed(ANN, ann, ETH, ONE, 2_000e9);
        again.order.nonce = buy.order.nonce;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ANN, orders.hashOf(again.order));
        again.signature = abi.encodePacked(r, s, v);
        vm.expectRevert(abi.encodeWithSelector(Orders.OrderUsed.selector, ann, buy.order.nonce, 0));
        orders.trade(again, sell, uint64(ONE));
    }

    /* SIXTEEN LEGS */

    event Gas(string what, uint256 gas);

    function test_anAccountFullOfLegsIsTakenInOneTransactionByAFreshTaker() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 20_000, 10), rich(BOB, 10_000_000, 100));
        for (uint64 i; i < 15; ++i) {
            uint32 listed = options.list(Instrument(Kind.Call, ETH, expiry, 1_000e9 + i * 100e9));
            traded(BOB, bob, ANN, ann, listed, ONE, markets.markOf(listed));
        }
        traded(BOB, bob, ANN, ann, ETH, ONE, 2_000e9);
        bytes memory steps;
        for (uint256 i; i < 48; ++i) {
            int16 step = int16(int256(i * 20_000 / 48)) - 10_000;
            steps = abi.encodePacked(steps, step, int16(10_000), step / 4, step / 2, int16(-10_000), step / 4, step);
        }
        scenarios.replace(2, 1, 24, steps);
        vm.warp(block.timestamp + 1 days);
        eth.set(9_000e8);
        (, int256 value, uint256 scenario) = house.worst(ann, false);
        check(value < 0, "below");
        uint256 cat = rich(CAT, 10_000_000, 0);
        house.call(ann, scenario);
        vm.warp(block.timestamp + 2 hours);
        uint256 used = gasleft();
        vm.prank(vm.addr(CAT));
        house.liquidate(ann, scenario, 0.01e18, cat, type(int256).max);
        used -= gasleft();
        emit Gas("liquidation of a full account, 48 scenarios", used);
        check(5 * used < 4 * 2 ** 24, "a fifth to spare");
    }

    function test_decadesOfInterestDoNotOverflow() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 100), rich(BOB, 1, 0));
        house.depositCash(bob, 100_000 * DOLLAR);
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 100_000 * DOLLAR, address(this));
        for (uint256 i; i < 30; ++i) {
            vm.warp(block.timestamp + 10 * 365 days);
            eth.set(2_000e8);
            house.depositCash(ann, 0);
            house.depositCash(bob, 0);
        }
        check(house.cashOf(ann) < -1e6 * 1e18, "it has grown");
        check(unbalanced() == 0, "to the unit");
    }
}

/// @notice Whoever won would rather not pay.
contract DeleveragingAttacksTest is Jump {
    function setUp() public {
        build();
    }

    /// @dev Before anything is missing, each winner turns its profit into cash.
    function test_nobodyEscapesByRealizingAProfitInTime() public {
        sold();
        eth.set(2_900e8);
        vm.warp(block.timestamp + 1);
        for (uint256 i; i < winners.length; ++i) house.realize(winners[i]);
        uint256 owed = jumped(2_900e8);
        check(owed > 0, "missing");
        adl.begin(ETH, false);
        // Whoever took the loser's position is short: not on that side.
        weighed(winners);
        chargedAll(8);
        check(house.shortfall(ETH, false) == 0, "nothing is missing any more");
        check(house.shortfall(house.NOBODY(), false) == 0, "and it was the winners who paid");
        check(unbalanced() == 0, "to the unit");
    }

    /// @dev Nor does anybody put the blame on another market by realizing what the loser has lost in this one.
    function test_nobodyMovesTheBlameByRealizingALoss() public {
        sold();
        traded(LOSER, loser, TAKER, taker, put, ONE / 10, markets.markOf(put));
        eth.set(2_900e8);
        house.realize(loser);
        uint256 owed = jumped(2_900e8);
        check(owed > 0, "of ether");
    }

    /// @dev What is lost in one and won in another is nobody's debt.
    function test_aHedgedAccountIsNotMadeToOweByRealizing() public {
        uint256 ann = rich(LOSER, 60_000, 0);
        uint256 bob = rich(0xB0B, 1_000_000, 0);
        traded(LOSER, ann, 0xB0B, bob, ETH, 20 * ONE, 2_000e9);
        traded(0xB0B, bob, LOSER, ann, BTC, ONE, 30_000e9);
        eth.set(2_500e8);
        btc.set(38_000e8);
        house.realize(ann);
        check(house.cashOf(ann) == 60_000e18, "more won than lost");
        btc.set(42_000e8);
        house.realize(ann);
        check(house.cashOf(ann) == 58_000e18, "what is lost together");
        house.realize(ann);
        check(house.cashOf(ann) == 58_000e18 && unbalanced() == 0, "once, to the unit");
    }
}
