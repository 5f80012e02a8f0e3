// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Deleveraging} from "../../../src/clearinghouse/Deleveraging.sol";
import {Policy, Rule} from "../../../src/clearinghouse/Haircuts.sol";
import {Leg} from "../../../src/clearinghouse/Types.sol";
import {vm} from "../StandIns.sol";
import {House} from "./House.sol";

/// @notice A house in which somebody is short of ETH, others are long, and the price jumps.
abstract contract Jump is House {
    uint256 internal constant TAKER = 0x7A4E;
    uint256 internal constant LOSER = 0x105E;
    uint256 internal constant FIRST = 0xF125;

    Deleveraging internal adl;
    uint256 internal taker;
    uint256 internal loser;
    uint256[] internal winners;
    uint256[] private _none;

    function deleveraging() internal override returns (address) {
        adl = new Deleveraging(house, Policy(Rule.RiskAware, 2 hours, uint128(MONEY)));
        return address(adl);
    }

    function policy(Rule rule) internal {
        adl.setPolicy(Policy(rule, 2 hours, uint128(MONEY)));
    }

    /// @dev The loser sells to winners of different sizes, prices and means.
    function sold() internal {
        taker = rich(TAKER, 10_000_000, 0);
        loser = rich(LOSER, 10_500, 0);
        won(5, 1_960e9, 9_000, 0);
        won(9, 2_010e9, 0, 8);
        won(6, 2_050e9, 4_500, 0);
    }

    function won(int64 size, uint64 price, uint256 cash, uint256 ether__) internal returns (uint256 account) {
        uint256 key = FIRST + winners.length;
        account = rich(key, cash, ether__);
        winners.push(account);
        traded(key, account, LOSER, loser, ETH, size * ONE, price);
    }

    /// @dev The price jumps, and the taker takes over all that the loser has.
    function jumped(int256 price) internal returns (uint256 owed) {
        eth.set(price);
        taken(loser);
        return house.shortfall(ETH, false);
    }

    function taken(uint256 account) internal {
        (,, uint256 scenario) = house.worst(account, false);
        uint256 since = house.calledAt(account);
        if (since == 0 || block.timestamp >= since + 1 days) house.call(account, scenario);
        vm.prank(vm.addr(TAKER));
        house.liquidate(account, scenario, 1e18, taker, type(int256).max);
    }

    function weighed(uint256[] memory accounts) internal {
        adl.weigh(ETH, accounts, adl.round(adl.roundOf(ETH)).rule == Rule.Queue ? new uint256[](accounts.length) : _none);
    }

    function chargedAll(uint256 page) internal {
        while (adl.roundOf(ETH) != 0) adl.charge(ETH, page);
    }

    function only(uint256 account) internal pure returns (uint256[] memory accounts) {
        accounts = new uint256[](1);
        accounts[0] = account;
    }

    function equityOf(uint256 account) internal view returns (int256) {
        return margin.equityOf(house.stateNow(account));
    }

    function profitOf(uint256 account) internal view returns (int256 profit) {
        Leg[] memory legs = house.stateOf(account).legs;
        int256 price = int256(uint256(markets.markOf(ETH))) - markets.funding(ETH);
        for (uint256 i; i < legs.length; ++i) if (legs[i].instrument == ETH) profit += legs[i].size * price - legs[i].cost;
    }
}
