// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Deleveraging} from "../../../src/clearinghouse/Deleveraging.sol";
import {Instrument, Kind, Leg} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";
import {Jump} from "./Jump.sol";

/// @notice Options are deleveraged too: their profit is charged in cash, before expiry and after.
contract DeleveragingOptionsTest is Jump {
    event Gas(string what, uint256 gas);

    function setUp() public {
        build();
        taker = rich(TAKER, 10_000_000, 0);
        loser = rich(LOSER, 10_500, 0);
        for (uint256 i; i < 3; ++i) {
            uint256 account = rich(FIRST + i, 5_000 + 2_000 * i, 0);
            winners.push(account);
            traded(FIRST + i, account, LOSER, loser, call, (4 + 3 * int64(uint64(i))) * ONE, 183e9);
        }
    }

    function test_anOptionsProfitIsChargedInCashAndOnlyOnce() public {
        eth.set(2_800e8);
        taken(loser);
        uint256 owed = house.shortfall(call, false);
        check(owed > MONEY, "owed");
        adl.begin(call, false);
        int256 mark = int256(uint256(adl.round(1).mark));
        (int256[3] memory cash, int256[3] memory profit) = (_cash(), _profits(mark));
        adl.weigh(call, winners, new uint256[](0));
        adl.charge(call, 3);
        check(adl.roundOf(call) == 0 && unbalanced() == 0, "over");
        int256 sum;
        for (uint256 i; i < 3; ++i) {
            int256 paid = cash[i] - house.cashOf(winners[i]);
            check(paid >= 0 && paid <= profit[i] && profit[i] - _profits(mark)[i] == paid, "more than its profit");
            sum += paid;
        }
        check(sum == int256(owed), "not to the unit");
    }

    function test_beforeExpiryAnOptionThatNobodyTakesIsClosed() public {
        eth.set(2_900e8);
        (,, uint256 scenario) = house.worst(loser, false);
        house.call(loser, scenario);
        vm.warp(block.timestamp + 2 hours);
        volatility.set(0.8e18, 0);
        int256 lacks = -equityOf(loser);
        adl.beginClosing(loser, call);
        adl.weigh(call, winners, new uint256[](0));
        while (adl.roundOf(call) != 0) adl.charge(call, 2);
        check(lacks > 0 && house.openInterest(call) == 0 && house.stateOf(loser).legs.length == 0, "not closed");
        // Rounded down once more in its value than in its mark.
        check(house.cashOf(loser) >= 0 && house.cashOf(loser) < 1e12 && unbalanced() == 0, "not what it lacked");
    }

    function test_afterExpiryItWaitsForTheSettlementAndForNobodyWhoHasSettled() public {
        vm.warp(expiry - 30 minutes);
        eth.set(2_900e8);
        for (uint256 i; i < 10; ++i) {
            vm.warp(expiry - 30 minutes + (i + 1) * 3 minutes - (i == 9 ? 1 : 0));
            options.observe(ETH, expiry);
        }
        vm.warp(expiry);
        _closingIsRefused();
        options.settle(ETH, expiry);
        _closingIsRefused();
        house.settle(winners[0]);
        house.settle(loser);
        house.absorb(loser);
        check(house.shortfall(call, false) > MONEY, "owed");
        house.settle(winners[1]);
        check(house.stateOf(winners[1]).legs.length == 1, "settled while something is owed");
        adl.begin(call, false);
        check(adl.round(1).unweighed == 17e9, "without what is settled");
        uint256[] memory rest = new uint256[](2);
        (rest[0], rest[1]) = (winners[1], winners[2]);
        adl.weigh(call, rest, new uint256[](0));
        adl.charge(call, 2);
        for (uint256 i = 1; i < 3; ++i) house.settle(winners[i]);
        check(adl.roundOf(call) == 0 && unbalanced() == 0, "unbalanced");
    }

    function _closingIsRefused() private {
        uint256 at = block.timestamp;
        (,, uint256 scenario) = house.worst(loser, false);
        if (house.calledAt(loser) == 0) house.call(loser, scenario);
        vm.warp(at + 2 hours);
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.HasExpired.selector, call));
        adl.beginClosing(loser, call);
        vm.warp(at);
    }

    function test_aPageOfFullAccountsLeavesAFifthOfTheGasThatATransactionMayTake() public {
        loser = rich(LOSER, 2_500, 0);
        uint256[] memory page = new uint256[](6);
        for (uint256 i; i < 6; ++i) {
            page[i] = rich(FIRST + i, 20_000, 0);
            traded(FIRST + i, page[i], LOSER, loser, ETH, ONE / 2, 2_000e9);
            if (i != 0) continue;
            for (uint64 k; k < 15; ++k) {
                uint32 option = options.list(Instrument(Kind.Call, ETH, expiry, 1_500e9 + k * 100e9));
                traded(FIRST + i, page[i], TAKER, taker, option, ONE, 500e9);
            }
        }
        eth.set(3_500e8);
        taken(loser);
        adl.begin(ETH, false);
        (uint256 full, uint256 plain) = (_weigh(page[0]), _weigh(page[1]));
        emit Gas("weighing an account of sixteen legs", full);
        emit Gas("weighing an account of one leg", plain);
        check(full * adl.MOST_WEIGHED() < 2 ** 24 * 4 / uint256(5), "a page of full accounts");
        for (uint256 i = 2; i < 6; ++i) _weigh(page[i]);
        uint256 before = gasleft();
        adl.charge(ETH, 6);
        uint256 charged = (before - gasleft()) / 6;
        emit Gas("charging an account", charged);
        check(charged * adl.MOST_CHARGED() < 2 ** 24 * 4 / uint256(5), "a page of charges");
    }

    function _weigh(uint256 account) private returns (uint256) {
        uint256 before = gasleft();
        adl.weigh(ETH, only(account), new uint256[](0));
        return before - gasleft();
    }

    function _cash() private view returns (int256[3] memory cash) {
        for (uint256 i; i < 3; ++i) cash[i] = house.cashOf(winners[i]);
    }

    function _profits(int256 mark) private view returns (int256[3] memory profits) {
        for (uint256 i; i < 3; ++i) {
            Leg memory leg = house.stateOf(winners[i]).legs[0];
            profits[i] = leg.size * mark - leg.cost;
        }
    }
}
