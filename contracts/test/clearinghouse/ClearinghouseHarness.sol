// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Marks} from "../../src/clearinghouse/Marks.sol";
import {Quote, Snapshot, Snapshots} from "../../src/clearinghouse/Snapshots.sol";
import {Leg, Line, Pledge, Portfolio, ScenarioSet} from "../../src/clearinghouse/Types.sol";
import {Valuation} from "../../src/clearinghouse/Valuation.sol";

/// @notice Many values in one call, for tests that compare them with another calculation. It is a `Valuation` itself.
contract ClearinghouseHarness is Valuation {
    /// @notice For each account its equity and its value in each scenario; and the least with its scenario.
    function values(Portfolio[] memory accounts, ScenarioSet memory set)
        external
        view
        returns (int256[][] memory found, int256[2][] memory least)
    {
        uint256 count = scenarios(set);
        found = new int256[][](accounts.length);
        least = new int256[2][](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            found[i] = new int256[](count + 1);
            found[i][count] = this.equity(accounts[i]);
            for (uint256 k; k < count; ++k) found[i][k] = this.valueIn(accounts[i], set, k);
            (int256 value, uint256 at) = this.worst(accounts[i], set);
            least[i] = [value, int256(at)];
        }
    }

    /// @notice Lines, contingency, and each line's mark.
    function lines(Snapshot memory at, uint256[] memory listings, Leg[] memory legs)
        external
        pure
        returns (Line[] memory found, uint256 contingency, uint256[] memory marks)
    {
        (found, contingency) = Snapshots.lines(at, listings, legs);
        marks = new uint256[](found.length);
        for (uint256 i; i < found.length; ++i) marks[i] = Snapshots.markOf(found[i]);
    }

    function pledges(Quote[] memory quotes, uint256[][] memory amounts) external pure returns (Pledge[][] memory found) {
        found = new Pledge[][](amounts.length);
        for (uint256 i; i < amounts.length; ++i) found[i] = Snapshots.pledges(quotes, amounts[i]);
    }

    /// @notice For each premium, index, last match, band and cap of funding (shares of the index), and time: the average,
    /// the mark, and what is paid in that time as an integral and whole.
    function marks(int256[6][] memory rows) external pure returns (int256[4][] memory found) {
        found = new int256[4][](rows.length);
        for (uint256 i; i < rows.length; ++i) {
            int256[6] memory row = rows[i];
            (uint256 index, uint256 last, uint256 elapsed) = (uint256(row[1]), uint256(row[2]), uint256(row[5]));
            int256 band = Marks.share(index, uint256(row[3]));
            int256 premium = Marks.averaged(row[0], index, last, band, elapsed);
            uint256 mark = Marks.mark(index, premium, last, band);
            int256 paid = Marks.paid(mark, index, Marks.share(index, uint256(row[4])), elapsed);
            found[i] = [premium, int256(mark), paid, Marks.funding(paid)];
        }
    }
}
