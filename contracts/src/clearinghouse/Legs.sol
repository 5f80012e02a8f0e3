// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Leg, MAX_LEGS} from "./Types.sol";

/// @title Legs
/// @notice The positions of an account: how a trade changes one, and what it makes of profit.
library Legs {
    using SafeCast for int256;

    error TooManyLegs();

    /// @notice Where the leg in an instrument stands, or how many legs there are where there is none.
    function find(Leg[] storage legs, uint32 instrument) internal view returns (uint256 at) {
        uint256 count = legs.length;
        while (at < count && legs[at].instrument != instrument) ++at;
    }

    /// @notice Adds `change` of size, bought for `price` each (9 decimals; of a perpetual less funding, so it may be
    /// negative). Returns the profit that is realised: of what is closed, its price less its part of the cost. The part is
    /// rounded towards zero, and the rest stays with the leg, so that profit and cost together never change.
    function trade(Leg[] storage legs, uint32 instrument, int256 change, int256 price) internal returns (int256 profit) {
        uint256 at = find(legs, instrument);
        if (at == legs.length) {
            if (at == MAX_LEGS) revert TooManyLegs();
            legs.push(Leg(instrument, change.toInt64(), (change * price).toInt128()));
            return 0;
        }
        Leg memory leg = legs[at];
        int256 size = leg.size;
        int256 cost = leg.cost;
        if ((size > 0) != (change > 0)) {
            int256 closed = _least(size, change);
            int256 share = cost * closed / size;
            profit = closed * price - share;
            (size, cost, change) = (size - closed, cost - share, change + closed);
        }
        size += change;
        if (size == 0) {
            legs[at] = legs[legs.length - 1];
            legs.pop();
            return profit;
        }
        legs[at] = Leg(instrument, size.toInt64(), (cost + change * price).toInt128());
    }

    /// @dev What a change of the other sign closes of a size: as much as both have, with the size's sign.
    function _least(int256 size, int256 change) private pure returns (int256) {
        if (size > 0) return -change < size ? -change : size;
        return -change > size ? -change : size;
    }
}
