// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Clearinghouse} from "./Clearinghouse.sol";
import {Haircuts, Page, Policy, Round, Rule, Totals, Winner} from "./Haircuts.sol";
import {IMarkets} from "./Interfaces.sol";
import {Margin} from "./Margin.sol";
import {AccountState, Instrument, Kind, Leg, WAD} from "./Types.sol";

/// @title Deleveraging
/// @notice Who pays what the insurance fund lacks, and against whom positions are closed that nobody takes: the other side
/// of the instrument, from its profit at a frozen mark, never more than that, and to the unit what is lacking. Anyone may
/// do every step, and no step can be made impossible by another's.
/// @dev docs/CLEARINGHOUSE.md has the formulas; `keeper/margin/portfolio/clearinghouse/deleveraging.py` is the same in Python.
contract Deleveraging {
    using Haircuts for Winner;
    using SafeCast for int256;

    uint256 public constant MOST_WEIGHED = 24;
    uint256 public constant MOST_CHARGED = 64;
    /// @notice After so many passes the rest goes by profit and by size, which needs one.
    uint256 public constant MOST_PASSES = 4;
    /// @dev More than any account's equity takes: a failure with less may be its caller's own.
    uint256 private constant EQUITY_GAS = 3_000_000;

    Clearinghouse public immutable clearinghouse;
    Margin public immutable margin;
    IMarkets public immutable markets;

    Policy public policy;
    uint256 public rounds;
    /// @notice The round of an instrument, 0 where it does not deleverage.
    mapping(uint32 => uint256) public roundOf;
    mapping(uint256 => Round) private _rounds;
    mapping(uint256 => mapping(uint256 => Winner)) private _winners;

    event PolicySet(Policy policy);
    event Begun(
        uint256 indexed round, uint32 indexed instrument, bool long, Rule rule, uint64 mark, int256 counted, uint256 owed
    );
    event Unwanted(uint256 indexed round, uint256 indexed account, uint256 size, uint256 lacked);
    event Weighed(uint256 indexed round, uint256 indexed account, uint256 size, uint256 profit, uint256 equity);
    event PassBegun(uint256 indexed round, uint256 pass, Totals totals);
    event Exhausted(uint256 indexed round, uint256 deficit);
    event Ended(uint256 indexed round, uint32 indexed instrument);

    error NotAllowed();
    error BadPolicy();
    error NothingOwed(uint32 instrument, bool long);
    error AlreadyBegun(uint32 instrument);
    error NotBegun(uint32 instrument);
    error HasExpired(uint32 instrument);
    error NoPosition(uint256 account, uint32 instrument);
    error StillWanted(uint256 account, uint256 from, uint256 until);
    error NotInsolvent(uint256 account, int256 equity);
    error BadPage(uint256 length, uint256 most);
    error NotOnWinningSide(uint256 account, uint32 instrument);
    error NobodyNew();
    error NotAllWeighed(uint256 sizeLeft);
    error AllWeighed();
    error TooLittleGas(uint256 needed);

    constructor(Clearinghouse clearinghouse_, Policy memory policy_) {
        clearinghouse = clearinghouse_;
        (margin, markets) = (clearinghouse_.margin(), clearinghouse_.markets());
        _setPolicy(policy_);
    }

    /// @notice Sets what holds for rounds that begin later.
    function setPolicy(Policy calldata next) external {
        if (msg.sender != clearinghouse.owner()) revert NotAllowed();
        _setPolicy(next);
    }

    function _setPolicy(Policy memory next) private {
        if (next.patience == 0) revert BadPolicy();
        policy = next;
        emit PolicySet(next);
    }

    function round(uint256 id) external view returns (Round memory) {
        return _rounds[id];
    }

    function winner(uint256 id, uint256 account) external view returns (Winner memory) {
        return _winners[id][account + 1];
    }

    // Beginning.

    /// @notice Begins to charge the side that won for what the other lost and the fund, asked once more, lacks.
    function begin(uint32 instrument, bool long) external {
        if (roundOf[instrument] != 0) revert AlreadyBegun(instrument);
        if (clearinghouse.shortfall(instrument, long) == 0) revert NothingOwed(instrument, long);
        clearinghouse.repay(instrument, long);
        uint256 owed = clearinghouse.shortfall(instrument, long);
        if (owed == 0) return;
        if (owed <= policy.trifle) {
            clearinghouse.writeOff(instrument, long, owed);
            return;
        }
        uint256 id = _open(instrument, long, false);
        _start(id, owed);
    }

    /// @notice Begins to close an insolvent account's position against the side that won: its call stands for `patience` and
    /// nobody has taken it. What the account then lacks, with its collateral at what a sale of it brings, but not more than
    /// this position has lost, is paid at once, by the fund and for the rest by that side.
    function beginClosing(uint256 account, uint32 instrument) external {
        if (roundOf[instrument] != 0) revert AlreadyBegun(instrument);
        _requireUnwanted(account);
        AccountState memory state = clearinghouse.stateNow(account);
        uint256 at = _find(state.legs, instrument);
        if (at == state.legs.length) revert NoPosition(account, instrument);
        int256 size = state.legs[at].size;
        uint256 id = _open(instrument, size > 0, true);
        Round storage each = _rounds[id];
        uint256 lacks = _lacks(account, state, state.legs[at].cost - size * each.counted);
        each.account = account;
        each.left.unwanted = uint256(size > 0 ? size : -size);
        clearinghouse.cover(account, instrument, size > 0, lacks);
        emit Unwanted(id, account, each.left.unwanted, lacks);
        _start(id, clearinghouse.shortfall(instrument, size > 0));
    }

    function _requireUnwanted(uint256 account) private view {
        uint256 since = clearinghouse.calledAt(account);
        (,,,,, uint32 lapse,,,,,) = clearinghouse.terms();
        (uint256 from, uint256 until) = (since + policy.patience, since + lapse);
        if (since == 0 || block.timestamp < from || block.timestamp >= until) revert StillWanted(account, from, until);
    }

    /// @dev max(0, min(loss of the position, −(equity − collateral after haircuts + ⌊collateral · (1 − sale discount)⌋))).
    function _lacks(uint256 account, AccountState memory state, int256 loss) private view returns (uint256) {
        int256 equity = margin.equityOf(state);
        if (equity >= 0) revert NotInsolvent(account, equity);
        (,,, uint64 discount,,,,,,,) = clearinghouse.terms();
        equity -= int256(margin.pledged(state.collateral));
        for (uint256 i; i < state.collateral.length; ++i) {
            if (state.collateral[i] == 0) continue;
            equity += int256(markets.worth(i, state.collateral[i]) * (uint256(WAD) - discount) / uint256(WAD));
        }
        if (equity >= 0 || loss <= 0) return 0;
        return uint256(-equity < loss ? -equity : loss);
    }

    /// @dev Freezes the price and stops the instrument. An expired option is settled first, and then needs no closing.
    function _open(uint32 instrument, bool long, bool closing) private returns (uint256 id) {
        Instrument memory what = markets.instrument(instrument);
        if (what.kind != Kind.Perpetual && block.timestamp >= what.expiry) {
            (bool done,) = markets.settlement(what.underlying, what.expiry);
            if (closing || !done) revert HasExpired(instrument);
        }
        id = ++rounds;
        roundOf[instrument] = id;
        Round storage each = _rounds[id];
        (each.instrument, each.long, each.rule) = (instrument, long, policy.rule);
        each.mark = markets.markOf(instrument);
        each.perpetual = what.kind == Kind.Perpetual;
        int256 counted = int256(uint256(each.mark));
        each.counted = (each.perpetual ? counted - markets.accrue(what.underlying) : counted).toInt128();
        each.unweighed = clearinghouse.openInterest(instrument) - clearinghouse.settled(instrument, !long);
        clearinghouse.halt(instrument, true);
    }

    function _start(uint256 id, uint256 owed) private {
        Round storage each = _rounds[id];
        each.left.owed = owed;
        emit Begun(id, each.instrument, each.long, each.rule, each.mark, each.counted, owed);
        if (each.unweighed == 0) _pass(id, each);
    }

    // Weighing: each account of the winning side once, until their sizes are the side's open interest.

    /// @notice Weighs accounts. Whoever has been weighed is passed over, so that nobody's page is in the way of another's.
    /// `hints` are for a queue only: for each account one that ranks before it (by its number plus one), near or far.
    function weigh(uint32 instrument, uint256[] calldata accounts, uint256[] calldata hints) external {
        (uint256 id, Round storage each) = _going(instrument);
        if (each.charging) revert AllWeighed();
        uint256 count = accounts.length;
        if (count > MOST_WEIGHED) revert BadPage(count, MOST_WEIGHED);
        if (each.rule == Rule.Queue && hints.length != count) revert BadPage(hints.length, count);
        uint256 unweighed = each.unweighed;
        for (uint256 i; i < count; ++i) {
            if (_winners[id][accounts[i] + 1].size != 0) continue;
            _weigh(id, each, accounts[i], each.rule == Rule.Queue ? hints[i] : each.last);
        }
        if (each.unweighed == unweighed) revert NobodyNew();
        if (each.unweighed == 0) _pass(id, each);
    }

    function _weigh(uint256 id, Round storage each, uint256 account, uint256 hint) private {
        AccountState memory state = clearinghouse.stateNow(account);
        uint256 at = _find(state.legs, each.instrument);
        if (at == state.legs.length || (state.legs[at].size > 0) == each.long) {
            revert NotOnWinningSide(account, each.instrument);
        }
        Leg memory leg = state.legs[at];
        Winner memory found;
        found.size = found.open = uint64(uint256(int256(leg.size > 0 ? leg.size : -leg.size)));
        int256 profit = leg.size * int256(each.counted) - leg.cost;
        if (profit > 0) {
            _without(state.legs, at);
            int256 worth = each.perpetual ? profit : leg.size * int256(each.counted);
            (found.profit, found.equity) = _chargeable(state, uint256(profit), worth);
        }
        if (each.rule == Rule.Queue) found.rank = found.rankOf(each.mark, leg.cost);
        _insert(id, each, uint64(account + 1), found, hint);
        each.unweighed -= found.size;
        each.left.size += found.size;
        each.left.profit += found.profit;
        uint256 weight = found.weight(each.rule, each.mark);
        each.left.weight += weight;
        each.left.closing += weight;
        emit Weighed(id, account, found.size, found.profit, found.equity);
    }

    /// @dev min(profit, equity⁺) and the equity, the position at the frozen price. Whose equity nobody can tell, because a
    /// feed of something else fails, counts as if the profit were all: it is the greatest weight there is, so that nobody
    /// wants to be such an account.
    function _chargeable(AccountState memory state, uint256 profit, int256 worth)
        private
        view
        returns (uint128, uint128)
    {
        uint256 equity = profit;
        try margin.equityOf(state) returns (int256 rest) {
            rest += worth;
            equity = rest > 0 ? Math.min(uint256(rest), type(uint128).max) : 0;
        } catch {
            // Of what the call could have, a 63rd is left here where it ran out.
            if (gasleft() < EQUITY_GAS / 63) revert TooLittleGas(EQUITY_GAS);
        }
        return (uint128(Math.min(profit, equity)), uint128(equity));
    }

    /// @dev A queue is ordered by falling rank, then by number. Where the hint is none that ranks before, it is looked for
    /// from the beginning.
    function _insert(uint256 id, Round storage each, uint64 key, Winner memory found, uint256 hint) private {
        mapping(uint256 => Winner) storage list = _winners[id];
        uint64 before = uint64(hint);
        uint64 next;
        if (each.rule == Rule.Queue) {
            if (before != 0 && (list[before].size == 0 || !list[before].ranksBefore(before, found, key))) before = 0;
            next = before == 0 ? each.first : list[before].next;
            while (next != 0 && list[next].ranksBefore(next, found, key)) (before, next) = (next, list[next].next);
        }
        found.next = next;
        list[key] = found;
        if (before == 0) each.first = key;
        else list[before].next = key;
        if (next == 0) each.last = key;
    }

    // Charging: the list from its first to its last, pass after pass, until nothing is owed or nothing is left.

    /// @notice Charges the next `count` accounts and closes their part of an unwanted position.
    function charge(uint32 instrument, uint256 count) external {
        (uint256 id, Round storage each) = _going(instrument);
        if (!each.charging) revert NotAllWeighed(each.unweighed);
        if (count == 0 || count > MOST_CHARGED) revert BadPage(count, MOST_CHARGED);
        Page memory page = Page(each.pass, each.left, false, false);
        bool last = each.passes > MOST_PASSES;
        page.bySize = last || page.pass.closing == 0;
        page.byProfit = last || page.pass.weight == 0 || page.pass.profit <= page.pass.owed;
        uint64 key = each.next;
        for (; count != 0 && key != 0; --count) key = _charge(each, _winners[id][key], key - 1, page);
        each.left = page.left;
        each.next = key;
        if (key == 0) _pass(id, each);
    }

    function _charge(Round storage each, Winner storage stored, uint256 account, Page memory page)
        private
        returns (uint64 next)
    {
        Winner memory of_ = stored;
        Totals memory left = page.left;
        (uint256 size, uint256 amount) = of_.parts(each.rule, each.mark, page);
        if (size != 0) {
            of_.open -= uint64(size);
            (left.unwanted, left.size) = (left.unwanted - size, left.size - size);
            int256 closed = each.long ? int256(size) : -int256(size);
            clearinghouse.close(each.account, account, each.instrument, closed, each.counted);
        }
        if (amount != 0) {
            (of_.profit, of_.equity) = (of_.profit - uint128(amount), of_.equity - uint128(amount));
            (left.owed, left.profit) = (left.owed - amount, left.profit - amount);
            clearinghouse.charge(account, each.instrument, each.long, amount, each.counted);
        }
        if (size != 0 || amount != 0) (stored.profit, stored.equity, stored.open) = (of_.profit, of_.equity, of_.open);
        uint256 weight = of_.weight(each.rule, each.mark);
        left.weight += weight;
        if (of_.open != 0) left.closing += weight;
        return of_.next;
    }

    /// @dev Begins the next pass, or ends the round: nothing is left to do, or nothing to take. Then the rest is the fund's.
    function _pass(uint256 id, Round storage each) private {
        Totals memory left = each.left;
        if (left.unwanted != 0 || (left.owed != 0 && left.profit != 0)) {
            each.pass = left;
            (each.left.weight, each.left.closing) = (0, 0);
            (each.charging, each.next) = (true, each.first);
            emit PassBegun(id, ++each.passes, left);
            return;
        }
        uint32 instrument = each.instrument;
        if (left.owed != 0) {
            clearinghouse.writeOff(instrument, each.long, left.owed);
            emit Exhausted(id, left.owed);
        }
        delete roundOf[instrument];
        clearinghouse.halt(instrument, false);
        emit Ended(id, instrument);
    }

    // Common.

    function _going(uint32 instrument) private view returns (uint256 id, Round storage each) {
        id = roundOf[instrument];
        if (id == 0) revert NotBegun(instrument);
        each = _rounds[id];
    }

    function _find(Leg[] memory legs, uint32 instrument) private pure returns (uint256 at) {
        while (at < legs.length && legs[at].instrument != instrument) ++at;
    }

    /// @dev Takes one leg out of a list in memory.
    function _without(Leg[] memory legs, uint256 at) private pure {
        legs[at] = legs[legs.length - 1];
        // It has at least the one that was found.
        assembly ("memory-safe") {
            mstore(legs, sub(mload(legs), 1))
        }
    }
}
