// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {WAD} from "./Types.sol";

/// @notice From whom it is taken: by profit times leverage, by profit, or from the highest rank downwards.
enum Rule {
    RiskAware,
    ProRata,
    Queue
}

/// @notice What governance decides.
/// @param patience How long after a margin call a position that nobody took is closed against the other side.
/// @param trifle A shortfall of no more is left to the fund at once.
struct Policy {
    Rule rule;
    uint32 patience;
    uint128 trifle;
}

/// @notice What is still to be had or to be given: everybody's weight, the part of it that has size open, profit and open
/// size, and what is owed and unwanted.
struct Totals {
    uint256 weight;
    uint256 closing;
    uint256 profit;
    uint256 size;
    uint256 owed;
    uint256 unwanted;
}

/// @notice A deleveraging of an instrument. `long` is the side that lost. `counted` is the frozen mark, of a perpetual less
/// funding. Accounts stand in a list, by their numbers plus one; 0 is its end. `pass` is as the pass began, `left` is now,
/// but for its weights: those are the next pass's, so far.
struct Round {
    uint32 instrument;
    bool long;
    bool perpetual;
    bool charging;
    Rule rule;
    uint8 passes;
    uint64 mark;
    int128 counted;
    uint64 first;
    uint64 last;
    uint64 next;
    uint256 unweighed;
    uint256 account;
    Totals pass;
    Totals left;
}

/// @notice An account on the winning side: what may yet be taken of its profit, the equity that is left with it, its size
/// when it was weighed and the part that is not closed, who comes after it, and its rank.
struct Winner {
    uint128 profit;
    uint128 equity;
    uint64 size;
    uint64 open;
    uint64 next;
    uint128 rank;
}

/// @dev Of a page of charges: the totals, and whether it charges by profit and closes by size, which always suffices for
/// what there is.
struct Page {
    Totals pass;
    Totals left;
    bool byProfit;
    bool bySize;
}

/// @title Haircuts
/// @notice How much of an account on the winning side is charged and closed, and who comes first. Pure arithmetic.
library Haircuts {
    /// @notice ⌈profit · notional / equity⌉, or by plain pro rata the profit.
    function weight(Winner memory of_, Rule rule, uint256 mark) internal pure returns (uint256) {
        if (of_.profit == 0 || rule != Rule.RiskAware) return of_.profit;
        return Math.mulDiv(of_.profit, uint256(of_.size) * mark, of_.equity, Math.Rounding.Ceil);
    }

    /// @notice (profit / |cost|) · (notional / equity), each factor a fraction rounded down and below 2¹²⁸.
    function rankOf(Winner memory of_, uint256 mark, int256 cost) internal pure returns (uint128) {
        if (of_.profit == 0) return 0;
        uint256 paid = uint256(cost < 0 ? -cost : cost);
        uint256 gain = Math.min(uint256(of_.profit) * uint256(WAD) / (paid == 0 ? 1 : paid), type(uint128).max);
        uint256 leverage = Math.min(uint256(of_.size) * mark * uint256(WAD) / of_.equity, type(uint128).max);
        return uint128(Math.min(gain * leverage / uint256(WAD), type(uint128).max));
    }

    /// @notice By falling rank, then by number.
    function ranksBefore(Winner storage one, uint64 key, Winner memory other, uint64 otherKey) internal view returns (bool) {
        return one.rank > other.rank || (one.rank == other.rank && key < otherKey);
    }

    /// @notice What is closed of an account and what it is charged: its part by weight, but no more than it has and than is
    /// left. A queue takes all that there is.
    function parts(Winner memory of_, Rule rule, uint256 mark, Page memory page)
        internal
        pure
        returns (uint256 size, uint256 amount)
    {
        (size, amount) = (of_.open, of_.profit);
        Totals memory pass = page.pass;
        if (rule != Rule.Queue) {
            uint256 own = weight(of_, rule, mark);
            (uint256 part, uint256 total) = page.bySize ? (size, pass.size) : (own, pass.closing);
            size = Math.min(size, _share(pass.unwanted, part, total));
            (part, total) = page.byProfit ? (amount, pass.profit) : (own, pass.weight);
            amount = Math.min(amount, _share(pass.owed, part, total));
        }
        (size, amount) = (Math.min(size, page.left.unwanted), Math.min(amount, page.left.owed));
    }

    /// @dev ⌈whole · part / total⌉, 0 of nothing
    function _share(uint256 whole, uint256 part, uint256 total) private pure returns (uint256) {
        return total == 0 ? 0 : Math.mulDiv(whole, part, total, Math.Rounding.Ceil);
    }
}
