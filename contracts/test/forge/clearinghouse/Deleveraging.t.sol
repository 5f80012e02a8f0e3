// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Clearinghouse} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Deleveraging} from "../../../src/clearinghouse/Deleveraging.sol";
import {Policy, Round, Rule, Winner} from "../../../src/clearinghouse/Haircuts.sol";
import {check, vm} from "../StandIns.sol";
import {Jump} from "./Jump.sol";

contract DeleveragingTest is Jump {
    function setUp() public {
        build();
        sold();
    }

    /* EXACTLY WHAT IS OWED, OUT OF PROFIT */

    /// forge-config: default.fuzz.runs = 48
    /// forge-config: soak.fuzz.runs = 2000
    function testFuzz_exactlyTheShortfallIsTakenFromProfitAlone(uint8 rule, uint16 rise, uint256 order, uint8 page) public {
        policy(Rule(rule % 3));
        uint256 owed = jumped(2_520e8 + int256(uint256(rise) % 1_500) * 1e8);
        if (owed == 0) return;
        adl.begin(ETH, false);
        if (adl.roundOf(ETH) == 0) return;
        (int256[3] memory profits, int256[3] memory equities, int256[3] memory cash) = before();
        for (uint256 i; i < 3; ++i) weighed(only(winners[(i + order % 3) % 3]));
        chargedAll(1 + page % 4);
        uint256 paid;
        for (uint256 i; i < 3; ++i) {
            int256 lost = equities[i] - equityOf(winners[i]);
            check(lost >= 0 && (lost == 0 || lost <= profits[i]), "more than its profit");
            check(equityOf(winners[i]) >= 0 || lost == 0, "more than it has");
            check(profitOf(winners[i]) == profits[i] - lost, "profit that is charged is still there");
            check(house.cashOf(winners[i]) == cash[i], "cash of whoever has an open position");
            paid += uint256(lost);
        }
        check(paid + house.shortfall(house.NOBODY(), false) == owed, "not to the unit");
        check(house.shortfall(ETH, false) == 0 && !house.halted(ETH), "goes on");
        check(unbalanced() == 0, "unbalanced");
    }

    function before() private view returns (int256[3] memory profits, int256[3] memory equities, int256[3] memory cash) {
        for (uint256 i; i < 3; ++i) {
            (profits[i], equities[i]) = (profitOf(winners[i]), equityOf(winners[i]));
            cash[i] = house.cashOf(winners[i]);
        }
    }

    function test_eachRuleTakesByItsFormula() public {
        uint256 owed = jumped(2_800e8);
        (int256[3] memory profits, int256[3] memory equities,) = before();
        check(owed > 1_000e18, "owed");
        adl.begin(ETH, false);
        Round memory round = adl.round(1);
        weighed(winners);
        chargedAll(64);
        uint256[3] memory weights;
        uint256 total;
        for (uint256 i; i < 3; ++i) {
            uint256 notional = uint256(int256(house.stateOf(winners[i]).legs[0].size)) * round.mark;
            weights[i] = (uint256(profits[i]) * notional + uint256(equities[i]) - 1) / uint256(equities[i]);
            total += weights[i];
        }
        for (uint256 i; i < 2; ++i) {
            uint256 share = (owed * weights[i] + total - 1) / total;
            check(equities[i] - equityOf(winners[i]) == int256(share), "by profit times leverage");
        }
    }

    function test_aQueueTakesAllOfTheHighestRankFirst() public {
        policy(Rule.Queue);
        jumped(2_800e8);
        adl.begin(ETH, false);
        weighed(winners);
        uint256 first = adl.round(1).first - 1;
        for (uint256 i; i < 3; ++i) check(adl.winner(1, winners[i]).rank <= adl.winner(1, first).rank, "not the highest");
        uint256 all = adl.winner(1, first).profit;
        int256 equity = equityOf(first);
        uint256 owed = house.shortfall(ETH, false);
        chargedAll(1);
        check(equity - equityOf(first) == int256(all < owed ? all : owed), "not all of it");
    }

    /* NOBODY IS LEFT OUT */

    function test_aPageThatLeavesSomebodyOutChargesNobody() public {
        uint256 owed = jumped(2_800e8);
        refusedToWeigh(winners, abi.encodeWithSelector(Deleveraging.NotBegun.selector, ETH));
        adl.begin(ETH, false);
        weighed(only(winners[0]));
        weighed(only(winners[2]));
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.NotAllWeighed.selector, 9e9));
        adl.charge(ETH, 3);
        refusedToWeigh(only(winners[2]), abi.encodeWithSelector(Deleveraging.NobodyNew.selector));
        refusedToWeigh(only(taker), abi.encodeWithSelector(Deleveraging.NotOnWinningSide.selector, taker, ETH));
        refusedToWeigh(only(loser), abi.encodeWithSelector(Deleveraging.NotOnWinningSide.selector, loser, ETH));
        refusedToWeigh(only(77), abi.encodeWithSelector(Deleveraging.NotOnWinningSide.selector, 77, ETH));
        refusedToWeigh(new uint256[](25), abi.encodeWithSelector(Deleveraging.BadPage.selector, 25, 24));
        check(house.shortfall(ETH, false) == owed, "charged");
        // Whoever has been weighed is in nobody's way.
        weighed(winners);
        refusedToWeigh(winners, abi.encodeWithSelector(Deleveraging.AllWeighed.selector));
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.BadPage.selector, 0, 64));
        adl.charge(ETH, 0);
        chargedAll(2);
        check(house.shortfall(ETH, false) == 0, "not charged");
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.NothingOwed.selector, ETH, false));
        adl.begin(ETH, false);
    }

    function refusedToWeigh(uint256[] memory accounts, bytes memory reason) private {
        vm.expectRevert(reason);
        adl.weigh(ETH, accounts, new uint256[](accounts.length));
    }

    function test_meanwhileNobodyInThatMarketGetsAway() public {
        jumped(2_800e8);
        stuck();
        adl.begin(ETH, false);
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.AlreadyBegun.selector, ETH));
        adl.begin(ETH, false);
        stuck();
        weighed(winners);
        stuck();
        chargedAll(64);
        vm.prank(vm.addr(FIRST));
        house.withdrawCash(winners[0], DOLLAR, address(this));
        traded(FIRST, winners[0], TAKER, taker, ETH, ONE, 2_800e9);
    }

    function stuck() private {
        bytes memory halted = abi.encodeWithSelector(Clearinghouse.InstrumentHalted.selector, ETH);
        vm.prank(vm.addr(FIRST));
        vm.expectRevert(halted);
        house.withdrawCash(winners[0], DOLLAR, address(this));
        (bytes32 state, int256 profit) = (keccak256(abi.encode(house.stateOf(winners[0]).legs)), profitOf(winners[0]));
        house.realize(winners[0]);
        check(state == keccak256(abi.encode(house.stateOf(winners[0]).legs)) && profit > 0, "realised");
        vm.prank(address(orders));
        vm.expectRevert(halted);
        house.trade(taker, winners[0], ETH, 1e9, 2_800e9);
    }

    /* THE FUND */

    function test_theFundIsAskedOnceMore() public {
        uint256 owed = jumped(2_800e8);
        house.contribute(owed / 1e12 / 2);
        adl.begin(ETH, false);
        check(house.shortfall(ETH, false) == owed - owed / 1e12 / 2 * 1e12, "half");
        check(adl.round(1).left.owed == house.shortfall(ETH, false) && fund() == 0, "the rest is charged");
        house.contribute(owed / 1e12);
        house.repay(ETH, false);
        check(fund() == owed / 1e12 * 1e12, "what is being charged stays");
        weighed(winners);
        chargedAll(64);
        check(unbalanced() == 0, "unbalanced");
    }

    function test_aFundThatHasEnoughEndsIt() public {
        uint256 owed = jumped(2_800e8);
        house.contribute(owed / 1e12 + 1);
        adl.begin(ETH, false);
        check(adl.roundOf(ETH) == 0 && !house.halted(ETH) && house.shortfall(ETH, false) == 0, "ended");
    }

    function test_aTrifleIsLeftToTheFund() public {
        uint256 owed = jumped(2_800e8);
        house.contribute(owed / 1e12 - 1);
        adl.begin(ETH, false);
        check(adl.roundOf(ETH) == 0 && house.shortfall(house.NOBODY(), false) == owed % 1e12 + 1e12, "left");
        house.contribute(2);
        check(house.shortfall(house.NOBODY(), false) == 0 && unbalanced() == 0, "repaid");
    }

    function test_anExhaustedSideEndsAndTheFundRepaysTheRest() public {
        eth.set(2_800e8);
        // Two have sold what they won to one who has won nothing yet.
        uint256 fresh = rich(0xF4E5, 1_000_000, 0);
        for (uint256 i; i < 2; ++i) {
            int64 size = house.stateOf(winners[i]).legs[0].size;
            traded(0xF4E5, fresh, FIRST + i, winners[i], ETH, size, markets.markOf(ETH));
        }
        uint256 profit = uint256(profitOf(winners[2]));
        taken(loser);
        uint256 owed = house.shortfall(ETH, false);
        check(owed > profit && profit > 0, "more than there is");
        int256 equity = equityOf(winners[2]);
        adl.begin(ETH, false);
        weighed(only(fresh));
        weighed(only(winners[2]));
        chargedAll(64);
        check(equity - equityOf(winners[2]) == int256(profit) && profitOf(winners[2]) == 0, "all its profit");
        uint256 deficit = house.shortfall(house.NOBODY(), false);
        check(deficit == owed - profit && !house.halted(ETH), "the rest");
        house.contribute(deficit / 1e12 + 1);
        check(house.shortfall(house.NOBODY(), false) == 0 && unbalanced() == 0, "repaid");
    }

    function fund() private view returns (uint256 has) {
        (,,,, has,,) = house.ledger();
    }

    /* POSITIONS THAT NOBODY TAKES */

    function test_whatNobodyTakesIsClosedAgainstTheOtherSide() public {
        for (uint256 rule; rule < 3; ++rule) {
            policy(Rule(rule));
            if (rule != 0) {
                loser = rich(LOSER, 8_000, 0);
                eth.set(2_000e8);
                for (uint256 i; i < 3; ++i) {
                    house.depositCash(winners[i], 10_000 * DOLLAR);
                    traded(FIRST + i, winners[i], LOSER, loser, ETH, (4 + int64(uint64(i))) * ONE, 2_000e9);
                }
            }
            closedAll();
        }
    }

    function closedAll() private {
        eth.set(2_800e8);
        (,, uint256 scenario) = house.worst(loser, false);
        house.call(loser, scenario);
        vm.warp(block.timestamp + 2 hours);
        int256 short = house.stateOf(loser).legs[0].size;
        uint256 open = house.openInterest(ETH);
        int256 lacks = -equityOf(loser);
        int256 sum;
        for (uint256 i; i < 3; ++i) sum += equityOf(winners[i]);
        adl.beginClosing(loser, ETH);
        check(house.shortfall(ETH, false) == uint256(lacks) && equityOf(loser) == 0, "covered");
        weighed(winners);
        chargedAll(2);
        for (uint256 i; i < 3; ++i) sum -= equityOf(winners[i]);
        check(house.stateOf(loser).legs.length == 0 && house.cashOf(loser) == 0, "closed");
        check(house.openInterest(ETH) == open - uint256(-short), "exactly its size");
        check(sum == lacks && house.shortfall(house.NOBODY(), false) == 0, "exactly what it lacked");
        check(unbalanced() == 0 && !house.halted(ETH), "unbalanced");
    }

    function test_whatIsStillWantedIsNotClosed() public {
        eth.set(2_800e8);
        refusedToClose(loser, abi.encodeWithSelector(Deleveraging.StillWanted.selector, loser, 2 hours, 1 days));
        (,, uint256 scenario) = house.worst(loser, false);
        house.call(loser, scenario);
        uint256 now_ = block.timestamp;
        bytes memory wanted =
            abi.encodeWithSelector(Deleveraging.StillWanted.selector, loser, now_ + 2 hours, now_ + 1 days);
        vm.warp(now_ + 2 hours - 1);
        refusedToClose(loser, wanted);
        vm.warp(now_ + 1 days);
        refusedToClose(loser, wanted);
        vm.warp(now_ + 2 hours);
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.NoPosition.selector, loser, BTC));
        adl.beginClosing(loser, BTC);
        eth.set(2_350e8);
        check(equityOf(loser) >= 0, "solvent");
        refusedToClose(loser, abi.encodeWithSelector(Deleveraging.NotInsolvent.selector, loser, equityOf(loser)));
        check(!house.halted(ETH) && adl.roundOf(ETH) == 0, "halted");
    }

    function refusedToClose(uint256 account, bytes memory reason) private {
        vm.expectRevert(reason);
        adl.beginClosing(account, ETH);
    }

    /* WHOSE EQUITY NOBODY CAN TELL */

    function test_anotherMarketsFeedHoldsNobodyUp() public {
        traded(FIRST, winners[0], TAKER, taker, BTC, ONE / 100, 30_000e9);
        jumped(2_800e8);
        vm.warp(block.timestamp + 31 days);
        eth.set(2_800e8);
        adl.begin(ETH, false);
        // With however little gas somebody else is weighed, they are not taken for such an account.
        for (uint256 gas = 60_000; gas < 1_000_000 && adl.winner(1, winners[1]).size == 0; gas += 4_000) {
            try adl.weigh{gas: gas}(ETH, only(winners[1]), new uint256[](0)) {} catch {}
        }
        Winner memory known = adl.winner(1, winners[1]);
        check(known.profit > 0 && known.equity > known.profit, "known");
        weighed(winners);
        Winner memory unknown = adl.winner(1, winners[0]);
        check(unknown.profit > 0 && unknown.equity == unknown.profit, "as if its profit were all");
        chargedAll(64);
        check(house.shortfall(ETH, false) == 0, "charged");
    }

    /* ROLES */

    function test_onlyGovernanceSetsThePolicyAndOnlyDeleveragingTakes() public {
        Policy memory next = Policy(Rule.Queue, 1, 0);
        vm.prank(vm.addr(LOSER));
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.NotAllowed.selector));
        adl.setPolicy(next);
        next.patience = 0;
        vm.expectRevert(abi.encodeWithSelector(Deleveraging.BadPolicy.selector));
        adl.setPolicy(next);
        bytes memory refused = abi.encodeWithSelector(Clearinghouse.NotAllowed.selector);
        vm.expectRevert(refused);
        house.charge(winners[0], ETH, false, 1, 0);
        vm.expectRevert(refused);
        house.close(loser, winners[0], ETH, -1, 0);
        vm.expectRevert(refused);
        house.cover(loser, ETH, false, 1);
        vm.expectRevert(refused);
        house.writeOff(ETH, false, 0);
        check(address(adl).code.length < 24_576, "EIP-170");
    }
}
