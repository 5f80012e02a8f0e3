// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Clearinghouse} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Feed, Feeds} from "../../../src/clearinghouse/Feeds.sol";
import {Markets} from "../../../src/clearinghouse/Markets.sol";
import {Orders, Signed} from "../../../src/clearinghouse/Orders.sol";
import {Scenarios} from "../../../src/clearinghouse/Scenarios.sol";
import {Instrument, Kind} from "../../../src/clearinghouse/Types.sol";
import {HookToken, check, vm} from "../StandIns.sol";
import {FeedStandIn, House} from "./House.sol";

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
}
