// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Black76} from "../../src/clearinghouse/Black76.sol";
import {check, vm} from "./StandIns.sol";

/// @dev That it reverts is only seen from another contract.
contract Black76Caller {
    function prices(uint256 forward, uint256 strike, uint256 s) external pure returns (uint256, uint256) {
        return Black76.prices(forward, strike, s);
    }

    function deviation(uint256 volatility, uint256 secondsLeft) external pure returns (uint256) {
        return Black76.deviation(volatility, secondsLeft);
    }
}

contract Black76Test {
    uint256 private constant WAD = 1e18;
    /// @dev 6,000 are allowed; this is what it takes, so that a change for the worse is seen.
    uint256 private constant MOST_GAS = 3_200;

    Black76Caller private _caller = new Black76Caller();

    /* RELATIONS TO THE UNIT */

    function testFuzz_anyAmountsKeepAllRelations(uint128 forward, uint128 strike, uint256 s) public pure {
        _relationsHold(forward, strike, s);
        _relationsHold(forward, strike, s % (64 * WAD));
    }

    function testFuzz_nearTheMoneyAllRelationsHold(uint128 forward, uint8 places, bool above, uint64 s) public pure {
        uint256 off = forward >> (1 + places % 127);
        _relationsHold(forward, above ? uint256(forward) + off : forward - off, s >> (places % 60));
    }

    function _relationsHold(uint256 forward, uint256 strike, uint256 s) private pure {
        if (strike > type(uint128).max) strike = type(uint128).max;
        (uint256 call, uint256 put) = Black76.prices(forward, strike, s);
        check(call + strike == put + forward, "put is not call - forward + strike");
        check(call + strike >= forward && put + forward >= strike, "below intrinsic value");
        check(call <= forward && put <= strike, "above what it can pay");
        (uint256 mirroredCall, uint256 mirroredPut) = Black76.prices(strike, forward, s);
        check(call == mirroredPut && put == mirroredCall, "not the same from the other side");
    }

    function test_zerosAndTheEndless() public pure {
        _priced(3_000 * WAD, 2_000 * WAD, 0, 1_000 * WAD, 0);
        _priced(2_000 * WAD, 3_000 * WAD, 0, 0, 1_000 * WAD);
        _priced(3_000 * WAD, 0, WAD, 3_000 * WAD, 0);
        _priced(0, 3_000 * WAD, WAD, 0, 3_000 * WAD);
        _priced(0, 0, WAD, 0, 0);
        _priced(3_000 * WAD, 2_000 * WAD, type(uint256).max, 3_000 * WAD, 2_000 * WAD);
    }

    /// @dev True prices to fifty digits, cut to wei (tests/support/black76_reference.py).
    function test_knownPrices() public pure {
        _priced(60_000 * WAD, 60_000 * WAD, WAD / 10, 2392656700604695391558, 2392656700604695391558);
        _priced(60_000 * WAD, 70_000 * WAD, WAD / 10, 172509796489628159658, 10172509796489628159658);
        _priced(60_000 * WAD, 30_000 * WAD, WAD / 2, 30784160978640333685922, 784160978640333685922);
    }

    function _priced(uint256 forward, uint256 strike, uint256 s, uint256 call, uint256 put) private pure {
        (uint256 gotCall, uint256 gotPut) = Black76.prices(forward, strike, s);
        uint256 allowed = _error(forward < strike ? forward : strike);
        check(gotCall <= call + allowed && call <= gotCall + allowed, "another call");
        check(gotPut <= put + allowed && put <= gotPut + allowed, "another put");
    }

    /* MONOTONE UP TO TWICE THE ERROR */

    function testFuzz_moreForwardMoreCallLessPut(uint128 forward, uint128 strike, uint64 s, uint128 more) public pure {
        uint256 higher = uint256(forward) + more >> 128 == 0 ? uint256(forward) + more : type(uint128).max;
        (uint256 call, uint256 put) = Black76.prices(forward, strike, s);
        (uint256 higherCall, uint256 higherPut) = Black76.prices(higher, strike, s);
        uint256 allowed = 2 * _error(strike);
        check(higherCall + allowed >= call && put + allowed >= higherPut, "falls with the forward");
    }

    function testFuzz_moreStrikeMorePutLessCall(uint128 forward, uint128 strike, uint64 s, uint8 places) public pure {
        uint256 higher = uint256(strike) + (strike >> (1 + places % 127));
        if (higher > type(uint128).max) higher = type(uint128).max;
        (uint256 call, uint256 put) = Black76.prices(forward, strike, s);
        (uint256 higherCall, uint256 higherPut) = Black76.prices(forward, higher, s);
        uint256 allowed = 2 * _error(forward);
        check(higherPut + allowed >= put && call + allowed >= higherCall, "falls with the strike");
    }

    function testFuzz_moreDeviationMoreOfBoth(uint128 forward, uint8 places, uint64 s, uint64 more) public pure {
        uint256 strike = forward - (forward >> (1 + places % 127));
        (uint256 call,) = Black76.prices(forward, strike, s);
        (uint256 higherCall,) = Black76.prices(forward, strike, uint256(s) + (more >> (places % 60)));
        check(higherCall + 2 * _error(strike) >= call, "falls with the deviation");
    }

    /// @dev The stated bound: 2⁻⁶⁵ of the smaller of forward and strike, and a wei.
    function _error(uint256 smaller) private pure returns (uint256) {
        return (smaller >> 65) + 2;
    }

    /* DEVIATION */

    function testFuzz_aDeviationIsTheRootRoundedDown(uint96 volatility, uint64 secondsLeft) public pure {
        uint256 square = uint256(volatility) * volatility * secondsLeft / 365 days;
        uint256 root = Black76.deviation(volatility, secondsLeft);
        check(root * root <= square, "above the root");
        check((root + 1) * (root + 1) > square, "not the nearest below");
    }

    function test_aYearIsTheVolatilityItself() public pure {
        check(Black76.deviation(WAD * 6 / 10, 365 days) == WAD * 6 / 10, "a year");
        check(Black76.deviation(WAD * 6 / 10, 0) == 0 && Black76.deviation(0, 365 days) == 0, "nothing to come");
    }

    /* OUT OF THE DOMAIN */

    function testFuzz_whatIsTooLargeReverts(uint256 large, uint128 other, uint256 s) public {
        if (large >> 128 == 0) large |= 1 << 128;
        vm.expectRevert(abi.encodeWithSelector(Black76.OutOfDomain.selector));
        _caller.prices(large, other, s);
        vm.expectRevert(abi.encodeWithSelector(Black76.OutOfDomain.selector));
        _caller.prices(other, large, s);
        vm.expectRevert(abi.encodeWithSelector(Black76.OutOfDomain.selector));
        _caller.deviation(large, uint64(other));
        vm.expectRevert(abi.encodeWithSelector(Black76.OutOfDomain.selector));
        _caller.deviation(uint96(other), large);
    }

    /* GAS */

    function test_aPriceTakesItsGasAndNoMore() public view {
        uint256[3][8] memory options = [
            [60_000 * WAD, 60_000 * WAD, WAD / 10],
            [60_000 * WAD, 61_000 * WAD, WAD / 50],
            [60_000 * WAD, 30_000 * WAD, WAD / 2],
            [3_000 * WAD, 2_000 * WAD, 2 * WAD],
            [WAD, 100 * WAD, 3 * WAD],
            [uint256(type(uint128).max), 1, 12 * WAD],
            [uint256(1), type(uint128).max, 12 * WAD],
            [60_000 * WAD, 90_000 * WAD, WAD / 10]
        ];
        for (uint256 i; i < options.length; ++i) {
            check(_gasOf(options[i][0], options[i][1], options[i][2]) <= MOST_GAS, "a price takes more gas");
        }
    }

    function testFuzz_noPriceTakesMore(uint128 forward, uint128 strike, uint64 s) public view {
        check(_gasOf(forward, strike, s) <= MOST_GAS, "a price takes more gas");
    }

    /// @dev The library's code stands inside this one: what is measured is the price alone.
    function _gasOf(uint256 forward, uint256 strike, uint256 s) private view returns (uint256 spent) {
        spent = gasleft();
        (uint256 call, uint256 put) = Black76.prices(forward, strike, s);
        spent -= gasleft();
        // Used, so that the compiler cannot leave it out.
        check(call + strike == put + forward, "put is not call - forward + strike");
    }
}
