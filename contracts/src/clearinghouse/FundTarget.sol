// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {WAD} from "./Types.sol";

/// @title FundTarget
/// @notice What the insurance fund should have: a figure that a publisher changes within bounds that governance sets.
abstract contract FundTarget is Ownable2Step {
    /// @param interval The least seconds between publications.
    /// @param up The fraction by which one may raise the figure at most; `down`, lower it.
    struct TargetBounds {
        address publisher;
        uint40 interval;
        uint64 up;
        uint64 down;
        uint128 floor;
        uint128 ceiling;
    }

    error NotThePublisher();
    error TooSoon(uint256 notBefore);
    error OutOfBounds(uint256 value, uint256 least, uint256 most);
    error BadBounds();

    event TargetPublished(uint256 target);
    event TargetBounded(TargetBounds bounds);

    /// @notice Money that the fund should have, and since when.
    uint128 public target;
    uint40 public targetSince;
    TargetBounds public bounds;

    constructor(address owner_, uint128 target_, TargetBounds memory bounds_) Ownable(owner_) {
        target = target_;
        _bound(bounds_);
    }

    /// @notice Between floor and ceiling, and within (1 - down) and (1 + up) of the one before, rounded inwards.
    function publishTarget(uint128 next) external {
        TargetBounds memory limits = bounds;
        if (msg.sender != limits.publisher) revert NotThePublisher();
        if (block.timestamp < targetSince + limits.interval) revert TooSoon(targetSince + limits.interval);
        uint256 one = uint256(WAD);
        uint256 least = (target * (one - limits.down) + one - 1) / one;
        uint256 most = target * (one + limits.up) / one;
        if (least < limits.floor) least = limits.floor;
        if (most > limits.ceiling) most = limits.ceiling;
        if (next < least || next > most) revert OutOfBounds(next, least, most);
        (target, targetSince) = (next, uint40(block.timestamp));
        emit TargetPublished(next);
    }

    /// @notice Bounds between which the target lies already.
    function boundTarget(TargetBounds calldata next) external onlyOwner {
        _bound(next);
    }

    /// @dev At most twice and at least half, no faster than every ten minutes: as widths.
    function _bound(TargetBounds memory next) private {
        if (next.floor == 0 || target < next.floor || target > next.ceiling) {
            revert OutOfBounds(target, next.floor, next.ceiling);
        }
        if (next.up > uint256(WAD) || next.down > uint256(WAD) / 2 || next.interval < 10 minutes) revert BadBounds();
        bounds = next;
        emit TargetBounded(next);
    }
}
