// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IScenarios} from "./Interfaces.sol";
import {ScenarioSet, WAD} from "./Types.sol";

/// @title Scenarios
/// @notice Which joint scenarios are in the maintenance set and in the wider initial one, how wide they are, and the
/// bounds on whoever changes that.
/// @dev The initial set begins with the maintenance set and has further, wider scenarios behind it; both count in the same
/// widths. A least value over more scenarios is at most the one over fewer: initial margin is at least maintenance for
/// every account, whatever is in it. Steps and widths are kept as code, because code costs little to read.
///
/// Numbers of widths: underlying u has 4u (price), 4u + 1 (volatility up), 4u + 2 (down) and 4u + 3 (basis), collateral c
/// has 32 + c. What is handed out leaves out what the set does not have.
/// `keeper/margin/portfolio/clearinghouse/scenarios.py` is the same in Python.
contract Scenarios is IScenarios, Ownable2Step {
    /// @param data Where the steps of all scenarios are kept. `until` is when the sets announced next take over.
    struct Sets {
        address data;
        uint8 underlyings;
        uint8 collaterals;
        uint8 maintenance;
        uint8 initial;
        uint24 version;
        uint40 until;
    }

    /// @notice What a publication may change: a calculated width rises by at most the fraction `up` of itself and falls by
    /// at most `down`; `buffer` is the exhaustible share on top, and what takes effect grows by at most the fraction
    /// `replenish` while it refills the buffer.
    struct Limits {
        uint64 up;
        uint64 down;
        uint64 buffer;
        uint64 replenish;
    }

    /// @notice Who publishes, the least seconds between publications, and over how many seconds one takes effect.
    struct Pace {
        address publisher;
        uint40 interval;
        uint40 ramp;
    }

    /// @notice A width's floor and ceiling, and where it starts: `start` counts only while the width has no value yet.
    struct Bound {
        uint64 floor;
        uint64 ceiling;
        uint64 start;
    }

    /// @dev `data` has 40 widths that are left, 40 that are gone to, and 40 as last calculated, of 8 bytes each.
    struct Ramp {
        address data;
        uint40 start;
        uint40 end;
    }

    error NoSuchScenario(uint256 scenario, uint256 scenarios);
    error WrongShape();
    error Unbound(uint256 width);
    error OutOfBounds(uint256 width, uint256 value, uint256 least, uint256 most);
    error NotThePublisher();
    error TooSoon(uint256 notBefore);
    error TooFast();
    error Past(uint256 time);

    event Announced(uint256 indexed version, uint256 from, uint256 underlyings, uint256 collaterals, uint256 maintenance);
    event Bounded(uint256 indexed width, uint256 floor, uint256 ceiling);
    event Limited(Limits limits);
    event Paced(address indexed publisher, uint256 interval, uint256 ramp);
    event Published(uint256 start, uint256 end, uint256[] calculated, uint256[] targets);

    uint256 public constant MOST_SCENARIOS = 48;
    uint256 public constant MOST_UNDERLYINGS = 8;
    uint256 public constant MOST_COLLATERALS = 8;
    /// @notice Neither publications nor their effect can be made faster than this.
    uint256 public constant LEAST_SECONDS = 10 minutes;
    uint256 private constant WIDTHS = 4 * MOST_UNDERLYINGS + MOST_COLLATERALS;

    /// @notice Seconds between the announcement of sets and when they take over.
    uint256 public immutable notice;
    Limits public limits;
    Pace public pace;
    Ramp public ramp;
    Sets private _current;
    Sets private _next;
    mapping(uint256 width => Bound) private _bounds;

    constructor(address owner, uint256 notice_, Limits memory limits_, Pace memory pace_) Ownable(owner) {
        notice = notice_;
        _limit(limits_);
        _pace(pace_);
        ramp = Ramp(SSTORE2.write(new bytes(24 * WIDTHS)), 0, 0);
    }

    // What is in a set.

    /// @notice All scenarios, at the widths of now.
    function set(bool initial) external view returns (ScenarioSet memory) {
        Sets memory sets = setsAt(block.timestamp);
        return _part(sets, 0, initial ? sets.initial : sets.maintenance);
    }

    /// @notice The one scenario alone, as a set in which it has number 0, at the widths of now.
    function one(bool initial, uint256 scenario) external view returns (ScenarioSet memory) {
        Sets memory sets = setsAt(block.timestamp);
        uint256 count = initial ? sets.initial : sets.maintenance;
        if (scenario >= count) revert NoSuchScenario(scenario, count);
        return _part(sets, scenario, scenario + 1);
    }

    /// @notice The sets at a time that is not past, as far as they are announced.
    function setsAt(uint256 time) public view returns (Sets memory sets) {
        sets = _current;
        if (time >= sets.until) sets = _next;
    }

    /// @notice The widths at a time that is not past, if nothing more is published until then.
    function widths(uint256 time) external view returns (uint256[] memory) {
        if (time < block.timestamp) revert Past(time);
        return _widths(setsAt(time), time);
    }

    /// @notice The widths as last calculated: what is in effect is at least this, and at most `buffer` above it.
    function calculated() external view returns (uint256[] memory found) {
        Sets memory sets = setsAt(block.timestamp);
        bytes memory data = SSTORE2.read(ramp.data);
        found = new uint256[](4 * uint256(sets.underlyings) + sets.collaterals);
        for (uint256 i; i < found.length; ++i) found[i] = _number(data, 2 * WIDTHS + _width(sets, i));
    }

    /// @notice A width's floor and ceiling.
    function bounds(uint256 width) external view returns (uint256 floor, uint256 ceiling) {
        return (_bounds[width].floor, _bounds[width].ceiling);
    }

    // Dynamic margin.

    /// @notice The publisher's new widths as calculated, r, one for each number of the present set. Each r stays between
    /// floor and ceiling and within (1 - down) and (1 + up) of the r before. What is then aimed at is
    ///
    ///     M = min(max(r, min(M' * (1 + replenish), r * (1 + buffer))), ceiling)
    ///
    /// with M' what was aimed at before: a rise uses the buffer up before it is felt, a fall is followed only as far as the
    /// buffer is full, and it refills no faster than `replenish` (EMIR RTS 153/2013 art. 28 (1) (a), as
    /// keeper/margin/risk/dynamic.py). Products are rounded down, so that M lies between (1 - down) and
    /// (1 + max(up, replenish)) of M'. From the present value M is reached in a straight line.
    function publish(uint256[] calldata calculated_) external {
        if (msg.sender != pace.publisher) revert NotThePublisher();
        Ramp memory last = ramp;
        if (block.timestamp < last.start + pace.interval) revert TooSoon(last.start + pace.interval);
        Sets memory sets = setsAt(block.timestamp);
        if (calculated_.length != 4 * uint256(sets.underlyings) + sets.collaterals) revert WrongShape();

        bytes memory data = SSTORE2.read(last.data);
        for (uint256 width; width < WIDTHS; ++width) _put(data, width, _present(data, width, last, block.timestamp));
        uint256[] memory targets = new uint256[](calculated_.length);
        for (uint256 i; i < targets.length; ++i) {
            uint256 width = _width(sets, i);
            targets[i] = _target(data, width, calculated_[i]);
            _put(data, WIDTHS + width, targets[i]);
            _put(data, 2 * WIDTHS + width, calculated_[i]);
        }
        uint256 end = block.timestamp + pace.ramp;
        ramp = Ramp(SSTORE2.write(data), uint40(block.timestamp), uint40(end));
        emit Published(block.timestamp, end, calculated_, targets);
    }

    function _target(bytes memory data, uint256 width, uint256 r) private view returns (uint256 target) {
        Bound memory within = _bounds[width];
        Limits memory step = limits;
        uint256 before = _number(data, 2 * WIDTHS + width);
        // Rounded inwards.
        uint256 least = (before * (uint256(WAD) - step.down) + uint256(WAD) - 1) / uint256(WAD);
        uint256 most = _grown(before, step.up);
        if (least < within.floor) least = within.floor;
        if (most > within.ceiling) most = within.ceiling;
        if (r < least || r > most) revert OutOfBounds(width, r, least, most);

        target = _grown(_number(data, WIDTHS + width), step.replenish);
        uint256 full = _grown(r, step.buffer);
        if (target > full) target = full;
        if (target < r) target = r;
        if (target > within.ceiling) target = within.ceiling;
    }

    // Governance.

    /// @notice Sets that take over after `notice` (the first at once): as many bytes of `steps` as whole scenarios have,
    /// the first `maintenance` of which are the maintenance set and all of which are the initial one. Sets announced and
    /// not yet in effect are replaced. Underlyings and collaterals may be added, never taken away.
    function replace(uint8 underlyings, uint8 collaterals, uint8 maintenance, bytes calldata steps) external onlyOwner {
        Sets memory present = setsAt(block.timestamp);
        uint256 size = 2 * (3 * uint256(underlyings) + collaterals);
        if (
            size == 0 || underlyings > MOST_UNDERLYINGS || collaterals > MOST_COLLATERALS
                || underlyings < present.underlyings || collaterals < present.collaterals || steps.length % size != 0
        ) revert WrongShape();
        uint256 initial = steps.length / size;
        if (maintenance == 0 || initial < maintenance || initial > MOST_SCENARIOS) revert WrongShape();

        Sets memory sets = Sets(
            SSTORE2.write(steps),
            underlyings,
            collaterals,
            maintenance,
            uint8(initial),
            present.version + 1,
            type(uint40).max
        );
        for (uint256 i; i < 4 * uint256(underlyings) + collaterals; ++i) {
            if (_bounds[_width(sets, i)].floor == 0) revert Unbound(_width(sets, i));
        }
        uint256 from = block.timestamp;
        if (present.version == 0) {
            _current = sets;
        } else {
            from += notice;
            present.until = uint40(from);
            (_current, _next) = (present, sets);
        }
        emit Announced(sets.version, from, underlyings, collaterals, maintenance);
    }

    /// @notice Floors and ceilings of widths by their numbers. Both what is calculated and what is aimed at must lie between
    /// them already, so that every later publication can; a width without a value begins at its `start`.
    function bound(uint256[] calldata numbers, Bound[] calldata bounds_) external onlyOwner {
        bytes memory data = SSTORE2.read(ramp.data);
        bool begun;
        for (uint256 i; i < numbers.length; ++i) {
            (uint256 width, Bound calldata each) = (numbers[i], bounds_[i]);
            if (width >= WIDTHS) revert WrongShape();
            if (_number(data, width) == 0) {
                begun = true;
                _put(data, width, each.start);
                _put(data, WIDTHS + width, each.start);
                _put(data, 2 * WIDTHS + width, each.start);
            }
            for (uint256 part; part < 3; ++part) {
                uint256 value = _number(data, part * WIDTHS + width);
                if (each.floor == 0 || value < each.floor || value > each.ceiling) {
                    revert OutOfBounds(width, value, each.floor, each.ceiling);
                }
            }
            _bounds[width] = each;
            emit Bounded(width, each.floor, each.ceiling);
        }
        if (begun) ramp.data = SSTORE2.write(data);
    }

    function limit(Limits calldata limits_) external onlyOwner {
        _limit(limits_);
    }

    function setPace(Pace calldata pace_) external onlyOwner {
        _pace(pace_);
    }

    /// @dev At most twice, at least half: a width of n publications ago is within 2^n of this one.
    function _limit(Limits memory limits_) private {
        uint256 one_ = uint256(WAD);
        if (limits_.up > one_ || limits_.down > one_ / 2 || limits_.buffer > one_ || limits_.replenish > one_) {
            revert TooFast();
        }
        limits = limits_;
        emit Limited(limits_);
    }

    function _pace(Pace memory pace_) private {
        if (pace_.interval < LEAST_SECONDS || pace_.ramp < LEAST_SECONDS) revert TooFast();
        pace = pace_;
        emit Paced(pace_.publisher, pace_.interval, pace_.ramp);
    }

    // How they are kept.

    function _part(Sets memory sets, uint256 first, uint256 end) private view returns (ScenarioSet memory) {
        uint256 size = 2 * (3 * uint256(sets.underlyings) + sets.collaterals);
        bytes memory steps = SSTORE2.read(sets.data, first * size, end * size);
        return ScenarioSet(sets.underlyings, sets.collaterals, steps, _widths(sets, block.timestamp));
    }

    /// @dev `unchecked`: numbers of widths are small, and widths are below 2^64.
    function _widths(Sets memory sets, uint256 time) private view returns (uint256[] memory found) {
        Ramp memory way = ramp;
        bytes memory data = SSTORE2.read(way.data, 0, 16 * WIDTHS);
        uint256 ofUnderlyings = 4 * uint256(sets.underlyings);
        uint256 count = ofUnderlyings + sets.collaterals;
        found = new uint256[](count);
        bool moving = time < way.end;
        unchecked {
            for (uint256 i; i < count; ++i) {
                uint256 width = i < ofUnderlyings ? i : 4 * MOST_UNDERLYINGS + i - ofUnderlyings;
                found[i] = moving ? _present(data, width, way, time) : _number(data, WIDTHS + width);
            }
        }
    }

    /// @dev from + (to - from) * (time - start) / (end - start), rounded up. `unchecked`: widths are below 2^64, times
    /// below 2^40.
    function _present(bytes memory data, uint256 width, Ramp memory way, uint256 time) private pure returns (uint256) {
        (uint256 from, uint256 to) = (_number(data, width), _number(data, WIDTHS + width));
        if (time >= way.end) return to;
        if (time <= way.start) return from;
        unchecked {
            (uint256 gone, uint256 whole) = (time - way.start, uint256(way.end) - way.start);
            return (from * (whole - gone) + to * gone + whole - 1) / whole;
        }
    }

    function _width(Sets memory sets, uint256 i) private pure returns (uint256) {
        uint256 ofUnderlyings = 4 * uint256(sets.underlyings);
        return i < ofUnderlyings ? i : 4 * MOST_UNDERLYINGS + i - ofUnderlyings;
    }

    function _grown(uint256 value, uint256 by) private pure returns (uint256) {
        return value * (uint256(WAD) + by) / uint256(WAD);
    }

    function _number(bytes memory data, uint256 at) private pure returns (uint256 value) {
        // 8 bytes at 8 * at, which is inside: `data` has at least as many numbers as its readers ask for.
        assembly ("memory-safe") {
            value := shr(192, mload(add(add(data, 32), shl(3, at))))
        }
    }

    /// @dev `value` is below 2^64: at most a ceiling.
    function _put(bytes memory data, uint256 at, uint256 value) private pure {
        assembly ("memory-safe") {
            let place := add(add(data, 32), shl(3, at))
            mstore(place, or(shl(192, value), shr(64, shl(64, mload(place)))))
        }
    }
}
