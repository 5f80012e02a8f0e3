// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Round, Rule} from "../../../src/clearinghouse/Haircuts.sol";
import {check, vm} from "../StandIns.sol";
import {Jump} from "./Jump.sol";

/// @notice Four traders, a taker and everybody who may begin, weigh and charge, in any order.
contract Rounds is Jump {
    uint256 private constant TRADERS = 4;

    /// @notice What went wrong in a step, and what happened at all.
    string public wrong;
    uint256 public charges;
    uint256 public endings;
    uint256 public begun;
    uint256 public closings;

    constructor() {
        build();
        taker = rich(TAKER, 10_000_000, 0);
        for (uint256 i; i < TRADERS; ++i) winners.push(rich(FIRST + i, 6_000, 0));
    }

    function trade(uint256 first, uint256 second, uint64 size) external {
        (first, second) = (first % TRADERS, second % TRADERS);
        int64 whole = int64(1 + size % 12) * ONE - int64(size % 7);
        uint64 price = markets.markOf(ETH);
        traded(FIRST + first, winners[first], FIRST + second, winners[second], ETH, whole, price);
    }

    function jump(uint256 to) public {
        eth.set(int256(1_400e8 + to % 1_400e8));
    }

    /// @dev Two trade as much as they can, and the price jumps far.
    function _crash(uint256 first, bool up) private returns (uint256 loses) {
        (first, loses) = (first % TRADERS, (first + 1) % TRADERS);
        jump(up ? 200e8 : 1_200e8);
        for (uint256 i; i < TRADERS; ++i) {
            int256 cash = house.cashOf(winners[i]);
            if (cash < 6_000e18) house.depositCash(winners[i], uint256(6_000e18 - cash) / 1e12);
        }
        int64 size = up ? 15 * ONE : 8 * ONE;
        (uint256 buyer, uint256 seller) = up ? (first, loses) : (loses, first);
        traded(FIRST + buyer, winners[buyer], FIRST + seller, winners[seller], ETH, size, markets.markOf(ETH));
        jump(up ? 1_399e8 : 0);
        return winners[loses];
    }

    function liquidate(uint256 first, bool up) external {
        uint256 account = _crash(first, up);
        vm.warp(block.timestamp + 1 days);
        taken(account);
    }

    function begin(uint8 rule) external {
        policy(Rule(rule % 3));
        adl.begin(ETH, house.shortfall(ETH, true) != 0);
        ++begun;
    }

    function beginClosing(uint256 first, bool up, uint8 rule) external {
        policy(Rule(rule % 3));
        uint256 account = _crash(first, up);
        uint256 since = house.calledAt(account);
        if (since == 0 || block.timestamp >= since + 1 days) {
            (,, uint256 scenario) = house.worst(account, false);
            house.call(account, scenario);
        }
        vm.warp(block.timestamp + 2 hours);
        adl.beginClosing(account, ETH);
        ++closings;
    }

    function weigh(uint256 first, uint256 count) external {
        _weigh(first % (TRADERS + 1), 1 + count % (TRADERS + 1));
    }

    function _weigh(uint256 first, uint256 count) private {
        for (uint256 i = first; i < first + count; ++i) {
            uint256[] memory page = only(i % (TRADERS + 1) == TRADERS ? taker : winners[i % (TRADERS + 1)]);
            try adl.weigh(ETH, page, page) {} catch {}
        }
    }

    function charge(uint256 count) external {
        _charge(1 + count % 3);
    }

    /// @dev Whatever has happened, anybody ends it with everybody's accounts.
    function end() external {
        uint256 id = adl.roundOf(ETH);
        if (id == 0) return;
        _weigh(0, TRADERS + 1);
        for (uint256 i; i < 40 && adl.roundOf(ETH) == id; ++i) _charge(2);
        if (adl.roundOf(ETH) == id) wrong = "does not end";
        ++endings;
    }

    /// @dev Each pays out of its profit only, and together what the shortfall falls by.
    function _charge(uint256 count) private {
        uint256 id = adl.roundOf(ETH);
        Round memory round = adl.round(id);
        (uint256 owed, uint256 deficit) = (house.shortfall(ETH, round.long), house.shortfall(house.NOBODY(), false));
        (uint256 profits, int256 cash) = (_profits(id), _cash(round.account));
        adl.charge(ETH, count);
        uint256 paid = owed - house.shortfall(ETH, round.long) + deficit - house.shortfall(house.NOBODY(), false);
        if (profits - _profits(id) != paid) wrong = "not what was recorded";
        // Cash only rises or stays, but for what closing has paid and is charged at once.
        if (round.left.unwanted == 0 && round.account == 0 && _cash(0) != cash) wrong = "cash of winners";
        if (paid != 0) ++charges;
    }

    function _profits(uint256 id) private view returns (uint256 sum) {
        for (uint256 i; i < TRADERS; ++i) sum += adl.winner(id, winners[i]).profit;
        sum += adl.winner(id, taker).profit;
    }

    function _cash(uint256 but) private view returns (int256 sum) {
        for (uint256 i; i < house.accounts(); ++i) if (i != but || but == 0) sum += house.stateOf(i).cash;
    }

    function realize(uint256 i) external {
        house.realize(winners[i % TRADERS]);
    }

    function withdraw(uint256 i, uint256 units) external {
        vm.prank(vm.addr(FIRST + i % TRADERS));
        house.withdrawCash(winners[i % TRADERS], units % 3_000e6, address(this));
    }

    function deposit(uint256 i, uint256 units) external {
        house.depositCash(winners[i % TRADERS], units % 10_000e6);
    }

    function contribute(uint256 units) external {
        house.contribute(units % 200e6);
    }

    function repay(bool long) external {
        house.repay(ETH, long);
    }

    function absorb(uint256 i) external {
        house.absorb(winners[i % TRADERS]);
    }

    function balance() external view returns (int256) {
        return unbalanced();
    }

    function isHalted() external view returns (bool, bool) {
        return (house.halted(ETH), adl.roundOf(ETH) != 0);
    }
}

contract DeleveragingInvariantsTest {
    Rounds private _rounds;

    function setUp() public {
        _rounds = new Rounds();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_rounds);
    }

    /// forge-config: default.invariant.runs = 4
    /// forge-config: default.invariant.depth = 80
    /// forge-config: soak.invariant.runs = 64
    function invariant_whatIsChargedIsWhatWasOwedToTheUnit() public view {
        check(_rounds.balance() == 0, "unbalanced");
        check(bytes(_rounds.wrong()).length == 0, _rounds.wrong());
        (bool halted, bool going) = _rounds.isHalted();
        check(halted == going, "halted for nothing");
    }
}
