// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Liquidator} from "../../src/Liquidator.sol";
import {Batch, Errors, Leg, Lender, Loan, Swap} from "../../src/liquidator/ILiquidator.sol";
import {ZeroFirstToken} from "../ZeroFirstToken.sol";
import {FeeToken, HookToken, PlainToken, check, vm} from "./StandIns.sol";
import {LenderStandIn, PoolAtAPrice, ProtocolStandIn} from "./Venues.sol";

/// @dev Builds batches: token 0 is what is earned and repaid, token 1 what is seized.
abstract contract Scene {
    address internal owner = address(0xA11CE);
    address internal operator = address(0xB0B);
    address internal stranger = address(0xBAD);
    uint256 internal constant RICH = 1e30;

    LenderStandIn internal lender;
    ProtocolStandIn internal protocol;
    PoolAtAPrice internal pool;
    Liquidator internal liquidator;
    PlainToken internal debt;
    PlainToken internal collateral;

    function _open(PlainToken debt_, PlainToken collateral_) internal {
        (debt, collateral) = (debt_, collateral_);
        lender = new LenderStandIn();
        protocol = new ProtocolStandIn();
        pool = new PoolAtAPrice(address(debt), address(collateral), 1e6);
        liquidator = new Liquidator(owner, operator);
        address[3] memory rich = [address(lender), address(protocol), address(pool)];
        for (uint256 i; i < rich.length; ++i) {
            debt.mint(rich[i], RICH);
            collateral.mint(rich[i], RICH);
        }
    }

    function _leg(uint64 account, uint256 repaid, uint256 given) internal view returns (Leg memory leg) {
        leg.id = account;
        leg.target = address(protocol);
        leg.calls = new bytes[](1);
        leg.calls[0] = abi.encodeCall(
            ProtocolStandIn.liquidate, (account, address(debt), repaid, address(collateral), given)
        );
        leg.allowance = repaid + 7;
        leg.gets = 1;
        leg.gas = 500_000;
    }

    function _route(address from, address over, address to) internal pure returns (bytes memory) {
        return abi.encodePacked(from, over, to);
    }

    function _batch(Leg[] memory legs) internal view returns (Batch memory batch) {
        batch.tokens = new address[](2);
        (batch.tokens[0], batch.tokens[1]) = (address(debt), address(collateral));
        uint256 wanted;
        for (uint256 i; i < legs.length; ++i) wanted += legs[i].allowance;
        batch.loans = new Loan[](1);
        batch.loans[0] = Loan(Lender.AaveV3, address(lender), 0, wanted);
        batch.legs = legs;
        batch.swaps = new Swap[](1);
        batch.swaps[0] =
            Swap(1, 0, false, 0, address(0), _route(address(collateral), address(pool), address(debt)));
        batch.reserve = 300_000;
    }

    function _one(uint256 repaid, uint256 given) internal view returns (Batch memory) {
        Leg[] memory legs = new Leg[](1);
        legs[0] = _leg(1, repaid, given);
        return _batch(legs);
    }

    function _run(Batch memory batch) internal returns (uint256) {
        vm.prank(operator);
        return liquidator.liquidate(batch);
    }

    function _nothingLeft() internal view {
        check(debt.balanceOf(address(liquidator)) == 0, "debt tokens left");
        check(collateral.balanceOf(address(liquidator)) == 0, "collateral left");
        address[3] memory spenders = [address(lender), address(protocol), address(pool)];
        for (uint256 i; i < spenders.length; ++i) {
            check(debt.allowance(address(liquidator), spenders[i]) == 0, "allowance left");
            check(collateral.allowance(address(liquidator), spenders[i]) == 0, "allowance left");
        }
    }
}

contract LiquidatorTest is Scene {
    function setUp() public {
        _open(new PlainToken(), new PlainToken());
    }

    /* WHAT IT DOES */

    function test_borrowsLiquidatesSellsPaysBackAndSendsTheProfitToItsOwner() public {
        check(_run(_one(1_000, 1_100)) == 1, "leg not done");
        check(debt.balanceOf(owner) == 1_100 - 1_000 - lender.premium(), "another profit");
        check(debt.balanceOf(address(lender)) == RICH + lender.premium(), "lender not paid");
        _nothingLeft();
    }

    function test_aUniswapPoolLendsAsWell() public {
        PoolAtAPrice other = new PoolAtAPrice(address(debt), address(collateral), 1e6);
        debt.mint(address(other), 1e9);
        Batch memory batch = _one(1_000, 1_100);
        batch.loans[0] = Loan(Lender.UniswapV3, address(other), 0, batch.loans[0].amount);
        _run(batch);
        check(debt.balanceOf(owner) == 1_100 - 1_000 - other.fee(), "another profit");
        check(debt.balanceOf(address(other)) == 1e9 + other.fee(), "pool not paid");
        _nothingLeft();
    }

    function test_oneFailingLegDoesNotTouchTheOthers() public {
        Leg[] memory legs = new Leg[](3);
        (legs[0], legs[1], legs[2]) = (_leg(1, 1_000, 1_100), _leg(1, 2_000, 2_200), _leg(3, 3_000, 3_300));
        check(_run(_batch(legs)) == 5, "other legs done");
        check(debt.balanceOf(owner) == 100 + 300 - lender.premium(), "another profit");
        _nothingLeft();
    }

    function test_aLegThatBurnsItsGasLeavesTheOthersTheirs() public {
        Leg[] memory legs = new Leg[](3);
        (legs[0], legs[1], legs[2]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200), _leg(3, 3_000, 3_300));
        legs[1].calls[0] = abi.encodeCall(ProtocolStandIn.burn, ());
        check(_run(_batch(legs)) == 5, "other legs done");
        _nothingLeft();
    }

    function test_ifNothingIsDoneTheReasonIsTheLastLegs() public {
        _run(_one(1_000, 1_100));
        Batch memory again = _one(1_000, 1_100);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(ProtocolStandIn.Healthy.selector));
        liquidator.liquidate(again);
    }

    function test_severalDebtsInOneBatch() public {
        PlainToken second = new PlainToken();
        PoolAtAPrice between = new PoolAtAPrice(address(second), address(collateral), 1e6);
        address[3] memory rich = [address(lender), address(protocol), address(between)];
        for (uint256 i; i < rich.length; ++i) second.mint(rich[i], RICH);
        collateral.mint(address(between), RICH);

        Leg[] memory legs = new Leg[](2);
        legs[0] = _leg(1, 1_000, 1_100);
        legs[1] = _leg(2, 2_000, 2_500);
        legs[1].calls[0] = abi.encodeCall(
            ProtocolStandIn.liquidate, (2, address(second), 2_000, address(collateral), 2_500)
        );
        legs[1].pays = 2;
        legs[1].swaps = new Swap[](1);
        bytes memory route = _route(address(collateral), address(between), address(second));
        legs[1].swaps[0] = Swap(1, 2, true, lender.premium(), address(0), route);
        Batch memory batch = _batch(legs);
        batch.tokens = new address[](3);
        (batch.tokens[0], batch.tokens[1], batch.tokens[2]) = (address(debt), address(collateral), address(second));
        batch.loans = new Loan[](2);
        batch.loans[0] = Loan(Lender.AaveV3, address(lender), 0, 1_007);
        batch.loans[1] = Loan(Lender.AaveV3, address(lender), 2, 2_007);

        check(_run(batch) == 3, "both done");
        uint256 bought = 2_000 + lender.premium();
        check(debt.balanceOf(owner) == 100 + (2_500 - bought) - lender.premium(), "another profit");
        check(second.balanceOf(owner) == 0 && second.balanceOf(address(liquidator)) == 0, "second left");
        check(second.allowance(address(liquidator), address(protocol)) == 0, "allowance left");
        _nothingLeft();
    }

    function test_aLegThatStarvesSaysSo() public {
        Batch memory batch = _one(1_000, 1_100);
        batch.legs[0].calls[0] = abi.encodeCall(ProtocolStandIn.burn, ());
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.OutOfGas.selector, 500_000));
        liquidator.liquidate(batch);
    }

    function test_aLegThatFailsWithoutAReasonAndWithGasToSpareDidNotStarve() public {
        Batch memory batch = _one(1_000, 1_100);
        batch.legs[0].calls[0] = hex"12345678";
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.NothingDone.selector));
        liquidator.liquidate(batch);
    }

    /* A LEG'S FAILURE, LOAN FEES INCLUDED */

    /// @dev A small leg that earns `given - 1000` beside a large one that fails, whose loan's fee stays.
    function _largeFails(uint64 premium, uint256 given, bool inAnother) internal returns (Batch memory batch) {
        lender.setPremium(premium);
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, given), _leg(2, 1_000_000, 1_100_000));
        if (!inAnother) {
            // Somebody was faster: the account is gone.
            legs[1].calls[0] = legs[0].calls[0];
            return _batch(legs);
        }
        PlainToken second = new PlainToken();
        PoolAtAPrice bridge = new PoolAtAPrice(address(second), address(debt), 1e6);
        address[2] memory rich = [address(lender), address(bridge)];
        for (uint256 i; i < rich.length; ++i) second.mint(rich[i], RICH);
        debt.mint(address(bridge), RICH);
        legs[1].pays = 2;
        legs[1].calls[0] = legs[0].calls[0];
        batch = _batch(legs);
        batch.tokens = new address[](3);
        (batch.tokens[0], batch.tokens[1], batch.tokens[2]) = (address(debt), address(collateral), address(second));
        batch.loans = new Loan[](2);
        batch.loans[0] = Loan(Lender.AaveV3, address(lender), 0, 1_007);
        batch.loans[1] = Loan(Lender.AaveV3, address(lender), 2, 1_000_007);
        Swap memory sale = batch.swaps[0];
        batch.swaps = new Swap[](2);
        batch.swaps[0] = sale;
        batch.swaps[1] =
            Swap(0, 2, true, 0, address(0), _route(address(debt), address(bridge), address(second)));
    }

    function test_theLargeLegFailsInTheProfitTokenAndTheOtherPaysItsFee() public {
        check(_run(_largeFails(60, 1_100, false)) == 1, "the small one not done");
        check(debt.balanceOf(owner) == 100 - 60, "another profit");
        _nothingLeft();
    }

    function test_theLargeLegFailsInAnotherTokenAndTheOtherBuysItsFee() public {
        Batch memory batch = _largeFails(30, 1_100, true);
        check(_run(batch) == 1, "the small one not done");
        check(debt.balanceOf(owner) == 100 - 2 * 30, "another profit");
        check(PlainToken(batch.tokens[2]).balanceOf(address(liquidator)) == 0, "second left");
        _nothingLeft();
    }

    function test_withoutACoveringExchangeTheFeeInAnotherTokenTakesAllDown() public {
        Batch memory batch = _largeFails(30, 1_100, true);
        Swap memory sale = batch.swaps[0];
        batch.swaps = new Swap[](1);
        batch.swaps[0] = sale;
        vm.prank(operator);
        vm.expectRevert();
        liquidator.liquidate(batch);
    }

    function test_aPremiumAboveTheOthersProfitTakesAllDownSoThatSuchALegGoesAlone() public {
        Batch memory batch = _largeFails(101, 1_100, false);
        vm.prank(operator);
        vm.expectRevert();
        liquidator.liquidate(batch);
        Leg[] memory alone = new Leg[](1);
        alone[0] = _leg(1, 1_000, 1_102);
        check(_run(_batch(alone)) == 1, "alone not done");
    }

    function test_buysOverTwoPoolsWhatALegNeeds() public {
        PlainToken middle = new PlainToken();
        PlainToken second = new PlainToken();
        PoolAtAPrice one = new PoolAtAPrice(address(collateral), address(middle), 1e6);
        PoolAtAPrice two = new PoolAtAPrice(address(middle), address(second), 1e6);
        collateral.mint(address(one), RICH);
        middle.mint(address(one), RICH);
        middle.mint(address(two), RICH);
        second.mint(address(two), RICH);
        second.mint(address(lender), RICH);
        second.mint(address(protocol), RICH);
        Leg[] memory legs = new Leg[](1);
        legs[0] = _leg(1, 1_000, 1_100);
        legs[0].calls[0] =
            abi.encodeCall(ProtocolStandIn.liquidate, (1, address(second), 1_000, address(collateral), 1_100));
        legs[0].pays = 2;
        legs[0].swaps = new Swap[](1);
        bytes memory route =
            abi.encodePacked(address(collateral), address(one), address(middle), address(two), address(second));
        legs[0].swaps[0] = Swap(1, 2, true, lender.premium(), address(0), route);
        Batch memory batch = _batch(legs);
        batch.tokens = new address[](3);
        (batch.tokens[0], batch.tokens[1], batch.tokens[2]) = (address(debt), address(collateral), address(second));
        batch.loans[0].token = 2;
        _run(batch);
        check(debt.balanceOf(owner) == 100 - lender.premium(), "another profit");
        check(middle.balanceOf(address(liquidator)) == 0, "middle left");
        _nothingLeft();
    }

    function test_nativeCompensationsGoToTheOwner() public {
        (bool ok,) = address(protocol).call{value: 1 ether}("");
        check(ok, "funded");
        Leg[] memory legs = new Leg[](1);
        legs[0] = _leg(1, 1_000, 1_100);
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (legs[0].calls[0], abi.encodeCall(ProtocolStandIn.compensate, (5)));
        legs[0].calls = calls;
        uint256 before = owner.balance;
        _run(_batch(legs));
        check(owner.balance == before + 5, "not sent on");
    }

    /* PROFIT */

    function test_lessThanTheLeastProfitUndoesEverything() public {
        Batch memory batch = _one(1_000, 1_100);
        batch.minProfit = 96;
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLittleProfit.selector, 95, 96));
        liquidator.liquidate(batch);
        batch.minProfit = 95;
        _run(batch);
    }

    function test_onlyLegsThatWorkAreAskedForTheirProfit() public {
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        (legs[0].minProfit, legs[1].minProfit) = (95, 10_000);
        legs[1].calls[0] = abi.encodeCall(ProtocolStandIn.burn, ());
        check(_run(_batch(legs)) == 1, "first not done");
        legs[1] = _leg(2, 2_000, 2_200);
        legs[0] = _leg(3, 1_000, 1_100);
        legs[1].minProfit = 10_000;
        Batch memory batch = _batch(legs);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLittleProfit.selector, 295, 10_000));
        liquidator.liquidate(batch);
    }

    function test_aLegThatBringsTooLittleFails() public {
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        legs[0].minGot = 1_101;
        check(_run(_batch(legs)) == 2, "second alone");
        check(!protocol.gone(1), "first was liquidated");
    }

    function test_aLossIsNotPossibleEvenWithMoneyLyingHere() public {
        debt.mint(address(liquidator), 5_000);
        Batch memory batch = _one(1_000, 900);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.Loss.selector, address(debt)));
        liquidator.liquidate(batch);
        check(debt.balanceOf(address(liquidator)) == 5_000, "touched");
    }

    function test_whatLiesHereIsNeitherSoldNorCounted() public {
        debt.mint(address(liquidator), 5_000);
        collateral.mint(address(liquidator), 700);
        _run(_one(1_000, 1_100));
        check(debt.balanceOf(owner) == 95, "another profit");
        check(debt.balanceOf(address(liquidator)) == 5_000, "debt touched");
        check(collateral.balanceOf(address(liquidator)) == 700, "collateral touched");
    }

    function testFuzz_profitIsWhatIsBroughtLessWhatIsOwed(uint96 repaid, uint96 more, uint16 premiumFree) public {
        uint256 given = uint256(repaid) + lender.premium() + more;
        Batch memory batch = _one(repaid, given);
        batch.minProfit = uint256(more) < premiumFree ? more : premiumFree;
        if (given == 0) return;
        _run(batch);
        check(debt.balanceOf(owner) == more, "another profit");
        _nothingLeft();
    }

    /* WHO MAY */

    function testFuzz_onlyOwnerAndOperatorsMayLiquidate(address caller) public {
        if (caller == operator || caller == owner) return;
        Batch memory batch = _one(1_000, 1_100);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOperator.selector));
        liquidator.liquidate(batch);
    }

    function test_theOwnerMayAndNamesAndDismissesOperators() public {
        vm.prank(owner);
        liquidator.setOperator(operator, false);
        Batch memory batch = _one(1_000, 1_100);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOperator.selector));
        liquidator.liquidate(batch);
        vm.prank(owner);
        liquidator.liquidate(batch);
    }

    function testFuzz_onlyTheOwnerRulesAndRescues(address caller) public {
        if (caller == owner || caller == address(0)) return;
        bytes memory no = abi.encodeWithSelector(Errors.NotOwner.selector);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.setOperator(caller, true);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.setOwner(caller);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.acceptOwner();
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.rescue(address(debt), caller, 1);
    }

    function test_ownershipIsHandedOverOnlyToWhoAccepts() public {
        vm.prank(owner);
        liquidator.setOwner(stranger);
        check(liquidator.owner() == owner, "too early");
        vm.prank(stranger);
        liquidator.acceptOwner();
        check(liquidator.owner() == stranger, "not accepted");
    }

    function test_theOwnerRescuesTokensAndNativeCurrency() public {
        debt.mint(address(liquidator), 42);
        (bool ok,) = address(liquidator).call{value: 7}("");
        check(ok, "cannot receive");
        vm.prank(owner);
        liquidator.rescue(address(debt), stranger, 42);
        uint256 before = stranger.balance;
        vm.prank(owner);
        liquidator.rescue(address(0), stranger, 7);
        check(debt.balanceOf(stranger) == 42 && stranger.balance == before + 7, "not rescued");
    }

    /* CALLBACKS */

    function testFuzz_callbacksOutOfTurnAreRefused(address caller, bytes calldata data) public {
        bytes memory no = abi.encodeWithSelector(Errors.UnexpectedCallback.selector);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.executeOperation(address(debt), 1, 0, address(liquidator), data);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.uniswapV3FlashCallback(1, 0, data);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.uniswapV3SwapCallback(1, -1, data);
        vm.prank(caller);
        vm.expectRevert(no);
        liquidator.onMorphoLiquidate(1, data);
    }

    function test_aLenderThatLendsForSomebodyElseIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.UnexpectedCallback.selector));
        lender.attack(address(liquidator), address(debt), stranger, "");
        vm.expectRevert(abi.encodeWithSelector(Errors.UnexpectedCallback.selector));
        pool.attack(address(liquidator), abi.encode(address(debt)));
    }

    function test_whileItWorksATargetCannotCallBackIn() public {
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        legs[0].target = address(pool);
        legs[0].calls[0] =
            abi.encodeCall(PoolAtAPrice.attack, (address(liquidator), abi.encode(address(debt))));
        check(_run(_batch(legs)) == 2, "the attack worked");
        legs[0].target = address(lender);
        legs[0].calls[0] = abi.encodeCall(
            LenderStandIn.attack, (address(liquidator), address(debt), address(liquidator), "")
        );
        legs[1] = _leg(3, 2_000, 2_200);
        check(_run(_batch(legs)) == 2, "the attack worked");
        _nothingLeft();
    }

    function test_takingALegIsForItselfOnly() public {
        Leg memory leg = _leg(1, 1_000, 1_100);
        address[] memory tokens = new address[](2);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Errors.Reentered.selector));
        liquidator.take(leg, tokens);
    }

    function test_aTokenThatCallsInWhileItWorksIsRefused() public {
        HookToken hooked = new HookToken();
        _open(new PlainToken(), hooked);
        vm.prank(owner);
        liquidator.setOperator(address(hooked), true);
        hooked.hook(address(liquidator), abi.encodeCall(Liquidator.liquidate, (_one(1_000, 1_100))));
        Batch memory batch = _one(1_000, 1_100);
        vm.prank(operator);
        vm.expectRevert();
        liquidator.liquidate(batch);
    }

    function test_aTargetWithoutCodeFails() public {
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        legs[0].target = stranger;
        check(_run(_batch(legs)) == 2, "no code, yet done");
    }

    function test_moreLegsThanItCanCountAreRefused() public {
        Batch memory batch = _batch(new Leg[](256));
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooManyLegs.selector));
        liquidator.liquidate(batch);
    }

    /* ODD TOKENS */

    function test_tokensThatReturnNothingAndWantZeroFirst() public {
        _open(PlainToken(address(new ZeroFirstToken("odd", "ODD", 6))), PlainToken(address(new ZeroFirstToken("odd", "ODD", 6))));
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        check(_run(_batch(legs)) == 3, "not both");
        check(debt.balanceOf(owner) == 295, "another profit");
        _nothingLeft();
    }

    function test_collateralThatTakesAFeeIsCountedAsItCame() public {
        _open(new PlainToken(), new FeeToken());
        Batch memory batch = _one(1_000, 1_100);
        // Nobody sells it: a pool would refuse it. What came goes to the owner as it is.
        batch.swaps = new Swap[](0);
        debt.mint(address(protocol), 1);
        Leg memory leg = batch.legs[0];
        bytes[] memory calls = new bytes[](2);
        calls[0] = leg.calls[0];
        calls[1] = abi.encodeCall(
            ProtocolStandIn.liquidate, (9, address(collateral), 0, address(debt), 1_100)
        );
        leg.calls = calls;
        leg.minGot = 1_089;
        _run(batch);
        check(collateral.balanceOf(owner) == 1_089 - 10, "another amount");
        _nothingLeft();
    }

    function test_aLegWithATokenThatCannotBeSoldFailsAlone() public {
        FeeToken odd = new FeeToken();
        PoolAtAPrice bad = new PoolAtAPrice(address(odd), address(debt), 1e6);
        odd.mint(address(protocol), RICH);
        debt.mint(address(bad), RICH);
        Leg[] memory legs = new Leg[](2);
        (legs[0], legs[1]) = (_leg(1, 1_000, 1_100), _leg(2, 2_000, 2_200));
        legs[0].calls[0] =
            abi.encodeCall(ProtocolStandIn.liquidate, (1, address(debt), 1_000, address(odd), 1_100));
        legs[0].gets = 2;
        legs[0].swaps = new Swap[](1);
        legs[0].swaps[0] = Swap(2, 0, false, 0, address(0), _route(address(odd), address(bad), address(debt)));
        Batch memory batch = _batch(legs);
        batch.tokens = new address[](3);
        (batch.tokens[0], batch.tokens[1], batch.tokens[2]) = (address(debt), address(collateral), address(odd));
        check(_run(batch) == 2, "sold what cannot be sold");
        check(!protocol.gone(1) && odd.balanceOf(address(liquidator)) == 0, "first was liquidated");
        _nothingLeft();
    }

    function test_aRebaseInBetweenDoesNotBreakIt() public {
        RebasingToken odd = new RebasingToken();
        _open(new PlainToken(), odd);
        Leg[] memory legs = new Leg[](1);
        legs[0] = _leg(1, 1_000, 1_100);
        odd.growOnTransfer(3);
        _run(_batch(legs));
        check(debt.balanceOf(owner) >= 95, "less profit");
        check(odd.balanceOf(address(liquidator)) == 0, "collateral left");
    }
}

/// @notice Gives every receiver some units more with each transfer, as interest that falls due just then.
contract RebasingToken is PlainToken {
    uint256 private growth;

    function growOnTransfer(uint256 units) external {
        growth = units;
    }

    function _move(address from, address to, uint256 amount) internal override returns (bool) {
        balanceOf[to] += growth;
        return super._move(from, to, amount);
    }
}

/// @notice Anybody does anything, in any order; the invariants are looked at in between.
contract Crowd is Scene {
    uint64 private next = 1;
    uint256 public lowestDebt;
    uint256 public lowestCollateral;
    uint256 public lying = 1_000;
    bool public strangerWasLetIn;

    constructor() {
        _open(new PlainToken(), new PlainToken());
        debt.mint(address(liquidator), lying);
        collateral.mint(address(liquidator), lying);
        (lowestDebt, lowestCollateral) = (lying, lying);
    }

    function liquidateSome(uint96 repaid, uint96 given, uint96 otherGiven, uint96 minProfit, bool again) external {
        Leg[] memory legs = new Leg[](2);
        legs[0] = _leg(next, repaid, given);
        legs[1] = _leg(again ? next : next + 1, repaid, otherGiven);
        next += 2;
        Batch memory batch = _batch(legs);
        batch.minProfit = minProfit % 1_000;
        vm.prank(operator);
        try liquidator.liquidate(batch) {} catch {}
        _look();
    }

    function byAnybody(address who, uint96 repaid, uint96 given) external {
        if (who == operator || who == owner) return;
        Batch memory batch = _one(repaid, given);
        vm.prank(who);
        try liquidator.liquidate(batch) {
            strangerWasLetIn = true;
        } catch {}
        vm.prank(who);
        try liquidator.rescue(address(debt), who, 1) {
            strangerWasLetIn = true;
        } catch {}
        vm.prank(who);
        try liquidator.executeOperation(address(debt), given, 0, address(liquidator), "") {
            strangerWasLetIn = true;
        } catch {}
        vm.prank(who);
        try liquidator.uniswapV3SwapCallback(int256(uint256(given)), 0, abi.encode(address(debt))) {
            strangerWasLetIn = true;
        } catch {}
        _look();
    }

    function held() external view returns (uint256, uint256) {
        return (debt.balanceOf(address(liquidator)), collateral.balanceOf(address(liquidator)));
    }

    function allowances() external view returns (uint256 sum) {
        address[3] memory spenders = [address(lender), address(protocol), address(pool)];
        for (uint256 i; i < spenders.length; ++i) {
            sum += debt.allowance(address(liquidator), spenders[i]);
            sum += collateral.allowance(address(liquidator), spenders[i]);
        }
    }

    function _look() private {
        uint256 present = debt.balanceOf(address(liquidator));
        if (present < lowestDebt) lowestDebt = present;
        present = collateral.balanceOf(address(liquidator));
        if (present < lowestCollateral) lowestCollateral = present;
    }
}

contract LiquidatorInvariants {
    Crowd private crowd;

    function setUp() public {
        crowd = new Crowd();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    function invariant_neverEndsWithLessThanItBeganWith() public view {
        check(crowd.lowestDebt() == crowd.lying(), "debt tokens lost");
        check(crowd.lowestCollateral() == crowd.lying(), "collateral lost");
    }

    function invariant_keepsNoProfitAndLeavesNoAllowance() public view {
        (uint256 debt, uint256 collateral) = crowd.held();
        check(debt == crowd.lying() && collateral == crowd.lying(), "profit kept");
        check(crowd.allowances() == 0, "allowance left");
    }

    function invariant_neverCallableByOthers() public view {
        check(!crowd.strangerWasLetIn(), "a stranger was let in");
    }
}
