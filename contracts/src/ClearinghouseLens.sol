// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Clearinghouse, Terms} from "./clearinghouse/Clearinghouse.sol";
import {Deleveraging} from "./clearinghouse/Deleveraging.sol";
import {Policy, Round} from "./clearinghouse/Haircuts.sol";
import {Margin} from "./clearinghouse/Margin.sol";
import {Markets} from "./clearinghouse/Markets.sol";
import {Options} from "./clearinghouse/Options.sol";
import {IVolatilityFeed} from "./clearinghouse/Feeds.sol";
import {IValuation} from "./clearinghouse/Interfaces.sol";
import {Scenarios} from "./clearinghouse/Scenarios.sol";
import {AccountState, Instrument, Kind, Leg, Pledge, Portfolio} from "./clearinghouse/Types.sol";
import {Records} from "./lens/Records.sol";

/// @title ClearinghouseLens
/// @notice Reads a clearinghouse and its accounts as they are stored, and what its own contracts make of one. It is never
/// deployed: the caller lays its code over an unused address in an `eth_call`.
contract ClearinghouseLens {
    struct Parts {
        address markets;
        address options;
        address scenarios;
        address margin;
        address valuation;
        address orders;
        address deleveraging;
        address cashToken;
    }

    /// @dev Since `at`: last match, averaged premium, integral of funding.
    struct Trading {
        uint64 last;
        uint40 at;
        int64 premium;
        int80 integral;
    }

    struct UnderlyingRow {
        Markets.Underlying terms;
        Trading trading;
        bool priced;
        uint64 index;
    }

    struct CollateralRow {
        Markets.Collateral terms;
        bool priced;
        uint256 price;
        uint256 pledged;
    }

    struct ExpiryRow {
        uint8 underlying;
        uint40 time;
        Options.Expiry average;
        bool known;
        uint256 atTheMoney;
        int256 skew;
    }

    struct Widths {
        uint8 underlyings;
        uint8 collaterals;
        uint8 maintenance;
        uint24 version;
        uint40 start;
        uint40 end;
        bytes steps;
        /// Left, gone to and last calculated: 40 numbers of 8 bytes each.
        bytes numbers;
    }

    struct Ledger {
        uint256 lent;
        uint256 owed;
        uint256 index;
        int256 undistributed;
        uint256 fund;
        uint128 due;
        uint40 at;
    }

    struct State {
        Parts parts;
        bytes32 arithmetic;
        uint8 decimals;
        bool paused;
        Terms terms;
        Ledger ledger;
        uint256 accounts;
        uint256 held;
        uint256 time;
        UnderlyingRow[] underlyings;
        CollateralRow[] collaterals;
        ExpiryRow[] expiries;
        Widths widths;
        bytes instruments;
        /// The record of the account that was asked for besides; empty where there is none.
        bytes own;
        Policy policy;
        RoundRow[] rounds;
    }

    /// @dev A deleveraging: `weighed` has each account's number plus one in 8 bytes.
    struct RoundRow {
        uint32 instrument;
        bool long;
        bool charging;
        bytes weighed;
    }

    uint256 private constant FIRST_OPTION = 8;

    /// @notice The clearinghouse at this block, and one account of it.
    function market(Clearinghouse house, uint128 own) external view returns (State memory state) {
        Margin margin = house.margin();
        Markets markets = Markets(address(margin.markets()));
        Options options = Options(address(markets.options()));
        Scenarios scenarios = Scenarios(address(margin.scenarios()));
        state.parts = Parts(
            address(markets),
            address(options),
            address(scenarios),
            address(margin),
            address(margin.valuation()),
            house.orders(),
            house.deleveraging(),
            address(house.cashToken())
        );
        state.arithmetic = state.parts.valuation.codehash;
        state.decimals = IDecimals(state.parts.cashToken).decimals();
        state.paused = house.paused();
        state.terms = _terms(house);
        state.ledger = _ledger(house);
        state.accounts = house.accounts();
        state.held = house.cashToken().balanceOf(address(house));
        state.time = block.timestamp;
        _markets(house, markets, options, state);
        _widths(scenarios, state.widths);
        state.instruments = _instruments(house, options, state.underlyings.length);
        if (own < state.accounts) state.own = _record(house, own);
        _rounds(Deleveraging(state.parts.deleveraging), state);
    }

    /// @dev Only instruments that are halted have a round.
    function _rounds(Deleveraging from, State memory state) private view {
        if (address(from).code.length == 0) return;
        (state.policy.rule, state.policy.patience, state.policy.trifle) = from.policy();
        uint256 count = state.instruments.length / 64;
        RoundRow[] memory found = new RoundRow[](count);
        uint256 going;
        for (uint256 i; i < count; ++i) {
            uint32 id = uint32(i < state.underlyings.length ? i : FIRST_OPTION + i - state.underlyings.length);
            if (state.instruments[64 * i + 63] == 0) continue;
            uint256 number = from.roundOf(id);
            if (number != 0) found[going++] = _round(from, id, number);
        }
        state.rounds = new RoundRow[](going);
        for (uint256 i; i < going; ++i) state.rounds[i] = found[i];
    }

    function _round(Deleveraging from, uint32 id, uint256 number) private view returns (RoundRow memory row) {
        Round memory each = from.round(number);
        (row.instrument, row.long, row.charging) = (id, each.long, each.charging);
        for (uint64 key = each.first; key != 0; key = from.winner(number, key - 1).next) {
            row.weighed = abi.encodePacked(row.weighed, key);
        }
    }

    function _ledger(Clearinghouse house) private view returns (Ledger memory at) {
        (at.lent, at.owed, at.index, at.undistributed, at.fund, at.due, at.at) = house.ledger();
    }

    function _terms(Clearinghouse house) private view returns (Terms memory) {
        (bool ok, bytes memory data) = address(house).staticcall(abi.encodeCall(house.terms, ()));
        require(ok);
        return abi.decode(data, (Terms));
    }

    function _markets(Clearinghouse house, Markets markets, Options options, State memory state) private view {
        uint256 count = markets.underlyings();
        state.underlyings = new UnderlyingRow[](count);
        uint40[][] memory live = new uint40[][](count);
        uint256 expiries;
        for (uint8 i; i < count; ++i) {
            UnderlyingRow memory row = state.underlyings[i];
            row.terms = markets.underlying(i);
            (row.trading.last, row.trading.at, row.trading.premium, row.trading.integral) = markets.trading(i);
            try markets.indexOf(i) returns (uint64 index) {
                (row.priced, row.index) = (true, index);
            } catch {}
            live[i] = options.live(i);
            expiries += live[i].length;
        }
        state.expiries = new ExpiryRow[](expiries);
        for (uint8 i; i < count; ++i) {
            for (uint256 k; k < live[i].length; ++k) {
                _expiry(options, state.underlyings[i].terms, i, live[i][k], state.expiries[--expiries]);
            }
        }
        state.collaterals = new CollateralRow[](markets.collaterals());
        for (uint256 i; i < state.collaterals.length; ++i) {
            CollateralRow memory row = state.collaterals[i];
            row.terms = markets.collateralTerms(i);
            row.pledged = house.pledged(i);
            try markets.priceOf(i) returns (uint256 price) {
                (row.priced, row.price) = (true, price);
            } catch {}
        }
    }

    /// @dev Past its end nobody asks for volatility.
    function _expiry(Options options, Markets.Underlying memory terms, uint8 id, uint40 time, ExpiryRow memory row)
        private
        view
    {
        (row.underlying, row.time, row.average) = (id, time, options.expiry(id, time));
        if (block.timestamp >= time) {
            row.known = true;
            return;
        }
        try IVolatilityFeed(terms.volatility).volatility(id, time) returns (uint256 money, int256 skew, uint256 updatedAt) {
            (row.atTheMoney, row.skew) = (money, skew);
            bool fresh = updatedAt <= block.timestamp && block.timestamp - updatedAt <= terms.volatilityHeartbeat;
            int256 most = int256(uint256(terms.mostSkew));
            bool bounded = money >= terms.leastVolatility && money <= terms.mostVolatility;
            row.known = fresh && bounded && skew <= most && skew >= -most;
        } catch {}
    }

    function _widths(Scenarios scenarios, Widths memory widths) private view {
        Scenarios.Sets memory sets = scenarios.setsAt(block.timestamp);
        (widths.underlyings, widths.collaterals) = (sets.underlyings, sets.collaterals);
        (widths.maintenance, widths.version) = (sets.maintenance, sets.version);
        widths.steps = scenarios.set(true).steps;
        address data;
        (data, widths.start, widths.end) = scenarios.ramp();
        bytes memory code = data.code;
        widths.numbers = new bytes(code.length - 1);
        for (uint256 i = 1; i < code.length; ++i) widths.numbers[i - 1] = code[i];
    }

    /// @dev Each of 64 bytes: kind, underlying, expiry (5), strike (8), settled at (8), open interest (8), what longs and
    /// what shorts of it lost and nobody paid (16 each), whether it is halted (1). First the perpetuals.
    function _instruments(Clearinghouse house, Options options, uint256 underlyings)
        private
        view
        returns (bytes memory)
    {
        uint256 count = options.count();
        bytes[] memory parts = new bytes[](underlyings + count);
        for (uint256 i; i < parts.length; ++i) {
            uint32 id = uint32(i < underlyings ? i : FIRST_OPTION + i - underlyings);
            parts[i] = bytes.concat(_instrument(options, id), _interest(house, id));
        }
        return Records.joined(parts);
    }

    function _instrument(Options options, uint32 id) private view returns (bytes memory) {
        Instrument memory terms = options.instrument(id);
        uint64 price;
        if (terms.kind != Kind.Perpetual) (, price) = options.settlement(terms.underlying, terms.expiry);
        return abi.encodePacked(terms.kind, terms.underlying, terms.expiry, terms.strike, price);
    }

    function _interest(Clearinghouse house, uint32 id) private view returns (bytes memory) {
        uint64 interest = uint64(house.openInterest(id));
        (uint256 long, uint256 short) = (house.shortfall(id, true), house.shortfall(id, false));
        return abi.encodePacked(interest, uint128(long), uint128(short), house.halted(id));
    }

    /// @notice For each 16 bytes of `packed` (an account's number): cash as of when it last accrued (16, two's complement),
    /// the interest due (16) and the lending index (32) then, when it was called (5), its owner (20); a byte with the number of
    /// collaterals and of each the amount (16); a byte with the number of legs and of each instrument (4), size (8) and
    /// cost (16), both two's complement.
    function accounts(Clearinghouse house, bytes calldata packed) external view returns (bytes memory records) {
        bytes[] memory parts = new bytes[](packed.length / 16);
        for (uint256 i; i < parts.length; ++i) {
            uint256 account = uint128(bytes16(packed[16 * i:16 * i + 16]));
            parts[i] = _record(house, account);
        }
        return Records.joined(parts);
    }

    function _record(Clearinghouse house, uint256 account) private view returns (bytes memory record) {
        AccountState memory state = house.stateOf(account);
        record = abi.encodePacked(
            int128(state.cash),
            uint128(state.due),
            state.lendingIndex,
            uint40(house.calledAt(account)),
            house.ownerOf(account),
            uint8(state.collateral.length)
        );
        for (uint256 i; i < state.collateral.length; ++i) {
            record = abi.encodePacked(record, uint128(state.collateral[i]));
        }
        record = abi.encodePacked(record, uint8(state.legs.length));
        for (uint256 i; i < state.legs.length; ++i) {
            Leg memory leg = state.legs[i];
            record = abi.encodePacked(record, leg.instrument, leg.size, leg.cost);
        }
    }

    /// @notice The aggregator of an underlying's index, of a collateral's price, and an underlying's name for people.
    function sourceOf(Clearinghouse house, uint256 underlying) external view returns (address) {
        return Markets(address(house.markets())).underlying(underlying).index.aggregator;
    }

    function sourceOfCollateral(Clearinghouse house, uint256 token) external view returns (address) {
        return Markets(address(house.markets())).collateralTerms(token).price.aggregator;
    }

    function symbolOf(uint256 underlying) external pure returns (string memory) {
        return string.concat("UNDERLYING-", Strings.toString(underlying));
    }

    /// @notice What the clearinghouse's own contracts make of an account: equity, what it is worth in the worst scenario of
    /// the maintenance set, that scenario, the same of the initial set, its net worth, and the parts: cash, collateral
    /// after haircuts, contingency. Reverts where a price that it needs cannot be had.
    function valued(Clearinghouse house, uint128 account)
        external
        view
        returns (
            int256 equity,
            int256 value,
            uint256 scenario,
            int256 initial,
            int256 net,
            int256 cash,
            uint256 pledged,
            uint256 contingency
        )
    {
        Margin margin = house.margin();
        IValuation valuation = margin.valuation();
        AccountState memory state = house.stateNow(account);
        Portfolio memory found = margin.portfolio(state);
        equity = valuation.equity(found);
        (value, scenario) = valuation.worst(found, margin.scenarios().set(false));
        (initial,) = valuation.worst(found, margin.scenarios().set(true));
        (cash, contingency) = (found.cash, found.contingency);
        net = equity;
        for (uint256 i; i < found.pledges.length; ++i) {
            Pledge memory pledge = found.pledges[i];
            pledged += pledge.value;
            net += int256(margin.markets().worth(pledge.token, state.collateral[pledge.token])) - int256(pledge.value);
        }
    }
}

interface IDecimals {
    function decimals() external view returns (uint8);
}
