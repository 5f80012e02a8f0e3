// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {Feed, Feeds} from "./Feeds.sol";
import {Listing} from "./Listing.sol";
import {Instrument, Kind, WAD} from "./Types.sol";

/// @notice What options ask of `Markets`.
interface IIndexes {
    function indexOf(uint8 underlying) external view returns (uint64);
    function feedOf(uint8 underlying) external view returns (Feed memory);
}

/// @title Options
/// @notice Which options there are, and what they settle at: the average of the index over the last half hour, which
/// anybody keeps by observing it.
/// @dev Each observation stands for the time since the one before (the first since the window's start, the last until its
/// end): what has been averaged and what still moves add up to the same forward just before and just after one.
/// `keeper/margin/portfolio/clearinghouse/settlement.py` is the same in Python.
contract Options is Ownable2Step {
    using Feeds for Feed;
    using Listing for uint256;

    /// @param price What it is settled at, 0 before. `last` is until when it is averaged, 0 before the first observation.
    /// @param gap The longest time that one observation stands for, in seconds.
    /// @param sum Of index times seconds.
    /// @param tick Strikes are multiples of it; 0 where the expiry was never opened.
    struct Expiry {
        uint64 price;
        uint40 last;
        uint16 count;
        uint24 gap;
        uint80 sum;
        uint64 tick;
    }

    error NoSuchExpiry(uint8 underlying, uint40 expiry);
    error NoSuchOption(uint32 instrument);
    error BadTerms();
    error TooManyExpiries();
    error TooLate(uint256 notAfter);
    error NotYet(uint256 notBefore);
    error AlreadySettled(uint8 underlying, uint40 expiry);
    error TooFewObservations(uint256 count, uint256 longestGap);
    error ObservationsSuffice();
    error RoundsMissing(uint256 round);

    event ExpiryOpened(uint8 indexed underlying, uint40 indexed expiry, uint64 tick);
    event Listed(uint32 indexed instrument, Kind kind, uint8 indexed underlying, uint40 indexed expiry, uint64 strike);
    event Observed(uint8 indexed underlying, uint40 indexed expiry, uint256 index, uint256 until, uint256 sum);
    event Settled(uint8 indexed underlying, uint40 indexed expiry, uint256 price, bool byRounds);

    uint256 public constant WINDOW = 30 minutes;
    uint256 public constant LEAST_OBSERVATIONS = 10;
    uint256 public constant LONGEST_GAP = 5 minutes;
    /// @notice Expiries of an underlying that are open and not settled.
    uint256 public constant MOST_EXPIRIES = 6;
    /// @notice The first option's number. Smaller ones are perpetuals.
    uint32 public constant FIRST = 8;

    IIndexes public immutable markets;
    uint256[] private _options;
    mapping(bytes32 terms => uint32) private _numbers;
    mapping(uint8 underlying => mapping(uint40 time => Expiry)) private _expiries;
    mapping(uint8 underlying => uint40[]) private _live;

    constructor(address owner, IIndexes markets_) Ownable(owner) {
        markets = markets_;
    }

    // What there is.

    /// @notice What a number stands for, a perpetual's too.
    function instrument(uint32 id) external view returns (Instrument memory) {
        return _listing(id).unpack();
    }

    /// @notice What numbers stand for, with what each is settled at: see `Listing`.
    function listings(uint32[] calldata ids) external view returns (uint256[] memory found) {
        found = new uint256[](ids.length);
        uint256 last;
        uint64 price;
        for (uint256 i; i < ids.length; ++i) {
            uint256 listing = _listing(ids[i]);
            found[i] = listing;
            if (ids[i] < FIRST) continue;
            // Neighbours mostly expire together.
            if (listing.surfaceOf() != last) {
                last = listing.surfaceOf();
                price = _expiries[listing.underlyingOf()][listing.expiryOf()].price;
            }
            if (price != 0) found[i] = listing.with(price);
        }
    }

    function _listing(uint32 id) private view returns (uint256) {
        if (id < FIRST) return uint256(id) << 8;
        if (id - FIRST >= _options.length) revert NoSuchOption(id);
        return _options[id - FIRST];
    }

    /// @notice The number of an option, 0 where it is not listed.
    function numberOf(Instrument calldata terms) public view returns (uint32) {
        return _numbers[keccak256(abi.encode(terms))];
    }

    /// @notice How many options there are; their numbers follow one another from `FIRST`.
    function count() external view returns (uint256) {
        return _options.length;
    }

    /// @notice Expiries that are open and not settled, in no order.
    function live(uint8 underlying) external view returns (uint40[] memory) {
        return _live[underlying];
    }

    function expiry(uint8 underlying, uint40 time) external view returns (Expiry memory) {
        return _known(underlying, time);
    }

    /// @notice Whether it is settled, and at which price.
    function settlement(uint8 underlying, uint40 time) external view returns (bool done, uint64 price) {
        price = _known(underlying, time).price;
        done = price != 0;
    }

    /// @notice What has been averaged already, as a part of the forward (9 decimals, rounded down), and the share of the
    /// window that has not (18 decimals, rounded down).
    function averaged(uint8 underlying, uint40 time) external view returns (uint256 settled, uint256 left) {
        Expiry storage at = _known(underlying, time);
        (uint256 sum, uint256 last) = (at.sum, at.last);
        if (last == 0) return (0, uint256(WAD));
        return (sum / WINDOW, uint256(WAD) * (time - last) / WINDOW);
    }

    // Listing.

    /// @notice Opens an expiry whose window has not begun, with strikes at multiples of `tick`.
    function open(uint8 underlying, uint40 time, uint64 tick) external onlyOwner {
        markets.feedOf(underlying);
        if (time <= block.timestamp + WINDOW || tick == 0 || _expiries[underlying][time].tick != 0) revert BadTerms();
        if (_live[underlying].length >= MOST_EXPIRIES) revert TooManyExpiries();
        _expiries[underlying][time].tick = tick;
        _live[underlying].push(time);
        emit ExpiryOpened(underlying, time, tick);
    }

    /// @notice Lists an option of an open expiry whose window has not begun, as anybody may; again is once.
    function list(Instrument calldata terms) external returns (uint32 id) {
        id = numberOf(terms);
        if (id != 0) return id;
        uint64 tick = _known(terms.underlying, terms.expiry).tick;
        if (block.timestamp >= terms.expiry - WINDOW) revert TooLate(terms.expiry - WINDOW);
        if (terms.kind == Kind.Perpetual || terms.strike == 0 || terms.strike % tick != 0) revert BadTerms();
        if (terms.strike > uint64(type(int64).max)) revert BadTerms();
        id = uint32(FIRST + _options.length);
        _options.push(Listing.pack(terms));
        _numbers[keccak256(abi.encode(terms))] = id;
        emit Listed(id, terms.kind, terms.underlying, terms.expiry, terms.strike);
    }

    // Settlement.

    /// @notice Adds the index of now to the average, as anybody may; nothing happens twice in a block, nor after the end.
    function observe(uint8 underlying, uint40 time) public {
        Expiry storage at = _known(underlying, time);
        uint256 start = time - WINDOW;
        if (block.timestamp <= start) revert NotYet(start + 1);
        uint256 last = at.last == 0 ? start : at.last;
        if (last == time || last == block.timestamp) return;
        uint256 until = block.timestamp < time ? block.timestamp : time;
        uint256 index = markets.indexOf(underlying);
        uint256 sum = at.sum + index * (until - last);
        // What closes the window may come late, and counts for as long as it took.
        at.gap = uint24(_longest(at.gap, block.timestamp - last));
        at.last = uint40(until);
        at.sum = uint80(sum);
        ++at.count;
        emit Observed(underlying, time, index, until, sum);
    }

    /// @notice Settles at the average, rounded down, where enough observations were made and none stands for too long.
    function settle(uint8 underlying, uint40 time) external {
        _requireOver(underlying, time);
        observe(underlying, time);
        Expiry storage at = _known(underlying, time);
        if (!_suffices(at.count, at.gap)) revert TooFewObservations(at.count, at.gap);
        _settle(underlying, time, at.sum, false);
    }

    /// @notice Settles by the feed's own rounds where observations do not suffice and cannot any more. `rounds` follow one
    /// another without a gap, from one that was given before the window to one given at its end or later; each stands
    /// until the next. Where a feed's numbering breaks, governance puts one in its place that has them in one.
    function settleByRounds(uint8 underlying, uint40 time, uint80[] calldata rounds) external {
        _requireOver(underlying, time);
        if (_maySuffice(_known(underlying, time), time)) revert ObservationsSuffice();
        Feed memory feed = markets.feedOf(underlying);
        uint256 since = time - WINDOW;
        (uint256 sum, uint256 index) = (0, 0);
        for (uint256 i; i < rounds.length; ++i) {
            (uint256 answer, uint256 given) = feed.round(rounds[i]);
            if (given == 0 || (i == 0 ? given > since : rounds[i] != rounds[i - 1] + 1)) revert RoundsMissing(rounds[i]);
            uint256 until = given < time ? given : time;
            if (until > since) {
                sum += index * (until - since);
                since = until;
            }
            index = Feeds.toIndex(answer, feed.decimals);
        }
        if (since != time) revert RoundsMissing(rounds.length == 0 ? 0 : uint256(rounds[rounds.length - 1]) + 1);
        _settle(underlying, time, sum, true);
    }

    /// @dev Whether they suffice, or would if the last one were made now.
    function _maySuffice(Expiry storage at, uint40 time) private view returns (bool) {
        uint256 last = at.last == 0 ? time - WINDOW : at.last;
        if (last == time) return _suffices(at.count, at.gap);
        return _suffices(at.count + 1, _longest(at.gap, block.timestamp - last));
    }

    function _suffices(uint256 observations, uint256 gap) private pure returns (bool) {
        return observations >= LEAST_OBSERVATIONS && gap <= LONGEST_GAP;
    }

    function _longest(uint256 gap, uint256 other) private pure returns (uint256) {
        if (other > type(uint24).max) return type(uint24).max;
        return gap > other ? gap : other;
    }

    function _settle(uint8 underlying, uint40 time, uint256 sum, bool byRounds) private {
        uint64 price = uint64(sum / WINDOW);
        _expiries[underlying][time].price = price;
        uint40[] storage times = _live[underlying];
        for (uint256 i; i < times.length; ++i) {
            if (times[i] != time) continue;
            times[i] = times[times.length - 1];
            times.pop();
            break;
        }
        emit Settled(underlying, time, price, byRounds);
    }

    function _requireOver(uint8 underlying, uint40 time) private view {
        if (_known(underlying, time).price != 0) revert AlreadySettled(underlying, time);
        if (block.timestamp < time) revert NotYet(time);
    }

    function _known(uint8 underlying, uint40 time) private view returns (Expiry storage at) {
        at = _expiries[underlying][time];
        if (at.tick == 0) revert NoSuchExpiry(underlying, time);
    }
}
