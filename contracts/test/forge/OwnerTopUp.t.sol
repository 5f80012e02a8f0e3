// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {ITopUpPool, OwnerTopUp} from "../../src/OwnerTopUp.sol";
import {ZeroFirstToken} from "../ZeroFirstToken.sol";
import {FalseToken, FeeToken, HookToken, PlainToken, PoolStandIn, check, vm} from "./StandIns.sol";

contract OwnerTopUpTest {
    uint256 private constant KEY = 0xA11CE;
    uint128 private constant LIMIT = 1_000;

    address private owner = vm.addr(KEY);
    address private operator = address(0xB0B);
    address private stranger = address(0xBAD);
    PoolStandIn private pool;
    OwnerTopUp private topUp;
    PlainToken private token;

    function setUp() public {
        vm.warp(1_750_000_000);
        pool = new PoolStandIn();
        topUp = new OwnerTopUp(ITopUpPool(address(pool)));
        token = new PlainToken();
        token.mint(owner, 1e30);
        vm.prank(owner);
        token.approve(address(topUp), type(uint256).max);
        _allow(address(token));
    }

    function _allow(address asset) private {
        vm.prank(owner);
        topUp.setOperator(operator, true);
        vm.prank(owner);
        topUp.setLimit(asset, LIMIT);
    }

    function _untouched(address asset) private view {
        check(PlainToken(asset).balanceOf(address(topUp)) == 0, "tokens left");
        check(PlainToken(asset).allowance(address(topUp), address(pool)) == 0, "allowance left");
    }

    /* WHO MAY */

    function test_needsAPoolWithCode() public {
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.NoPool.selector));
        new OwnerTopUp(ITopUpPool(stranger));
    }

    function testFuzz_onlyAnOperatorOfThatOwner(address caller, address whose) public {
        if (caller == operator && whose == owner) return;
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.NotOperator.selector));
        topUp.supply(whose, address(token), 1);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.NotOperator.selector));
        topUp.repay(whose, address(token), 1, 2);
    }

    function test_theOwnerTakesTheRightBack() public {
        vm.prank(owner);
        topUp.setOperator(operator, false);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.NotOperator.selector));
        topUp.supply(owner, address(token), 1);
    }

    function test_anOperatorCannotRaiseTheOwnersLimit() public {
        vm.prank(operator);
        topUp.setLimit(address(token), type(uint128).max);
        check(topUp.leftToday(owner, address(token)) == LIMIT, "limit moved");
    }

    /* WHAT IS DONE */

    function testFuzz_suppliesToTheOwnerOnly(uint256 amount) public {
        amount = 1 + amount % LIMIT;
        vm.prank(operator);
        topUp.supply(owner, address(token), amount);
        check(pool.supplied(owner, address(token)) == amount, "not supplied");
        check(token.balanceOf(owner) == 1e30 - amount, "owner paid something else");
        check(topUp.leftToday(owner, address(token)) == LIMIT - amount, "not counted");
        _untouched(address(token));
    }

    function testFuzz_repaysWhatIsOwedAndReturnsTheRest(uint256 amount, uint256 owed) public {
        amount = 1 + amount % LIMIT;
        owed = owed % (2 * LIMIT);
        pool.lend(owner, address(token), owed);
        vm.prank(operator);
        topUp.repay(owner, address(token), amount, 2);
        uint256 paid = amount < owed ? amount : owed;
        check(pool.debt(owner, address(token)) == owed - paid, "not repaid");
        check(token.balanceOf(owner) == 1e30 - paid, "the rest did not come back");
        check(topUp.leftToday(owner, address(token)) == LIMIT - paid, "the rest was counted");
        _untouched(address(token));
    }

    function test_tokensThatLieHereAreNobodys() public {
        token.mint(address(topUp), 77);
        pool.lend(owner, address(token), 5);
        vm.prank(operator);
        topUp.repay(owner, address(token), 50, 2);
        check(token.balanceOf(address(topUp)) == 77, "taken along");
        check(token.balanceOf(owner) == 1e30 - 5, "given away");
    }

    /* LIMITS */

    function testFuzz_theLimitHoldsForADayAndThenAnew(uint256 first, uint256 second, uint256 later) public {
        first = 1 + first % LIMIT;
        second = 1 + second % LIMIT;
        later = later % 3 days;
        vm.prank(operator);
        topUp.supply(owner, address(token), first);
        uint256 day = block.timestamp / 1 days;
        vm.warp(block.timestamp + later);
        bool sameDay = (1_750_000_000 + later) / 1 days == day;
        uint256 left = sameDay ? LIMIT - first : LIMIT;
        check(topUp.leftToday(owner, address(token)) == left, "wrong rest");
        vm.prank(operator);
        if (second > left) vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.LimitExceeded.selector, left));
        topUp.supply(owner, address(token), second);
    }

    function test_aLoweredLimitHoldsAtOnce() public {
        vm.prank(operator);
        topUp.supply(owner, address(token), 600);
        vm.prank(owner);
        topUp.setLimit(address(token), 500);
        check(topUp.leftToday(owner, address(token)) == 0, "still something");
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.LimitExceeded.selector, 0));
        topUp.supply(owner, address(token), 1);
    }

    function test_aTokenWithoutLimitIsNotSpent() public {
        PlainToken other = new PlainToken();
        other.mint(owner, 10);
        vm.prank(owner);
        other.approve(address(topUp), 10);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.LimitExceeded.selector, 0));
        topUp.supply(owner, address(other), 1);
    }

    function testFuzz_hugeAmountsDoNotSlipThrough(uint256 amount) public {
        if (amount <= LIMIT) amount = uint256(type(uint128).max) + 1 + amount;
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.LimitExceeded.selector, LIMIT));
        topUp.supply(owner, address(token), amount);
    }

    function test_nothingIsNoTopUp() public {
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.ZeroAmount.selector));
        topUp.supply(owner, address(token), 0);
    }

    /* ODD TOKENS */

    function test_tokensThatReturnNothingAndWantZeroFirst() public {
        ZeroFirstToken odd = new ZeroFirstToken("odd", "ODD", 6);
        odd.mint(owner, 1_000);
        vm.prank(owner);
        odd.approve(address(topUp), 1_000);
        _allow(address(odd));
        pool.lend(owner, address(odd), 30);
        for (uint256 i; i < 3; ++i) {
            vm.prank(operator);
            topUp.repay(owner, address(odd), 20, 2);
            _untouched(address(odd));
        }
        check(odd.balanceOf(owner) == 970, "not what was owed");
    }

    function test_aTokenThatSaysFalse() public {
        FalseToken odd = new FalseToken();
        _allow(address(odd));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.TokenCallFailed.selector, address(odd)));
        topUp.supply(owner, address(odd), 1);
    }

    function test_aTokenThatKeepsAFeeIsRefused() public {
        FeeToken odd = new FeeToken();
        odd.mint(owner, 1_000);
        vm.prank(owner);
        odd.approve(address(topUp), 1_000);
        _allow(address(odd));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.WrongAmountReceived.selector, 99));
        topUp.supply(owner, address(odd), 100);
    }

    function test_anAddressWithoutCodeIsNoToken() public {
        _allow(stranger);
        vm.prank(operator);
        vm.expectRevert();
        topUp.supply(owner, stranger, 1);
    }

    function test_aTokenCannotCallBackIn() public {
        HookToken odd = new HookToken();
        odd.mint(owner, 1_000);
        vm.prank(owner);
        odd.approve(address(topUp), 1_000);
        _allow(address(odd));
        vm.prank(owner);
        topUp.setOperator(address(odd), true);
        odd.hook(address(topUp), abi.encodeCall(OwnerTopUp.supply, (owner, address(odd), 1)));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.TokenCallFailed.selector, address(odd)));
        topUp.supply(owner, address(odd), 1);
    }

    /* PERMIT */

    function _withPermit(uint256 value, uint256 deadline, bytes memory data) private {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, token.digest(owner, address(topUp), value, deadline));
        vm.prank(operator);
        topUp.permitAndCall(owner, address(token), value, deadline, v, r, s, data);
    }

    function test_anAllowanceSignedBeforehandIsUsed() public {
        vm.prank(owner);
        token.approve(address(topUp), 0);
        _withPermit(500, block.timestamp, abi.encodeCall(OwnerTopUp.supply, (owner, address(token), 400)));
        check(pool.supplied(owner, address(token)) == 400, "not supplied");
        check(token.allowance(owner, address(topUp)) == 100, "another allowance");
    }

    function test_aSignatureSomebodyElseUsedIsNoFailure() public {
        vm.prank(owner);
        token.approve(address(topUp), 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, token.digest(owner, address(topUp), 500, block.timestamp));
        token.permit(owner, address(topUp), 500, block.timestamp, v, r, s);
        vm.prank(operator);
        bytes memory data = abi.encodeCall(OwnerTopUp.supply, (owner, address(token), 400));
        topUp.permitAndCall(owner, address(token), 500, block.timestamp, v, r, s, data);
        check(pool.supplied(owner, address(token)) == 400, "not supplied");
    }

    function test_aPermitDoesNotWidenWhoMayOrHowMuch() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, token.digest(owner, address(topUp), 5e9, block.timestamp));
        bytes memory data = abi.encodeCall(OwnerTopUp.supply, (owner, address(token), LIMIT + 1));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.NotOperator.selector));
        topUp.permitAndCall(owner, address(token), 5e9, block.timestamp, v, r, s, data);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(OwnerTopUp.LimitExceeded.selector, LIMIT));
        topUp.permitAndCall(owner, address(token), 5e9, block.timestamp, v, r, s, data);
    }
}

/// @notice Does anything anybody may do, in any order; the invariants are looked at in between.
contract Actors {
    OwnerTopUp public topUp;
    PlainToken public token;
    PoolStandIn public pool;
    address[3] public owners = [address(0xA1), address(0xA2), address(0xA3)];
    address[2] public operators = [address(0xB1), address(0xB2)];
    mapping(address owner => mapping(uint256 day => uint256)) public spentOn;
    mapping(address owner => mapping(uint256 day => uint256)) public highestLimit;
    uint256 public time = 1_750_000_000;

    constructor() {
        pool = new PoolStandIn();
        topUp = new OwnerTopUp(ITopUpPool(address(pool)));
        token = new PlainToken();
        for (uint256 i; i < owners.length; ++i) {
            token.mint(owners[i], 1e24);
            vm.prank(owners[i]);
            token.approve(address(topUp), type(uint256).max);
            pool.lend(owners[i], address(token), 1e20);
        }
    }

    function later(uint256 seconds_) external {
        time += seconds_ % 2 days;
        vm.warp(time);
    }

    function setOperator(uint256 o, uint256 p, bool allowed) external {
        vm.prank(owners[o % 3]);
        topUp.setOperator(operators[p % 2], allowed);
    }

    function setLimit(uint256 o, uint128 perDay) external {
        address owner = owners[o % 3];
        _seen(owner);
        vm.prank(owner);
        topUp.setLimit(address(token), perDay % 1e21);
        _seen(owner);
    }

    function topUpSome(uint256 o, uint256 p, uint256 amount, bool repaying) external {
        address owner = owners[o % 3];
        vm.warp(time);
        _seen(owner);
        uint256 before = token.balanceOf(owner);
        amount = amount % 2e21;
        vm.prank(operators[p % 2]);
        if (repaying) topUp.repay(owner, address(token), amount, 2);
        else topUp.supply(owner, address(token), amount);
        spentOn[owner][time / 1 days] += before - token.balanceOf(owner);
    }

    function _seen(address owner) private {
        (uint128 perDay,,) = topUp.limits(owner, address(token));
        uint256 day = time / 1 days;
        if (perDay > highestLimit[owner][day]) highestLimit[owner][day] = perDay;
    }
}

contract OwnerTopUpInvariants {
    Actors private actors;

    function setUp() public {
        vm.warp(1_750_000_000);
        actors = new Actors();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function invariant_nothingStaysBehind() public view {
        PlainToken token = actors.token();
        OwnerTopUp topUp = actors.topUp();
        check(token.balanceOf(address(topUp)) == 0, "tokens left");
        check(token.allowance(address(topUp), address(actors.pool())) == 0, "allowance left");
    }

    function invariant_noOwnerSpendsMoreADayThanTheHighestLimitOfThatDay() public view {
        uint256 day = actors.time() / 1 days;
        for (uint256 i; i < 3; ++i) {
            address owner = actors.owners(i);
            check(actors.spentOn(owner, day) <= actors.highestLimit(owner, day), "over the limit");
        }
    }

    function invariant_whatAnOwnerPaidIsInThatOwnersPosition() public view {
        PoolStandIn pool = actors.pool();
        address token = address(actors.token());
        for (uint256 i; i < 3; ++i) {
            address owner = actors.owners(i);
            uint256 paid = 1e24 - PlainToken(token).balanceOf(owner);
            check(paid == pool.supplied(owner, token) + 1e20 - pool.debt(owner, token), "went elsewhere");
        }
    }
}
