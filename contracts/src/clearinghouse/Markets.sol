// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {Feed, Feeds, IAggregator} from "./Feeds.sol";
import {IMarkets} from "./Interfaces.sol";
import {Listing} from "./Listing.sol";
import {Marks} from "./Marks.sol";
import {Quote, Snapshot, Snapshots, Spot, Surface} from "./Snapshots.sol";
import {Instrument, Leg, Line, Pledge, WAD} from "./Types.sol";

/// @notice What markets ask of `Options`.
interface IOptions {
    function instrument(uint32 id) external view returns (Instrument memory);
    function listings(uint32[] memory ids) external view returns (uint256[] memory);
    function settlement(uint8 underlying, uint40 expiry) external view returns (bool done, uint64 price);
    function averaged(uint8 underlying, uint40 expiry) external view returns (uint256 settled, uint256 open);
}

interface IDecimals {
    function decimals() external view returns (uint8);
}

/// @title Markets
/// @notice Underlyings with index, mark and funding; collaterals; and an account's legs and amounts at present terms. Only
/// what needs a feed fails with it.
/// @dev Order: what there is; prices; funding; portfolios; governance. docs/CLEARINGHOUSE.md has the formulas.
contract Markets is IMarkets, Ownable2Step {
    using Feeds for Feed;
    using Listing for uint256;

    /// @param index Its price (18 decimals at most); the decimals are read from it.
    /// @param band How far the mark may be from the index, a fraction of it.
    /// @param fundingCap The most funding of `Marks.PERIOD`, a fraction of the index.
    /// @param closing What closing costs, a fraction of size times index. `shortClosing` is a short option's besides.
    /// @param mostSkew The skew that is believed, either way.
    struct Underlying {
        Feed index;
        uint64 band;
        uint64 fundingCap;
        uint64 closing;
        uint64 shortClosing;
        address volatility;
        uint32 volatilityHeartbeat;
        uint64 leastVolatility;
        uint64 mostVolatility;
        uint64 mostSkew;
    }

    /// @param cap The most of it that all accounts may have, in its units. `further` is the haircut on top of `haircut`
    /// of what one account has beyond `step` units.
    struct Collateral {
        Feed price;
        uint128 step;
        uint64 haircut;
        uint64 further;
        address token;
        uint8 decimals;
        uint128 cap;
    }

    /// @dev Since `at`: the last match, the averaged premium, and the integral of funding over seconds.
    struct Trading {
        uint64 last;
        uint40 at;
        int64 premium;
        int80 integral;
    }

    error NoSuchUnderlying(uint256 underlying);
    error NoSuchCollateral(uint256 id);
    error NotTheClearinghouse();
    error BadTerms();

    event UnderlyingSet(uint256 indexed underlying, Underlying terms);
    event CollateralSet(uint256 indexed id, Collateral terms);
    event Connected(address clearinghouse, IOptions options);
    event Accrued(uint8 indexed underlying, uint256 index, uint256 mark, int256 premium, int256 funding);
    event Matched(uint8 indexed underlying, uint64 price);

    uint256 public constant MOST_UNDERLYINGS = 8;
    uint256 public constant MOST_COLLATERALS = 8;
    uint256 private constant ONE = uint256(WAD);
    /// @dev A price of a collateral is money of so many units.
    uint256 private constant UNITS = 1e18;

    address public clearinghouse;
    IOptions public options;
    Underlying[] private _underlyings;
    Collateral[] private _collaterals;
    mapping(uint8 underlying => Trading) public trading;

    constructor(address owner) Ownable(owner) {}

    // What there is.

    function underlyings() external view returns (uint256) {
        return _underlyings.length;
    }

    function collaterals() external view returns (uint256) {
        return _collaterals.length;
    }

    function underlying(uint256 id) external view returns (Underlying memory) {
        return _underlying(id);
    }

    function collateral(uint256 id) external view returns (address token, uint256 cap) {
        Collateral storage found = _collateral(id);
        return (found.token, found.cap);
    }

    function collateralTerms(uint256 id) external view returns (Collateral memory) {
        return _collateral(id);
    }

    function feedOf(uint8 id) external view returns (Feed memory) {
        return _underlying(id).index;
    }

    /// @notice What an instrument is. Those below 8 are the underlyings' perpetuals.
    function instrument(uint32 id) external view returns (Instrument memory found) {
        found = options.instrument(id);
        _underlying(found.underlying);
    }

    /// @notice Whether an expiry is settled, and at which price.
    function settlement(uint8 id, uint40 expiry) external view returns (bool done, uint64 price) {
        return options.settlement(id, expiry);
    }

    // Prices.

    /// @notice The index of an underlying, rounded down to 9 decimals.
    function indexOf(uint8 id) public view returns (uint64) {
        Feed memory feed = _underlying(id).index;
        return Feeds.toIndex(feed.latest(), feed.decimals);
    }

    /// @notice Money of 10^18 units of a collateral, exactly: answer * 10^(36 - token decimals - feed decimals).
    function priceOf(uint256 id) public view returns (uint256) {
        Collateral storage terms = _collateral(id);
        Feed memory feed = terms.price;
        return feed.latest() * 10 ** (36 - terms.decimals - feed.decimals);
    }

    /// @notice What units of a collateral are worth without a haircut (money, rounded down).
    function worth(uint256 id, uint256 amount) external view returns (uint256) {
        return amount * priceOf(id) / UNITS;
    }

    /// @notice The price of an instrument now: a perpetual's mark, an option's Black-76 price rounded down.
    function markOf(uint32 id) external view returns (uint64) {
        Leg[] memory legs = new Leg[](1);
        legs[0].instrument = id;
        uint256[] memory listings = _listings(legs);
        Line memory line;
        Snapshots.fill(line, _partly(listings), listings[0]);
        uint256 mark = Snapshots.markOf(line);
        if (mark > type(uint64).max) revert BadTerms();
        return uint64(mark);
    }

    // Funding. What a perpetual's buyer has paid by now, per unit, is one integer, so that what one side pays the other
    // gets: profit is size * (mark - funding) - cost on both.

    /// @notice Funding of now (9 decimals, rounded down), as `accrue` would find it.
    function funding(uint8 id) external view returns (int256) {
        return spotOf(id).funding;
    }

    /// @notice Brings average and funding up to now, as anybody may: twice in a block is once.
    function accrue(uint8 id) public returns (int256) {
        Trading memory then = trading[id];
        uint256 index = indexOf(id);
        (Trading memory at, uint256 mark) = _accrued(_underlying(id), then, index);
        trading[id] = at;
        int256 paid = Marks.funding(at.integral);
        if (at.at != then.at) emit Accrued(id, index, mark, at.premium, paid);
        return paid;
    }

    /// @notice A perpetual was matched at a price. It counts from now on: not for the time that is past.
    function matched(uint8 id, uint64 price) external {
        if (msg.sender != clearinghouse) revert NotTheClearinghouse();
        accrue(id);
        // The band is what it counts in; nobody matches beyond what an index may be.
        trading[id].last = price > uint64(type(int64).max) ? uint64(type(int64).max) : price;
        emit Matched(id, price);
    }

    /// @dev The average first, by the match that stood all the time; then funding, by the mark that this gives.
    function _accrued(Underlying storage terms, Trading memory then, uint256 index)
        private
        view
        returns (Trading memory at, uint256 mark)
    {
        int256 band = Marks.share(index, terms.band);
        uint256 elapsed = block.timestamp - then.at;
        at.last = then.last;
        at.at = uint40(block.timestamp);
        int256 premium = Marks.averaged(then.premium, index, then.last, band, elapsed);
        mark = Marks.mark(index, premium, then.last, band);
        int256 integral = then.integral + Marks.paid(mark, index, Marks.share(index, terms.fundingCap), elapsed);
        (at.premium, at.integral) = (int64(premium), int80(integral));
        // Far beyond every price times every time.
        if (at.integral != integral) revert BadTerms();
    }

    // Portfolios.

    /// @notice Each leg at present terms, and what closing them all costs.
    function lines(Leg[] calldata legs) external view returns (Line[] memory found, uint256 contingency) {
        Leg[] memory copied = legs;
        uint256[] memory listings = _listings(copied);
        return Snapshots.lines(_partly(listings), listings, copied);
    }

    /// @notice What amounts of all collaterals are worth after haircuts; none for an amount of 0.
    function pledges(uint256[] calldata amounts) external view returns (Pledge[] memory) {
        if (amounts.length != _collaterals.length) revert NoSuchCollateral(amounts.length);
        Quote[] memory quotes = new Quote[](amounts.length);
        for (uint256 i; i < amounts.length; ++i) if (amounts[i] != 0) quotes[i] = quoteOf(i);
        return Snapshots.pledges(quotes, amounts);
    }

    function spotOf(uint8 id) public view returns (Spot memory) {
        Underlying storage terms = _underlying(id);
        uint64 index = indexOf(id);
        (Trading memory at, uint256 mark) = _accrued(terms, trading[id], index);
        return Spot(index, uint64(mark), Marks.funding(at.integral), terms.closing, terms.shortClosing);
    }

    /// @notice An expiry's volatility, skew and average. Past its end there is no time left, and no volatility is asked for.
    function surfaceOf(uint8 id, uint40 expiry) public view returns (Surface memory found) {
        (found.underlying, found.expiry) = (id, expiry);
        (found.settled, found.open) = options.averaged(id, expiry);
        if (block.timestamp >= expiry) return found;
        found.secondsLeft = expiry - block.timestamp;
        Underlying storage terms = _underlying(id);
        address feed = terms.volatility;
        (found.atTheMoney, found.skew) = Feeds.volatility(feed, terms.volatilityHeartbeat, id, expiry);
        int256 most = int256(uint256(terms.mostSkew));
        if (
            found.atTheMoney < terms.leastVolatility || found.atTheMoney > terms.mostVolatility || found.skew > most
                || found.skew < -most
        ) revert Feeds.VolatilityOutOfBounds(feed, found.atTheMoney, found.skew);
    }

    function quoteOf(uint256 id) public view returns (Quote memory) {
        Collateral storage terms = _collateral(id);
        return Quote(priceOf(id), terms.step, terms.haircut, terms.further);
    }

    function _listings(Leg[] memory legs) private view returns (uint256[] memory) {
        uint32[] memory ids = new uint32[](legs.length);
        for (uint256 i; i < legs.length; ++i) ids[i] = legs[i].instrument;
        return options.listings(ids);
    }

    /// @dev A snapshot that has what these need.
    function _partly(uint256[] memory listings) private view returns (Snapshot memory at) {
        at.spots = new Spot[](_underlyings.length);
        uint256[] memory expiries = new uint256[](listings.length);
        uint256 count;
        for (uint256 i; i < listings.length; ++i) {
            uint256 listing = listings[i];
            if (listing.priceOf() != 0) continue;
            uint8 id = listing.underlyingOf();
            if (id >= at.spots.length) revert NoSuchUnderlying(id);
            if (at.spots[id].index == 0) at.spots[id] = spotOf(id);
            if (listing.expiryOf() == 0) continue;
            uint256 k;
            while (k < count && expiries[k] != listing.surfaceOf()) ++k;
            if (k == count) expiries[count++] = listing.surfaceOf();
        }
        at.surfaces = new Surface[](count);
        for (uint256 k; k < count; ++k) at.surfaces[k] = surfaceOf(uint8(expiries[k]), uint40(expiries[k] >> 8));
    }

    // Governance.

    /// @notice Once: who matches, and where options are listed.
    function connect(address clearinghouse_, IOptions options_) external onlyOwner {
        if (clearinghouse != address(0)) revert BadTerms();
        (clearinghouse, options) = (clearinghouse_, options_);
        emit Connected(clearinghouse_, options_);
    }

    /// @notice Adds an underlying, or changes one's terms from now on: funding until now is by the old ones, as far as the
    /// old feed still answers.
    function setUnderlying(uint256 id, Underlying memory terms) external onlyOwner {
        terms.index.decimals = _decimals(terms.index);
        if (terms.index.decimals > 18 || terms.band >= ONE || terms.fundingCap >= ONE) revert BadTerms();
        if (terms.closing > ONE || terms.shortClosing > ONE || terms.mostSkew > 10 * ONE) revert BadTerms();
        if (terms.leastVolatility == 0 || terms.leastVolatility > terms.mostVolatility) revert BadTerms();
        Feed memory feed = terms.index;
        uint256 most = uint256(feed.most) * 1e9 / 10 ** feed.decimals;
        if (uint256(feed.least) * 1e9 < 10 ** feed.decimals || most > uint64(type(int64).max)) revert BadTerms();
        if (id == _underlyings.length && id < MOST_UNDERLYINGS) {
            trading[uint8(id)].at = uint40(block.timestamp);
            _underlyings.push(terms);
        } else {
            _underlying(id);
            try this.accrue(uint8(id)) {} catch {}
            _underlyings[id] = terms;
        }
        emit UnderlyingSet(id, terms);
    }

    /// @notice Adds a collateral, or changes one's terms; its token stays.
    function setCollateral(uint256 id, Collateral memory terms) external onlyOwner {
        terms.price.decimals = _decimals(terms.price);
        terms.decimals = IDecimals(terms.token).decimals();
        // In this order: a sum of two bytes may not be one.
        if (uint256(terms.decimals) + terms.price.decimals > 36 || terms.price.least == 0) revert BadTerms();
        if (uint256(terms.haircut) + terms.further > ONE) revert BadTerms();
        if (id == _collaterals.length && id < MOST_COLLATERALS) {
            _collaterals.push(terms);
        } else {
            if (_collateral(id).token != terms.token) revert BadTerms();
            _collaterals[id] = terms;
        }
        emit CollateralSet(id, terms);
    }

    function _decimals(Feed memory feed) private view returns (uint8) {
        if (feed.heartbeat == 0 || feed.least > feed.most) revert BadTerms();
        return abi.decode(Feeds.read(feed.aggregator, abi.encodeCall(IAggregator.decimals, ()), 32), (uint8));
    }

    function _underlying(uint256 id) private view returns (Underlying storage) {
        if (id >= _underlyings.length) revert NoSuchUnderlying(id);
        return _underlyings[id];
    }

    function _collateral(uint256 id) private view returns (Collateral storage) {
        if (id >= _collaterals.length) revert NoSuchCollateral(id);
        return _collaterals[id];
    }
}
