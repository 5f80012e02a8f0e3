// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {InPlace} from "./lens/InPlace.sol";
import {Records} from "./lens/Records.sol";

/// @dev What a Synthetix v3 perps market publishes of itself and its accounts.
interface IPerps {
    struct Strategy {
        uint8 kind;
        uint256 delay;
        uint256 window;
        address verifier;
        bytes32 feed;
        uint256 reward;
        bool disabled;
        uint256 priceDelay;
    }

    struct Order {
        uint256 time;
        uint128 market;
        uint128 account;
        int128 size;
        uint128 strategy;
        uint256 acceptablePrice;
        bytes32 tracking;
        address referrer;
    }

    function canLiquidate(uint128 account) external view returns (bool);
    function canLiquidateMarginOnly(uint128 account) external view returns (bool);
    function debt(uint128 account) external view returns (uint256);
    function getAccountOpenPositions(uint128 account) external view returns (uint256[] memory);
    function getAvailableMargin(uint128 account) external view returns (int256);
    function getCollateralConfigurationFull(uint128 id)
        external
        view
        returns (uint256 most, uint256 upper, uint256 lower, uint256 scalar);
    function getCollateralLiquidateRewardRatio() external view returns (uint128);
    function getFundingParameters(uint128 id) external view returns (uint256 skewScale, uint256 velocity);
    function getKeeperCostNodeId() external view returns (bytes32);
    function getKeeperRewardGuards()
        external
        view
        returns (uint256 least, uint256 leastProfit, uint256 most, uint256 mostScaling);
    function getLiquidationParameters(uint128 id)
        external
        view
        returns (uint256 initial, uint256 leastInitial, uint256 scalar, uint256 flagReward, uint256 leastMargin);
    function getLockedOiRatio(uint128 id) external view returns (uint256);
    function getMarkets() external view returns (uint256[] memory);
    function getOrderFees(uint128 id) external view returns (uint256 maker, uint256 taker);
    function getOrder(uint128 account) external view returns (Order memory);
    function getMaxLiquidationParameters(uint128 id)
        external
        view
        returns (uint256 multiplier, uint256 window, uint256 mostPd, address endorsed);
    function getOpenPosition(uint128 account, uint128 id)
        external
        view
        returns (int256 pnl, int256 funding, int128 size, uint256 interest);
    function getPriceData(uint128 id) external view returns (bytes32 feed, uint256 strict);
    function getRequiredMargins(uint128 account)
        external
        view
        returns (uint256 initial, uint256 maintenance, uint256 reward);
    function getSettlementStrategy(uint128 id, uint256 strategy) external view returns (Strategy memory);
    function getSupportedCollaterals() external view returns (uint256[] memory);
    function indexPrice(uint128 id) external view returns (uint256);
    function isFeatureAllowed(bytes32 feature, address who) external view returns (bool);
    function liquidationCapacity(uint128 id) external view returns (uint256 left, uint256 most, uint256 latest);
    function metadata(uint128 id) external view returns (string memory name, string memory symbol);
    function totalCollateralValue(uint128 account) external view returns (uint256);
}

interface IVerifier {
    function getBenchmarkPrice(bytes32 feed, uint64 time) external view returns (int256);
}

interface ISpot {
    function getMarketSkewScale(uint128 id) external view returns (uint256);
    function getPriceData(uint128 id) external view returns (bytes32 buying, bytes32 selling, uint256 strict);
    function getSynth(uint128 id) external view returns (address);
    function indexPrice(uint128 id, uint128 kind, uint8 tolerance) external view returns (uint256);
}

interface IOracle {
    struct Output {
        int256 price;
        uint256 timestamp;
        uint256 __1;
        uint256 __2;
    }

    struct Node {
        uint8 kind;
        bytes parameters;
        bytes32[] parents;
    }

    function getNode(bytes32 node) external view returns (Node memory);
    function processWithRuntime(bytes32 node, bytes32[] memory keys, bytes32[] memory values)
        external
        view
        returns (Output memory);
}

/// @title SynthetixV3Lens
/// @notice Reads a Synthetix v3 perps market (3.13.0) and its accounts as they are stored, and what the market itself
/// says of an account. It is never deployed: the caller lays its code over the market itself in an `eth_call`, where it
/// reads the market's storage, which no view tells.
contract SynthetixV3Lens is InPlace {
    struct Price {
        bool known;
        uint256 value;
        /// What liquidations take, which want a fresher price.
        bool strictlyKnown;
        uint256 strict;
        /// How old a price liquidations take, when this one was published (0: not told), and with what a read that
        /// takes none but this very second's asks for another (ERC-7412); nothing where it asks for none.
        uint256 tolerance;
        uint256 published;
        bytes wanted;
    }

    struct Market {
        uint128 id;
        string symbol;
        bytes32 feed;
        Price price;
        int256[4] funding;
        uint256 size;
        uint256[2] fundingParameters;
        uint256[2] orderFees;
        uint256[5] liquidationParameters;
        uint256 lockedOiRatio;
        uint256[3] capacity;
        uint256[3] limits;
        address endorsed;
        IPerps.Strategy[] strategies;
    }

    struct Collateral {
        uint128 id;
        address token;
        Price price;
        uint256 skewScale;
        uint256[4] discount;
        uint256 amount;
        bool supported;
    }

    struct State {
        address oracle;
        address dollar;
        address core;
        address spot;
        bool open;
        uint256[4] guards;
        uint256 collateralReward;
        uint256[3] interest;
        uint256 debt;
        uint256 settleCost;
        uint256 liquidateCost;
        /// By the number of feeds that flagging updates.
        uint256[] flagCosts;
        bool costsKnown;
        bytes costsWanted;
        Market[] markets;
        Collateral[] collaterals;
    }

    bytes32 private constant FACTORY = keccak256(abi.encode("io.synthetix.perps-market.PerpsMarketFactory"));
    bytes32 private constant WHOLE = keccak256(abi.encode("io.synthetix.perps-market.GlobalPerpsMarket"));
    bytes32 private constant INTEREST = keccak256(abi.encode("io.synthetix.perps-market.InterestRate"));
    uint128 private constant SELLING = 2;
    uint8 private constant CHAINLINK = 3;
    uint8 private constant STALENESS = 7;
    bytes4 private constant DATA_REQUIRED = bytes4(keccak256("OracleDataRequired(address,bytes)"));
    bytes4 private constant SEVERAL = bytes4(keccak256("Errors(bytes[])"));
    bytes32 private constant TOLERANCE = "stalenessTolerance";
    /// Older than any price is, and small enough to be added to a time.
    bytes32 private constant ANY_AGE = bytes32(uint256(1 << 127));
    /// Behind a market's order fees, which take two words.
    uint256 private constant STRATEGIES = 2;

    /// @notice The market at this block; what is not `known` of a price could not be had.
    function market(IPerps perps) external view only(address(perps)) returns (State memory state) {
        state.oracle = address(uint160(_word(FACTORY, 0)));
        state.dollar = address(uint160(_word(FACTORY, 1)));
        state.core = address(uint160(_word(FACTORY, 2)));
        state.spot = address(uint160(_word(FACTORY, 3)));
        state.open = perps.isFeatureAllowed("perpsSystem", address(1));
        (state.guards[0], state.guards[1], state.guards[2], state.guards[3]) = perps.getKeeperRewardGuards();
        state.collateralReward = perps.getCollateralLiquidateRewardRatio();
        for (uint256 i; i < 3; ++i) state.interest[i] = _word(INTEREST, i);
        state.debt = _word(WHOLE, 7);
        state.markets = _markets(perps, IOracle(state.oracle));
        state.collaterals = _collaterals(perps, state);
        _costs(perps.getKeeperCostNodeId(), state);
    }

    function _markets(IPerps perps, IOracle oracle) private view returns (Market[] memory markets) {
        uint256[] memory ids = perps.getMarkets();
        markets = new Market[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            Market memory each = markets[i];
            uint128 id = uint128(ids[i]);
            each.id = id;
            (, each.symbol) = perps.metadata(id);
            bytes32 base = _place("PerpsMarket", id);
            each.funding[0] = int256(_word(base, 3));
            each.size = _word(base, 4);
            for (uint256 j = 1; j < 4; ++j) each.funding[j] = int256(_word(base, 4 + j));
            (each.fundingParameters[0], each.fundingParameters[1]) = perps.getFundingParameters(id);
            (each.orderFees[0], each.orderFees[1]) = perps.getOrderFees(id);
            uint256[5] memory p = each.liquidationParameters;
            (p[0], p[1], p[2], p[3], p[4]) = perps.getLiquidationParameters(id);
            each.lockedOiRatio = perps.getLockedOiRatio(id);
            (each.capacity[0], each.capacity[1], each.capacity[2]) = perps.liquidationCapacity(id);
            (each.limits[0], each.limits[1], each.limits[2], each.endorsed) = perps.getMaxLiquidationParameters(id);
            each.strategies = _strategies(perps, id);
            uint256 tolerance;
            (each.feed, tolerance) = perps.getPriceData(id);
            try perps.indexPrice(id) returns (uint256 price) {
                (each.price.known, each.price.value) = (true, price);
            } catch {}
            (each.price.strictlyKnown, each.price.strict) =
                _processed(oracle, each.feed, TOLERANCE, bytes32(tolerance), 0);
            _freshness(oracle, each.feed, tolerance, each.price);
        }
    }

    /// @dev Nodes without a limit of age say what they do, whatever the tolerance.
    function _freshness(IOracle oracle, bytes32 node, uint256 tolerance, Price memory price) private view {
        price.tolerance = tolerance;
        (bytes32[] memory keys, bytes32[] memory values) = (new bytes32[](1), new bytes32[](1));
        (keys[0], values[0]) = (TOLERANCE, ANY_AGE);
        try oracle.processWithRuntime(node, keys, values) returns (IOracle.Output memory found) {
            price.published = found.timestamp;
        } catch {}
        price.wanted = _wanted(oracle, node);
    }

    /// @dev With what a node asks for data; empty where it answers, or reverts for another reason. One that looks up what
    /// is too old asks in any case: else a price of this very second would hide it.
    function _wanted(IOracle oracle, bytes32 node) private view returns (bytes memory) {
        IOracle.Node memory found = oracle.getNode(node);
        if (found.kind == STALENESS && found.parents.length == 2) node = found.parents[1];
        (bytes32[] memory keys, bytes32[] memory values) = (new bytes32[](1), new bytes32[](1));
        (keys[0], values[0]) = (TOLERANCE, 0);
        try oracle.processWithRuntime(node, keys, values) returns (IOracle.Output memory) {
            return "";
        } catch (bytes memory why) {
            return bytes4(why) == DATA_REQUIRED || bytes4(why) == SEVERAL ? why : bytes("");
        }
    }

    /// @dev They are numbered from 0, and no view counts them.
    function _strategies(IPerps perps, uint128 id) private view returns (IPerps.Strategy[] memory strategies) {
        uint256 count = _word(_place("PerpsMarketConfiguration", id), STRATEGIES);
        strategies = new IPerps.Strategy[](count);
        for (uint256 i; i < count; ++i) strategies[i] = perps.getSettlementStrategy(id, i);
    }

    function _collaterals(IPerps perps, State memory state) private view returns (Collateral[] memory collaterals) {
        uint256[] memory supported = perps.getSupportedCollaterals();
        uint256 active = _word(WHOLE, 3);
        collaterals = new Collateral[](supported.length + active);
        uint256 count;
        for (uint256 i; i < supported.length + active; ++i) {
            bool isSupported = i < supported.length;
            uint128 id = uint128(isSupported ? supported[i] : _item(WHOLE, 3, i - supported.length));
            bool seen;
            for (uint256 j; j < count && !seen; ++j) seen = collaterals[j].id == id;
            if (seen) continue;
            _collateral(perps, state, collaterals[count++], id);
            collaterals[count - 1].supported = isSupported;
        }
        assembly ("memory-safe") {
            mstore(collaterals, count)
        }
    }

    function _collateral(IPerps perps, State memory state, Collateral memory each, uint128 id) private view {
        each.id = id;
        uint256[4] memory d = each.discount;
        (d[0], d[1], d[2], d[3]) = perps.getCollateralConfigurationFull(id);
        each.amount = _word(_valueOf(id, bytes32(uint256(WHOLE) + 2)), 0);
        if (id == 0) {
            each.token = state.dollar;
            each.price = Price(true, 1e18, true, 1e18, 0, 0, "");
            return;
        }
        ISpot spot = ISpot(state.spot);
        each.token = spot.getSynth(id);
        each.skewScale = spot.getMarketSkewScale(id);
        (each.price.known, each.price.value) = _indexPrice(spot, id, 0);
        (each.price.strictlyKnown, each.price.strict) = _indexPrice(spot, id, 1);
        (, bytes32 node, uint256 tolerance) = spot.getPriceData(id);
        _freshness(IOracle(state.oracle), node, tolerance, each.price);
    }

    /// @dev An account has at most so many feeds as there are markets and collaterals but dollars.
    function _costs(bytes32 node, State memory state) private view {
        IOracle oracle = IOracle(state.oracle);
        state.costsWanted = _wanted(oracle, node);
        bool known;
        (state.costsKnown, state.settleCost) = _processed(oracle, node, "numberOfUpdatedFeeds", 0, 0);
        (known, state.liquidateCost) = _processed(oracle, node, "numberOfUpdatedFeeds", 0, 2);
        state.costsKnown = state.costsKnown && known;
        state.flagCosts = new uint256[](state.markets.length + state.collaterals.length + 1);
        for (uint256 i; i < state.flagCosts.length && known; ++i) {
            (known, state.flagCosts[i]) = _processed(oracle, node, "numberOfUpdatedFeeds", bytes32(i), 1);
            state.costsKnown = state.costsKnown && known;
        }
    }

    /// @notice For each 16 bytes of `packed`, an account's number: a byte (1: flagged, 2: an order waits), debt (32
    /// bytes), two bytes with how many collaterals and positions there are; of each collateral its number (16) and
    /// amount (32); of each position its market (16), size (16, two's complement), price (16), funding (16, two's
    /// complement) and interest (32); of the order its market (16), size (16), strategy (16), time (8) and acceptable
    /// price (32).
    function accounts(IPerps perps, bytes calldata packed)
        external
        view
        only(address(perps))
        returns (bytes memory records)
    {
        bytes[] memory parts = new bytes[](packed.length / 16);
        for (uint256 i; i < parts.length; ++i) {
            parts[i] = _record(uint128(bytes16(packed[16 * i:16 * i + 16])));
        }
        return Records.joined(parts);
    }

    function _record(uint128 id) private view returns (bytes memory record) {
        bytes32 account = _place("Account", id);
        uint256 held = _word(account, 2);
        uint256 open = _word(account, 4);
        bytes32 order = _place("AsyncOrder", id);
        uint256 what = _word(order, 2);
        bool waits = int128(uint128(what)) != 0;
        bool flagged = _word(_valueOf(id, bytes32(uint256(WHOLE) + 1)), 0) != 0;
        record = abi.encodePacked(
            uint8((flagged ? 1 : 0) + (waits ? 2 : 0)), _word(account, 6), uint8(held), uint8(open)
        );
        for (uint256 i; i < held; ++i) {
            uint128 collateral = uint128(_item(account, 2, i));
            record = abi.encodePacked(record, collateral, _word(_valueOf(collateral, account), 0));
        }
        for (uint256 i; i < open; ++i) {
            uint128 at = uint128(_item(account, 4, i));
            bytes32 position = _valueOf(id, bytes32(uint256(_place("PerpsMarket", at)) + 11));
            uint256 first = _word(position, 0);
            uint256 second = _word(position, 1);
            record = abi.encodePacked(
                record, at, uint128(first >> 128), uint128(second), uint128(second >> 128), _word(position, 2)
            );
        }
        if (waits) {
            record = abi.encodePacked(
                record,
                uint128(_word(order, 1)),
                uint128(what),
                uint128(what >> 128),
                uint64(_word(order, 0)),
                _word(order, 3)
            );
        }
    }

    /// @notice The price at which the account's order is settled, if it has been brought already.
    function settlementPrice(IPerps perps, uint128 id) external view returns (bool known, uint256 price) {
        IPerps.Order memory order = perps.getOrder(id);
        if (order.size == 0) return (false, 0);
        IPerps.Strategy memory strategy = perps.getSettlementStrategy(order.market, order.strategy);
        uint64 time = uint64(order.time + strategy.priceDelay);
        try IVerifier(strategy.verifier).getBenchmarkPrice(strategy.feed, time) returns (int256 found) {
            if (found > 0) (known, price) = (true, uint256(found));
        } catch {}
    }

    /// @notice What the market says of an account: available margin; initial and maintenance margin, each with the
    /// liquidation reward, and that; the collaterals' value without discount; profit and loss of all positions; debt;
    /// whether it can be liquidated, and whether its margin alone can. Reverts where a price cannot be had.
    function valued(IPerps perps, uint128 id)
        external
        view
        returns (
            int256 available,
            uint256 initial,
            uint256 maintenance,
            uint256 reward,
            uint256 collateral,
            int256 pnl,
            uint256 debt,
            bool liquidatable,
            bool marginLiquidatable
        )
    {
        available = perps.getAvailableMargin(id);
        (initial, maintenance, reward) = perps.getRequiredMargins(id);
        collateral = perps.totalCollateralValue(id);
        uint256[] memory open = perps.getAccountOpenPositions(id);
        for (uint256 i; i < open.length; ++i) {
            (int256 part,,,) = perps.getOpenPosition(id, uint128(open[i]));
            pnl += part;
        }
        debt = perps.debt(id);
        liquidatable = perps.canLiquidate(id);
        marginLiquidatable = perps.canLiquidateMarginOnly(id);
    }

    /// @notice The Chainlink feed that a node of the oracle manager leads to; the manager where it leads to another.
    function sourceOf(bytes32 node) external view returns (address) {
        IOracle oracle = IOracle(address(uint160(_word(FACTORY, 0))));
        IOracle.Node memory found = oracle.getNode(node);
        while (found.kind != CHAINLINK && found.parents.length == 1) found = oracle.getNode(found.parents[0]);
        return found.kind == CHAINLINK ? abi.decode(found.parameters, (address)) : address(oracle);
    }

    /// @notice The same of a collateral's price for selling.
    function sourceOfSynth(uint128 id) external view returns (address) {
        (, bytes32 node,) = ISpot(address(uint160(_word(FACTORY, 3)))).getPriceData(id);
        return this.sourceOf(node);
    }

    /// @notice A market's symbol.
    function symbolOf(IPerps perps, uint128 id) external view returns (string memory symbol) {
        (, symbol) = perps.metadata(id);
    }

    function _indexPrice(ISpot spot, uint128 id, uint8 tolerance) private view returns (bool, uint256) {
        try spot.indexPrice(id, SELLING, tolerance) returns (uint256 price) {
            return (true, price);
        } catch {
            return (false, 0);
        }
    }

    /// @dev A node's value with one key, or with that and the kind of execution; false where it reverts.
    function _processed(IOracle oracle, bytes32 node, bytes32 key, bytes32 value, uint256 kind)
        private
        view
        returns (bool, uint256)
    {
        bool costs = key == "numberOfUpdatedFeeds";
        // Four places where two are used, as the market itself does.
        bytes32[] memory keys = new bytes32[](costs ? 4 : 1);
        bytes32[] memory values = new bytes32[](keys.length);
        (keys[0], values[0]) = (key, value);
        if (costs) (keys[1], values[1]) = ("executionKind", bytes32(kind));
        try oracle.processWithRuntime(node, keys, values) returns (IOracle.Output memory found) {
            return (found.price >= 0, found.price >= 0 ? uint256(found.price) : 0);
        } catch {
            return (false, 0);
        }
    }

    /// @dev Where one of the market's structures begins.
    function _place(string memory name, uint128 id) private pure returns (bytes32) {
        return keccak256(abi.encode(string.concat("io.synthetix.perps-market.", name), id));
    }

    /// @dev An item of the list whose length is kept so many words after `base`.
    function _item(bytes32 base, uint256 offset, uint256 place) private view returns (uint256) {
        return _word(keccak256(abi.encode(uint256(base) + offset)), place);
    }
}
