// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Black76} from "./Black76.sol";
import {Listing} from "./Listing.sol";
import {Instrument, Kind, Leg, Line, PRICE_TO_WAD, Pledge, WAD} from "./Types.sol";

/// @notice An underlying at a moment: prices with 9 decimals, funding as a perpetual's buyer has paid it, and the shares
/// of a position's value that closing it costs, and a short option's besides. `index` 0 where nobody needed it.
struct Spot {
    uint64 index;
    uint64 mark;
    int256 funding;
    uint64 closing;
    uint64 shortClosing;
}

/// @notice An expiry that is not settled. `settled` and `open` are what a `Line` has of them.
struct Surface {
    uint8 underlying;
    uint40 expiry;
    uint256 atTheMoney;
    int256 skew;
    uint256 secondsLeft;
    uint256 settled;
    uint256 open;
}

/// @notice A collateral: money of 10^18 token units, its haircut, and the further one of whatever is beyond `step` units.
struct Quote {
    uint256 price;
    uint128 step;
    uint64 haircut;
    uint64 further;
}

/// @notice All that lines and pledges hang on at a moment, but for what never changes: instruments, settled prices.
struct Snapshot {
    Spot[] spots;
    Surface[] surfaces;
    Quote[] quotes;
}

/// @title Snapshots
/// @notice Lines, pledges and marks from a snapshot. Whoever asks at the present moment asks the same, of a snapshot that
/// has only what is needed.
/// @dev `keeper/margin/portfolio/clearinghouse/markets.py` is the same in Python.
library Snapshots {
    using Listing for uint256;

    error NotInSnapshot(uint8 underlying, uint40 expiry);

    /// @dev A strike's volatility is within these of the one at the money.
    int256 internal constant LEAST_TURN = 0.5e18;
    int256 internal constant MOST_TURN = 2e18;

    /// @notice Each leg at the snapshot's terms, and what closing them all costs. `listings` stand beside the legs.
    function lines(Snapshot memory at, uint256[] memory listings, Leg[] memory legs)
        internal
        pure
        returns (Line[] memory found, uint256 contingency)
    {
        found = new Line[](legs.length);
        for (uint256 i; i < legs.length; ++i) {
            (Leg memory leg, Line memory each) = (legs[i], found[i]);
            each.size = leg.size;
            if (!fill(each, at, listings[i])) continue;
            Spot memory here = at.spots[each.underlying];
            if (each.kind == Kind.Perpetual) each.carried = leg.cost + int256(leg.size) * here.funding;
            contingency += _closing(here, each.kind, leg.size);
        }
    }

    /// @notice Fills an instrument's line in, but for size and carried; whether it is going. An option of an expiry that the
    /// snapshot does not have is worth what it was settled at, in every scenario, and costs nothing to close.
    function fill(Line memory found, Snapshot memory at, uint256 listing) internal pure returns (bool) {
        Instrument memory terms = listing.unpack();
        (found.kind, found.underlying, found.strike) = (terms.kind, terms.underlying, terms.strike);
        if (terms.kind == Kind.Perpetual) {
            found.price = _spot(at, terms).mark;
            return true;
        }
        (bool has, Surface memory surface) = _surface(at, terms);
        if (!has) {
            uint64 price = listing.priceOf();
            if (price == 0) revert NotInSnapshot(terms.underlying, terms.expiry);
            (found.price, found.settled) = (price, price);
            return false;
        }
        found.price = _spot(at, terms).index;
        (found.settled, found.open) = (surface.settled, surface.open);
        found.deviation = deviation(surface, found.price, terms.strike);
        return true;
    }

    /// @notice The price of an instrument: a perpetual's mark, an option's Black-76 price rounded down to 9 decimals.
    function markOf(Line memory of_) internal pure returns (uint256) {
        if (of_.kind == Kind.Perpetual) return of_.price;
        uint256 forward = of_.settled * PRICE_TO_WAD + uint256(of_.price) * of_.open / PRICE_TO_WAD;
        (uint256 call, uint256 put) = Black76.prices(forward, of_.strike * PRICE_TO_WAD, of_.deviation);
        return (of_.kind == Kind.Call ? call : put) / PRICE_TO_WAD;
    }

    /// @notice Volatility times the root of the time left, of the part that moves: in the averaging window it is that of
    /// the open part, times its share of the forward, as if what is still to be averaged moved until the window ends.
    function deviation(Surface memory surface, uint256 index, uint256 strike) internal pure returns (uint256 found) {
        if (surface.open == 0 || surface.secondsLeft == 0) return 0;
        found = Black76.deviation(volatility(surface, index, strike), surface.secondsLeft);
        if (surface.settled == 0) return found;
        uint256 moving = index * surface.open;
        return found * moving / (surface.settled * uint256(WAD) + moving);
    }

    /// @notice atTheMoney * (1 + skew * (strike - index) / index), the factor rounded down and then between a half and
    /// twice; the product rounded down. `unchecked`: |skew| is at most 10^19, prices are below 2^63.
    function volatility(Surface memory surface, uint256 index, uint256 strike) internal pure returns (uint256) {
        unchecked {
            int256 product = surface.skew * (int256(strike) - int256(index));
            int256 turn = product / int256(index);
            if (product < 0 && turn * int256(index) != product) --turn;
            turn += WAD;
            if (turn < LEAST_TURN) turn = LEAST_TURN;
            if (turn > MOST_TURN) turn = MOST_TURN;
            return surface.atTheMoney * uint256(turn) / uint256(WAD);
        }
    }

    /// @notice What amounts of all collaterals are worth after haircuts, each rounded down once; none for an amount of 0.
    function pledges(Quote[] memory quotes, uint256[] memory amounts) internal pure returns (Pledge[] memory found) {
        uint256 count;
        found = new Pledge[](amounts.length);
        for (uint256 i; i < amounts.length; ++i) {
            if (amounts[i] != 0) found[count++] = Pledge(uint8(i), pledged(quotes[i], amounts[i]));
        }
        // `count` is at most the length there is.
        assembly ("memory-safe") {
            mstore(found, count)
        }
    }

    /// @dev (up to the step * (1 - haircut) + beyond * (1 - haircut - further)) * price
    function pledged(Quote memory quote, uint256 amount) internal pure returns (uint256) {
        uint256 beyond = amount > quote.step ? amount - quote.step : 0;
        uint256 counted = amount * (uint256(WAD) - quote.haircut) - beyond * quote.further;
        return counted * quote.price / uint256(WAD) / uint256(WAD);
    }

    function _spot(Snapshot memory at, Instrument memory terms) private pure returns (Spot memory) {
        if (terms.underlying >= at.spots.length || at.spots[terms.underlying].index == 0) {
            revert NotInSnapshot(terms.underlying, 0);
        }
        return at.spots[terms.underlying];
    }

    /// @dev |size| * index * rate, rounded up.
    function _closing(Spot memory of_, Kind kind, int64 size) private pure returns (uint256) {
        uint256 rate = of_.closing;
        if (kind != Kind.Perpetual && size < 0) rate += of_.shortClosing;
        uint256 notional = uint256(size < 0 ? -int256(size) : int256(size)) * of_.index;
        return (notional * rate + uint256(WAD) - 1) / uint256(WAD);
    }

    function _surface(Snapshot memory at, Instrument memory terms) private pure returns (bool, Surface memory found) {
        for (uint256 i; i < at.surfaces.length; ++i) {
            found = at.surfaces[i];
            if (found.expiry == terms.expiry && found.underlying == terms.underlying) return (true, found);
        }
        return (false, found);
    }
}
