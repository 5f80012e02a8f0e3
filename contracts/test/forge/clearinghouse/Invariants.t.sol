// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {AccountState, Instrument, Kind, Leg} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";
import {House} from "./House.sol";

/// @notice Four traders and a rich taker do anything anybody may, in any order, at any price; what a step must not do is
/// looked at in it, what must hold always in between.
contract Traders is House {
    uint256 private constant FIRST = 0x74AD;
    uint256 private constant TRADERS = 4;
    uint256 private constant TAKER = 0x7A4E;
    uint256 private constant INSTRUMENTS = 16;

    /// @notice What went wrong in a step, and how often what was done.
    string public wrong;
    mapping(bytes32 => uint256) public done;
    uint256 private _taker;
    uint40[] private _expiries;

    constructor() {
        build();
        for (uint256 i; i < TRADERS; ++i) rich(FIRST + i, 20_000, 5);
        _taker = rich(TAKER, 100_000_000, 0);
        house.contribute(20_000 * DOLLAR);
        _expiries.push(expiry);
    }

    function _did(bytes32 what) private {
        ++done[what];
    }

    // Trades, at the mark, near it or far from it.

    function trade(uint256 first, uint256 second, uint256 which, uint64 size, uint256 price) public {
        first %= TRADERS;
        second = (first + 1 + second % (TRADERS - 1)) % TRADERS;
        uint32 instrument = uint32([uint256(ETH), ETH, BTC, call, put][which % 5]);
        uint256 mark = markets.markOf(instrument);
        if (price % 4 != 0) mark = mark * (95 + (price >> 8) % 11) / 100;
        else if (price % 3 == 0) mark = mark * ((price >> 8) % 400) / 100;
        (bool one, bool other) = (_isAbove(first), _isAbove(second));
        size = 1 + size % (instrument == BTC ? 5e8 : 8e9);
        traded(FIRST + first, first, FIRST + second, second, instrument, int64(size), uint64(mark));
        if ((one && !_isAbove(first)) || (other && !_isAbove(second))) wrong = "traded below initial margin";
        _did("trade");
    }

    /// @dev Several at once, as in a market there are more trades than anything else.
    function trades(uint256 seed, uint64 size) external {
        for (uint256 i; i < 3; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            try this.trade(seed, seed >> 32, seed >> 64, size ^ uint64(seed >> 96), seed >> 128) {} catch {}
        }
    }

    /// @dev Above initial margin.
    function _isAbove(uint256 account) private view returns (bool) {
        (, int256 value,) = house.worst(account, true);
        return value >= 0;
    }

    // What moves.

    function move(uint256 by, uint256 time) external {
        if (by % 8 == 0) _price(by >> 8, 60, 91);
        else if (by % 3 == 0) volatility.set(0.2e18 + (by >> 8) % 2e18, 0);
        else _price(by >> 8, 90, 21);
        vm.warp(block.timestamp + time % 3 hours);
    }

    function _price(uint256 by, uint256 least, uint256 span) private {
        uint256 next = uint256(eth.answer()) * (least + by % span) / 100;
        if (next < 300e8 || next > 20_000e8) next = 2_000e8;
        eth.set(int256(next));
        next = uint256(btc.answer()) * (least + (by >> 8) % span) / 100;
        if (next < 3_000e8 || next > 300_000e8) next = 30_000e8;
        btc.set(int256(next));
    }

    // Cash and collateral.

    function deposit(uint256 account, uint256 amount) external {
        if (amount % 2 == 0) house.depositCash(account % TRADERS, amount % (10_000 * DOLLAR));
        else house.deposit(account % TRADERS, 0, amount % 5e18);
    }

    function withdrawCash(uint256 account, uint256 units) external {
        account %= TRADERS;
        vm.prank(vm.addr(FIRST + account));
        house.withdrawCash(account, units % (30_000 * DOLLAR), address(this));
        if (!_isAbove(account)) wrong = "took cash below initial margin";
        _did("withdraw");
    }

    function withdraw(uint256 account, uint256 amount) external {
        account %= TRADERS;
        amount %= house.collateralOf(account, 0) + 1;
        vm.prank(vm.addr(FIRST + account));
        house.withdraw(account, 0, amount, address(this));
        if (!_isAbove(account)) wrong = "took collateral below initial margin";
    }

    function contribute(uint256 units) external {
        house.contribute(units % (30_000 * DOLLAR));
        for (uint32 i; i < INSTRUMENTS; ++i) {
            house.repay(i, true);
            house.repay(i, false);
        }
    }

    // Calls and liquidation, by the worst scenario or by any.

    function callIt(uint256 account, uint256 scenario) external {
        (account, scenario) = (account % TRADERS, _scenario(account % TRADERS, scenario));
        _call(account, scenario);
    }

    function _call(uint256 account, uint256 scenario) private {
        (, int256 value) = house.valueIn(account, scenario);
        house.call(account, scenario);
        if (value >= 0) wrong = "called above maintenance";
        _did("call");
    }

    function lift(uint256 account) external {
        account %= TRADERS;
        house.lift(account);
        (, int256 value,) = house.worst(account, false);
        if (value < 0) wrong = "lifted below maintenance";
    }

    function liquidate(uint256 account, uint256 scenario, uint256 share) public {
        (account, scenario) = (account % TRADERS, _scenario(account % TRADERS, scenario));
        (int256 equity, int256 before) = house.valueIn(account, scenario);
        if (before < 0 && house.calledAt(account) == 0) _call(account, scenario);
        if (share % 4 != 0) vm.warp(block.timestamp + share % 4 * 1 hours);
        share = share % 8 == 0 ? 1e18 : 1 + share % 0.5e18;
        (equity, before) = house.valueIn(account, scenario);
        vm.prank(vm.addr(TAKER));
        house.liquidate(account, scenario, share, _taker, type(int256).max);
        if (before >= 0) wrong = "liquidated above maintenance";
        (int256 left, int256 value) = house.valueIn(account, scenario);
        if (value > (left - value) / 10) wrong = "above the buffer";
        // What is rounded: a unit of each leg and of the token at most, at the dearest price.
        if (value < before - int256(0.01e18)) wrong = "worse for a liquidation";
        if (equity < 0 && left < equity - int256(0.01e18) - (equity - before) / 20) wrong = "more than the first discount";
        _did("liquidate");
    }

    function _scenario(uint256 account, uint256 any) private view returns (uint256 scenario) {
        if (any % 4 == 0) return any / 4 % 10;
        (,, scenario) = house.worst(account, false);
    }

    function buyCollateral(uint256 account, uint256 amount) external {
        account %= TRADERS;
        (uint256 owed, uint256 allowed) = house.debtOf(account);
        amount = amount % (house.collateralOf(account, 0) + 1);
        vm.prank(vm.addr(TAKER));
        house.buyCollateral(account, 0, amount, _taker, type(uint128).max);
        if (owed <= allowed) wrong = "sold though covered";
        _did("sale");
    }

    /// @dev A trader takes out all that initial margin allows, the price moves, and whoever is below is liquidated.
    function squeeze(uint256 account, uint256 by, uint256 share) external {
        account %= TRADERS;
        (, int256 value,) = house.worst(account, true);
        if (value > 0) {
            vm.prank(vm.addr(FIRST + account));
            try house.withdrawCash(account, uint256(value) / 1e12, address(this)) {
                _did("withdraw");
            } catch {}
        }
        _price(by, 70, 61);
        for (uint256 i; i < TRADERS; ++i) try this.liquidate(i, 1, share) {} catch {}
    }

    // Settlement.

    function realize(uint256 account) external {
        (int256 equity,) = house.valueIn(account % TRADERS, 0);
        house.realize(account % TRADERS);
        (int256 after_,) = house.valueIn(account % TRADERS, 0);
        if (equity != after_) wrong = "realizing changes what there is";
    }

    function absorb(uint256 account) external {
        house.absorb(account % TRADERS);
    }

    function settle(uint256 account) external {
        (int256 equity,) = house.valueIn(account % TRADERS, 0);
        house.settle(account % TRADERS);
        (int256 after_,) = house.valueIn(account % TRADERS, 0);
        if (equity != after_) wrong = "settling changes what there is";
    }

    /// @dev The expiry that is open comes, with an observation every three minutes, and the next is opened.
    function expire(uint256 by) external {
        uint32 next = uint32(options.count());
        if (by % 3 != 0 || next + 10 > INSTRUMENTS) return;
        for (uint256 i = 1; i <= 10; ++i) {
            vm.warp(expiry - 30 minutes + i * 3 minutes);
            _price(by >> i, 97, 7);
            options.observe(ETH, expiry);
        }
        options.settle(ETH, expiry);
        expiry = uint40(block.timestamp + 10 days);
        _expiries.push(expiry);
        options.open(ETH, expiry, 1e9);
        uint64 strike = uint64(uint256(eth.answer()) / 1e8) * 1e9;
        call = options.list(Instrument(Kind.Call, ETH, expiry, strike));
        put = options.list(Instrument(Kind.Put, ETH, expiry, strike));
        _did("expire");
    }

    // What must hold always.

    /// @dev What everybody has, summed.
    struct Sums {
        uint256 lent;
        uint256 owed;
        uint256 pledged;
        /// Cash less what perpetuals cost, with what settled options that are still there will pay.
        int256 all;
        int256[16] long;
        int256[16] short;
    }

    function requireSums() external view {
        Sums memory sums;
        for (uint256 i; i < house.accounts(); ++i) _add(sums, house.stateOf(i));
        (uint256 lent, uint256 owed,, int256 undistributed, uint256 fund,,) = house.ledger();
        check(lent == sums.lent && owed == sums.owed, "lent and owed");
        sums.all += undistributed + int256(fund) - int256(house.shortfall(house.NOBODY(), false));
        for (uint32 i; i < INSTRUMENTS; ++i) {
            if (i > BTC && i < 8) continue;
            sums.all -= int256(house.shortfall(i, true) + house.shortfall(i, false));
            int256 open = int256(house.openInterest(i));
            check(open == sums.long[i] + int256(house.settled(i, true)), "longs");
            check(open == sums.short[i] + int256(house.settled(i, false)), "shorts");
        }
        check(sums.all == int256(dollars.balanceOf(address(house)) * 1e12), "unbalanced");
        check(sums.pledged == house.pledged(0), "pledges");
        check(sums.pledged <= ether_.balanceOf(address(house)), "pledged, not held");
    }

    function _add(Sums memory sums, AccountState memory state) private view {
        sums.all += state.cash;
        if (state.cash > 0) sums.lent += uint256(state.cash);
        else sums.owed += uint256(-state.cash);
        sums.pledged += state.collateral[0];
        for (uint256 k; k < state.legs.length; ++k) {
            Leg memory leg = state.legs[k];
            check(leg.size != 0, "a leg of nothing");
            if (leg.size > 0) sums.long[leg.instrument] += leg.size;
            else sums.short[leg.instrument] -= leg.size;
            sums.all += leg.instrument < 8 ? -int256(leg.cost) : leg.size * _paid(leg.instrument);
        }
    }

    function _paid(uint32 option) private view returns (int256) {
        Instrument memory what = options.instrument(option);
        (bool settled, uint64 at) = options.settlement(what.underlying, what.expiry);
        if (!settled) return 0;
        int256 inside = int256(uint256(at)) - int256(uint256(what.strike));
        if (what.kind == Kind.Put) inside = -inside;
        return inside > 0 ? inside : int256(0);
    }
}

contract InvariantsTest {
    Traders private _traders;

    function setUp() public {
        _traders = new Traders();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_traders);
    }

    /// forge-config: default.invariant.runs = 4
    /// forge-config: default.invariant.depth = 100
    /// forge-config: soak.invariant.runs = 64
    function invariant_whatIsOwedIsHeldToTheUnit() public view {
        _traders.requireSums();
        check(bytes(_traders.wrong()).length == 0, _traders.wrong());
    }

    function test_whatTradersDoIsDone() public {
        for (uint256 i; i < 12; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            _traders.trades(seed, uint64(seed >> 64));
            try _traders.squeeze(i, seed, seed >> 8) {} catch {}
            try _traders.expire(i) {} catch {}
        }
        bytes32[5] memory all = [bytes32("trade"), "withdraw", "call", "liquidate", "expire"];
        for (uint256 i; i < 5; ++i) check(_traders.done(all[i]) != 0, string(abi.encodePacked("never: ", all[i])));
    }
}

/// @notice Whoever is below maintenance, and whose time is over, is liquidated by whoever can pay.
contract SurvivalTest is House {
    uint256 private constant ANN = 0xA11CE;
    uint256 private constant BOB = 0xB0B;
    uint256 private constant CAT = 0xCA7;

    uint256 private _ann;
    uint256 private _bob;
    uint256 private _cat;

    function setUp() public {
        build();
        (_ann, _bob, _cat) = (rich(ANN, 20_000, 3), rich(BOB, 100_000_000, 0), rich(CAT, 100_000_000, 0));
    }

    /// forge-config: default.fuzz.runs = 16
    function testFuzz_nobodySurvivesARightWitness(uint256 seed, uint64 to, uint256 time) public {
        for (uint256 i; i < 5; ++i) {
            uint256 of_ = uint256(keccak256(abi.encode(seed, i)));
            _some(uint32([uint256(ETH), BTC, call, put, ETH][i]), int64(1 + int256(of_ >> 8) % 3e10), of_ % 2 == 0);
        }
        eth.set(int256(uint256(800e8 + to % 3_000e8)));
        for (uint256 i; i < 12; ++i) {
            if (_isSafe()) return;
            _liquidated(time);
            check(unbalanced() == 0, "to the unit");
        }
        // Each time it comes to the buffer of one scenario; others are left below for so many at most.
        check(_isSafe(), "survives");
    }

    function _some(uint32 instrument, int64 size, bool buys) private {
        if (size < 0) size = -size;
        if (instrument == BTC) size = size / 15 + 1;
        uint64 mark = markets.markOf(instrument);
        (uint256 key, uint256 buyer, uint256 other, uint256 seller) =
            buys ? (ANN, _ann, BOB, _bob) : (BOB, _bob, ANN, _ann);
        for (; size != 0; size /= 2) {
            try this.trading(key, buyer, other, seller, instrument, size, mark) {
                return;
            } catch {}
        }
    }

    function trading(uint256 k, uint256 buyer, uint256 o, uint256 seller, uint32 what, int64 size, uint64 at) external {
        traded(k, buyer, o, seller, what, size, at);
    }

    function _isSafe() private view returns (bool) {
        (, int256 value,) = house.worst(_ann, false);
        return value >= 0 || house.stateOf(_ann).legs.length == 0;
    }

    function _liquidated(uint256 time) private {
        (,, uint256 scenario) = house.worst(_ann, false);
        uint256 since = house.calledAt(_ann);
        if (since == 0 || block.timestamp >= since + 1 days) {
            house.call(_ann, scenario);
            vm.warp(block.timestamp + 1 hours + time % 22 hours);
            (,, scenario) = house.worst(_ann, false);
            if (_isSafe()) return;
        }
        for (uint256 share = 1e18; share != 0; share /= 2) {
            vm.prank(vm.addr(CAT));
            try house.liquidate(_ann, scenario, share, _cat, type(int256).max) {
                return;
            } catch {}
        }
        check(false, "no share is allowed");
    }
}
