// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Clearinghouse} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Legs} from "../../../src/clearinghouse/Legs.sol";
import {Orders, Signed} from "../../../src/clearinghouse/Orders.sol";
import {AccountState, Instrument, Kind} from "../../../src/clearinghouse/Types.sol";
import {FeeToken, HookToken, check, vm} from "../StandIns.sol";
import {House} from "./House.sol";

contract ClearinghouseTest is House {
    uint256 private constant ANN = 0xA11CE;
    uint256 private constant BOB = 0xB0B;
    uint256 private constant CAT = 0xCA7;

    function setUp() public {
        build();
    }

    /* TRADES */

    function test_bothSidesOfATradeSumToNothing() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 100_000, 0));
        traded(ANN, ann, BOB, bob, ETH, 20 * ONE, 2_000e9);
        traded(ANN, ann, BOB, bob, call, 3 * ONE, 183e9);
        check(house.openInterest(ETH) == 20e9 && house.openInterest(call) == 3e9, "open interest");
        check(house.cashOf(ann) == 100_000e18 - 549e18 && house.cashOf(bob) == 100_000e18 + 549e18, "premium");
        eth.set(2_100e8);
        traded(BOB, bob, ANN, ann, ETH, 20 * ONE, 2_100e9);
        check(house.cashOf(ann) == 100_000e18 - 549e18 + 2_000e18 - funding(20), "won");
        check(house.cashOf(bob) == 100_000e18 + 549e18 - 2_000e18 + funding(20), "lost");
        check(unbalanced() == 0, "to the unit");
    }

    function funding(int256 size) private view returns (int256) {
        return size * ONE * markets.funding(ETH);
    }

    function test_whatAnOrderMayNotDo() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 100_000, 0));
        uint256 second = rich(ANN, 1_000, 0);
        Signed memory buy = signed(ANN, ann, ETH, ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -ONE, 2_000e9);
        orders.trade(buy, sell, uint64(ONE));
        refused(buy, sell, abi.encodeWithSelector(Orders.OrderUsed.selector, ann, buy.order.nonce, 0));
        refused(buy, buy, abi.encodeWithSelector(Orders.OrdersDoNotMatch.selector));
        buy = signed(ANN, ann, ETH, ONE, 1_999e9);
        sell = signed(BOB, bob, ETH, -ONE, 2_000e9);
        refused(buy, sell, abi.encodeWithSelector(Orders.OrdersDoNotMatch.selector));
        buy = signed(BOB, ann, ETH, ONE, 2_000e9);
        refused(buy, sell, abi.encodeWithSelector(Orders.WrongSignature.selector, ann, buy.order.nonce));
        buy = signed(ANN, ann, ETH, ONE, 2_000e9);
        Signed memory own = signed(ANN, second, ETH, -ONE, 2_000e9);
        refused(buy, own, abi.encodeWithSelector(Clearinghouse.MatchesItself.selector));
        vm.prank(vm.addr(BOB));
        orders.cancel(bob, sell.order.nonce);
        refused(buy, sell, abi.encodeWithSelector(Orders.OrderUsed.selector, bob, sell.order.nonce, 0));
        sell = signed(BOB, bob, ETH, -ONE, 2_000e9);
        sell.order.deadline = uint40(block.timestamp - 1);
        refused(buy, sell, abi.encodeWithSelector(Orders.OrderExpired.selector, bob, sell.order.nonce));
        vm.expectRevert(abi.encodeWithSelector(Orders.NotAllowed.selector));
        orders.cancel(bob, 77);
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotAllowed.selector));
        house.trade(ann, bob, ETH, 1, 1);
    }

    function refused(Signed memory one, Signed memory other, bytes memory reason) private {
        vm.expectRevert(reason);
        orders.trade(one, other, uint64(ONE));
    }

    function test_anOrderIsOfOneChain() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 100_000, 0), rich(BOB, 100_000, 0));
        Signed memory buy = signed(ANN, ann, ETH, ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -ONE, 2_000e9);
        IChain(address(vm)).chainId(5);
        refused(buy, sell, abi.encodeWithSelector(Orders.WrongSignature.selector, ann, buy.order.nonce));
    }

    function test_initialMarginIsNeededToTradeAndToTakeOut() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 5_000, 0), rich(BOB, 1_000_000, 0));
        Signed memory buy = signed(ANN, ann, ETH, 100 * ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -100 * ONE, 2_000e9);
        vm.expectRevert();
        orders.trade(buy, sell, uint64(100 * ONE));
        // A move of one and a half widths (24 %) and of half a basis width, and a thousandth to close.
        traded(ANN, ann, BOB, bob, ETH, 10 * ONE, 2_000e9);
        (, int256 value,) = house.worst(ann, true);
        check(value == 5_000e18 - 20_000e18 * 245 / 1_000 - 20e18, "its initial margin");
        vm.prank(vm.addr(ANN));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.BelowInitialMargin.selector, ann, -20e18, 10));
        house.withdrawCash(ann, 100 * DOLLAR, address(this));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 80 * DOLLAR, address(this));
        vm.prank(vm.addr(BOB));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotAllowed.selector));
        house.withdrawCash(ann, 1, address(this));
    }

    function test_belowInitialMarginOnlyTradesThatLoseInNoScenarioGoOn() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 5_000, 0), rich(BOB, 1_000_000, 0));
        traded(ANN, ann, BOB, bob, ETH, 10 * ONE, 2_000e9);
        eth.set(1_950e8);
        (, int256 value,) = house.worst(ann, true);
        check(value < 0, "below");
        Signed memory more = signed(ANN, ann, ETH, ONE, 1_950e9);
        Signed memory sold = signed(BOB, bob, ETH, -ONE, 1_950e9);
        vm.expectRevert();
        orders.trade(more, sold, uint64(ONE));
        traded(BOB, bob, ANN, ann, ETH, 2 * ONE, 1_950e9);
        house.pause(true);
        traded(BOB, bob, ANN, ann, ETH, 2 * ONE, 1_950e9);
        more = signed(BOB, bob, ETH, -ONE, 1_950e9);
        sold = signed(ANN, ann, ETH, ONE, 1_950e9);
        vm.expectRevert();
        orders.trade(more, sold, uint64(ONE));
        vm.prank(vm.addr(BOB));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.OnlyReducing.selector));
        house.withdrawCash(bob, 1, address(this));
        house.depositCash(ann, 1);
    }

    function test_noMoreThanSixteenLegs() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 1_000_000, 0), rich(BOB, 1_000_000, 0));
        for (uint64 i; i < 16; ++i) traded(ANN, ann, BOB, bob, listed(1_000e9 + i * 50e9), ONE, 500e9);
        Signed memory buy = signed(ANN, ann, ETH, ONE, 2_000e9);
        Signed memory sell = signed(BOB, bob, ETH, -ONE, 2_000e9);
        refused(buy, sell, abi.encodeWithSelector(Legs.TooManyLegs.selector));
    }

    function test_aTradeOfTwoFullAccountsLeavesAFifthOfTheGasThatATransactionMayTake() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 10_000_000, 100), rich(BOB, 10_000_000, 100));
        for (uint64 i; i < 16; ++i) traded(ANN, ann, BOB, bob, listed(1_000e9 + i * 100e9), ONE, 500e9);
        many(48);
        uint256 used = gasOfOneMore(ann, bob);
        emit Gas("trade of two full accounts, 48 scenarios", used);
        // Who is below zero in every scenario is judged as before and as after.
        uint256 twice = gasOfJudging(ann, -1e9 * 1e18) + gasOfJudging(bob, -1e9 * 1e18);
        uint256 once = gasOfJudging(ann, 0) + gasOfJudging(bob, 0);
        emit Gas("judging both twice", twice);
        check(twice > once * 3 / 2 && used > once, "what is measured");
        check(5 * (used + twice - once) < 4 * 2 ** 24, "a fifth to spare");
    }

    function gasOfJudging(uint256 account, int256 cash) private view returns (uint256 used) {
        AccountState memory state = house.stateNow(account);
        state.cash += cash;
        used = gasleft();
        (bool yes,,) = margin.admits(state, state);
        used -= gasleft();
        check(yes, "as before");
    }

    function gasOfOneMore(uint256 ann, uint256 bob) private returns (uint256 used) {
        Signed memory buy = signed(ANN, ann, listed(1_000e9), ONE, 500e9);
        Signed memory sell = signed(BOB, bob, listed(1_000e9), -ONE, 500e9);
        used = gasleft();
        orders.trade(buy, sell, uint64(ONE));
        used -= gasleft();
    }

    event Gas(string what, uint256 gas);

    function many(uint256 count) private {
        bytes memory steps;
        for (uint256 i; i < count; ++i) {
            int16 step = int16(int256(i * 20_000 / count)) - 10_000;
            steps = abi.encodePacked(steps, step, int16(10_000), step / 4, step / 2, int16(-10_000), step / 4, step);
        }
        scenarios.replace(2, 1, uint8(count / 2), steps);
        vm.warp(block.timestamp + 1 days);
    }

    function listed(uint64 strike) private returns (uint32) {
        return options.list(InstrumentOf.call(ETH, expiry, strike));
    }

    /* CASH AND COLLATERAL */

    function test_interestGoesFromWhoOwesToWhoHas() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 100), rich(BOB, 100_000, 0));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 10_000 * DOLLAR, address(this));
        vm.warp(block.timestamp + 365 days);
        eth.set(2_000e8);
        check(house.cashOf(ann) == -10_500e18, "five per cent of a year");
        check(house.cashOf(bob) == 100_500e18, "given, whoever is touched");
        house.depositCash(ann, 1);
        check(house.cashOf(bob) == 100_500e18, "once");
        house.depositCash(bob, 1);
        check(unbalanced() == 0, "to the unit");
        uint256 there = dollars.balanceOf(address(house));
        vm.prank(vm.addr(ANN));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotEnough.selector, 90_001 * DOLLAR, there));
        house.withdrawCash(ann, 90_001 * DOLLAR, address(this));
    }

    function test_nobodyOwesMoreThanTheCapByTakingOut() public {
        (uint256 ann,) = (rich(ANN, 0, 1_000), rich(BOB, 1_000_000, 0));
        vm.prank(vm.addr(ANN));
        vm.expectRevert(
            abi.encodeWithSelector(Clearinghouse.OwesTooMuch.selector, ann, 100_001e18, 100_000e18)
        );
        house.withdrawCash(ann, 100_001 * DOLLAR, address(this));
    }

    function test_collateralIsSoldUntilDebtIsCoveredAndNoFurther() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 0, 10), rich(BOB, 100_000, 0));
        vm.prank(vm.addr(ANN));
        house.withdrawCash(ann, 13_000 * DOLLAR, address(this));
        (uint256 owed, uint256 allowed) = house.debtOf(ann);
        check(owed == 13_000e18 && allowed == 14_400e18, "covered");
        vm.prank(vm.addr(BOB));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.DebtIsCovered.selector, owed, allowed));
        house.buyCollateral(ann, 0, 1e18, bob, type(uint128).max);
        eth.set(1_750e8);
        (owed, allowed) = house.debtOf(ann);
        check(allowed == 12_600e18, "no longer");
        vm.prank(vm.addr(BOB));
        vm.expectRevert();
        house.buyCollateral(ann, 0, 1e18, bob, type(uint128).max);
        vm.prank(vm.addr(BOB));
        uint256 paid = house.buyCollateral(ann, 0, 0.9e18, bob, type(uint128).max);
        check(paid == 1_750e18 * 9 / 10 * 97 / 100, "three per cent off");
        check(house.cashOf(ann) == -13_000e18 + int256(paid), "its debt is less");
        check(unbalanced() == 0, "to the unit");
    }

    /* CALLS AND LIQUIDATION */

    function test_aScenarioProvesABreachAndNoOtherDoes() public {
        (uint256 ann,) = short(50);
        eth.set(2_150e8);
        vm.expectRevert();
        house.call(ann, 0);
        (, int256 value, uint256 scenario) = house.worst(ann, false);
        check(value < 0, "below");
        house.call(ann, scenario);
        check(house.calledAt(ann) == block.timestamp, "called");
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.AlreadyCalled.selector, ann, block.timestamp));
        house.call(ann, scenario);
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.BelowMaintenance.selector, ann, value, scenario));
        house.lift(ann);
        house.depositCash(ann, 20_000 * DOLLAR);
        house.lift(ann);
        check(house.calledAt(ann) == 0, "lifted");
    }

    /// @dev Ann is short so many ether from 2,000 on, with as little as that takes.
    function short(int64 size) private returns (uint256 ann, uint256 bob) {
        (ann, bob) = (rich(ANN, 25_000, 0), rich(BOB, 1_000_000, 0));
        traded(BOB, bob, ANN, ann, ETH, size * ONE, 2_000e9);
    }

    function test_aSliceIsTakenAtTheMarkLessTheDiscountAfterTheGrace() public {
        (uint256 ann,) = short(50);
        uint256 cat = rich(CAT, 1_000_000, 0);
        moved(2_200);
        (, int256 value, uint256 scenario) = house.worst(ann, false);
        vm.prank(vm.addr(CAT));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotCalled.selector, ann));
        house.liquidate(ann, scenario, 0.1e18, cat, type(int128).max);
        house.call(ann, scenario);
        vm.prank(vm.addr(CAT));
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.InGrace.selector, ann, block.timestamp + 1 hours));
        house.liquidate(ann, scenario, 0.1e18, cat, type(int128).max);
        vm.warp(block.timestamp + 2 hours);
        (int256 equity, int256 there) = house.valueIn(ann, scenario);
        vm.prank(vm.addr(CAT));
        vm.expectRevert();
        house.liquidate(ann, scenario, 1e18, cat, type(int128).max);
        vm.prank(vm.addr(CAT));
        house.liquidate(ann, scenario, 0.1e18, cat, type(int128).max);
        int256 off = (equity - there) / 10 / 10;
        (int256 after_, int256 left) = house.valueIn(ann, scenario);
        check(after_ >= equity - off - 1e12 && after_ <= equity - off + 1e12, "ten per cent of a tenth of the loss");
        check(left > there && value < 0, "better");
        check(house.openInterest(ETH) == 50e9 + 1, "open interest stays");
        check(unbalanced() == 0, "to the unit");
    }

    function test_theFundPaysWhatIsBelowZeroAndTheRestIsMissing() public {
        (uint256 ann,) = short(50);
        uint256 cat = rich(CAT, 1_000_000, 0);
        house.contribute(3_000 * DOLLAR);
        eth.set(2_700e8);
        (, int256 value, uint256 scenario) = house.worst(ann, false);
        check(value < 0, "below");
        house.call(ann, scenario);
        (int256 equity, int256 there) = house.valueIn(ann, scenario);
        check(equity < 0, "gone in a gap: no grace");
        vm.prank(vm.addr(CAT));
        int256 paid = house.liquidate(ann, scenario, 1e18, cat, 0);
        int256 off = (equity - there) * 5 / 100;
        check(-paid >= off - 1e12 && -paid <= off + 1e12, "the first discount, whatever the time");
        check(house.cashOf(ann) == 0 && house.stateOf(ann).legs.length == 0, "nothing is left");
        check(int256(house.shortfall(ETH, false)) == -equity - paid - 3_000e18, "what the fund lacks");
        (,,,, uint256 fund,,) = house.ledger();
        check(fund == 0 && unbalanced() == 0, "to the unit");
        uint256 dan = rich(0xDA4, 1_000_000, 0);
        Signed memory buy = signed(0xDA4, dan, ETH, ONE, 2_700e9);
        Signed memory sell = signed(CAT, cat, ETH, -ONE, 2_700e9);
        refused(buy, sell, abi.encodeWithSelector(Clearinghouse.InstrumentHalted.selector, ETH));
    }

    function testFuzz_nobodySolventIsLiquidatedByAnyWitness(int64 size, uint64 price, uint256 scenario, uint256 share) public {
        size = int64(bound(size, -60, 60));
        if (size == 0) size = 1;
        (uint256 ann, uint256 bob) = (rich(ANN, 40_000, 0), rich(BOB, 10_000_000, 0));
        if (size > 0) traded(ANN, ann, BOB, bob, ETH, size * ONE, 2_000e9);
        else traded(BOB, bob, ANN, ann, ETH, -size * ONE, 2_000e9);
        moved(price % 2_000 + 1_000);
        scenario %= 10;
        (, int256 value) = house.valueIn(ann, scenario);
        (, int256 least,) = house.worst(ann, false);
        check(least <= value, "the least of all");
        if (value >= 0) {
            vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotBelowMaintenance.selector, ann, scenario, value));
            house.call(ann, scenario);
        } else {
            house.call(ann, scenario);
            vm.warp(block.timestamp + 1 hours + share % 10 hours);
            uint256 cat = rich(CAT, 100_000_000, 0);
            (, int256 before) = house.valueIn(ann, scenario);
            share = share % 1e18 + 1;
            vm.prank(vm.addr(CAT));
            try house.liquidate(ann, scenario, share, cat, type(int128).max) {
                (int256 equity, int256 now_) = house.valueIn(ann, scenario);
                check(now_ >= before - 10, "never worse for it, but for what is rounded");
                check(now_ <= (equity - now_) / 10, "never above the buffer");
            } catch {}
            check(unbalanced() == 0, "to the unit");
        }
    }

    function bound(int64 value, int64 least, int64 most) private pure returns (int64) {
        int64 span = most - least + 1;
        return least + ((value % span) + span) % span;
    }
}

interface IChain {
    function chainId(uint256 id) external;
}

library InstrumentOf {
    function call(uint8 underlying, uint40 expiry, uint64 strike) internal pure returns (Instrument memory) {
        return Instrument(Kind.Call, underlying, expiry, strike);
    }
}
