// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {PerpV2Growth} from "./PerpV2Growth.sol";
import {PerpV2Ticks} from "./PerpV2Ticks.sol";
import {Averages, IObservedPool} from "./lens/Averages.sol";
import {Records} from "./lens/Records.sol";

/// @dev What Perp v2 publishes, by the contract that does.
interface IClearingHouse {
    function getAccountBalance() external view returns (address);
    function getAccountValue(address trader) external view returns (int256);
    function getClearingHouseConfig() external view returns (address);
    function getExchange() external view returns (address);
    function getInsuranceFund() external view returns (address);
    function getOrderBook() external view returns (address);
    function getVault() external view returns (address);
    function paused() external view returns (bool);
}

interface ICurieConfig {
    function getImRatio() external view returns (uint24);
    function getLiquidationPenaltyRatio() external view returns (uint24);
    function getMarkPriceConfig() external view returns (uint32 market, uint32 premium);
    function getMaxFundingRate() external view returns (uint24);
    function getMmRatio() external view returns (uint24);
    function getTwapInterval() external view returns (uint32);
}

interface IAccountBalance {
    struct Info {
        int256 size;
        int256 notional;
        int256 growth;
    }

    function getAccountInfo(address trader, address base) external view returns (Info memory);
    function getBaseTokens(address trader) external view returns (address[] memory);
    function getMarginRequirementForLiquidation(address trader) external view returns (int256);
    function getMarkPrice(address base) external view returns (uint256);
    function getPnlAndPendingFee(address trader) external view returns (int256 owed, int256 unrealized, uint256 fee);
    function getTotalDebtValue(address trader) external view returns (uint256);
}

interface IOrderBook {
    struct Order {
        uint128 liquidity;
        int24 lower;
        int24 upper;
        uint256 fee;
        int256 premium;
        int256 below;
        int256 overRoot;
        uint256 baseDebt;
        uint256 quoteDebt;
    }

    function getOpenOrderById(bytes32 id) external view returns (Order memory);
    function getOpenOrderIds(address trader, address base) external view returns (bytes32[] memory);
}

interface ICurieExchange {
    function getAllPendingFundingPayment(address trader) external view returns (int256);
    function getMaxTickCrossedWithinBlock(address base) external view returns (uint24);
}

interface ICurieVault {
    function decimals() external view returns (uint8);
    function getBalance(address trader) external view returns (int256);
    function getBalanceByToken(address trader, address token) external view returns (int256);
    function getCollateralManager() external view returns (address);
    function getCollateralTokens(address trader) external view returns (address[] memory);
    function getSettlementToken() external view returns (address);
    function isLiquidatable(address trader) external view returns (bool);
}

interface ICollateralManager {
    struct Config {
        address feed;
        uint24 ratio;
        uint24 discount;
        uint256 cap;
    }

    function getCollateralConfig(address token) external view returns (Config memory);
    function getCLInsuranceFundFeeRatio() external view returns (uint24);
    function getCollateralValueDust() external view returns (uint256);
    function getDebtNonSettlementTokenValueRatio() external view returns (uint24);
    function getDebtThresholdByTrader(address trader) external view returns (uint256);
    function getLiquidationRatio() external view returns (uint24);
    function getMmRatioBuffer() external view returns (uint24);
    function getPrice(address token, uint256 interval) external view returns (uint256);
    function getPriceFeedDecimals(address token) external view returns (uint8);
}

interface IBaseToken {
    function getClosedPrice() external view returns (uint256);
    function getIndexPrice(uint256 interval) external view returns (uint256);
    function getPausedIndexPrice() external view returns (uint256);
    function getPausedTimestamp() external view returns (uint256);
    function getPriceFeed() external view returns (address);
    function isClosed() external view returns (bool);
    function isOpen() external view returns (bool);
}

interface IRegistry {
    struct Info {
        address pool;
        uint24 fee;
        uint24 poolFee;
        uint24 insuranceFee;
        uint24 band;
    }

    function getMarketInfo(address base) external view returns (Info memory);
    function getMarketInfoByTrader(address trader, address base) external view returns (Info memory);
    function getQuoteToken() external view returns (address);
}

interface IInsurance {
    function getInsuranceFundCapacity() external view returns (int256);
}

/// @dev `UniswapV3Lens`, laid where `keeper/venues/uniswap_v3/lens.py` has it.
interface IPoolLens {
    function one(address at, address token, address other, uint24 fee, int24 reach) external view;
}

interface ICuriePool {
    function observe(uint32[] calldata ago) external view returns (int56[] memory ticks, uint160[] memory seconds_);
    function slot0() external view returns (uint160 root, int24 tick, uint16, uint16, uint16, uint8, bool);
}

interface IToken {
    function balanceOf(address who) external view returns (uint256);
    function decimals() external view returns (uint8);
    function symbol() external view returns (string memory);
}

/// @title PerpV2Lens
/// @notice Reads Perp v2 (Curie) and its traders, and what the exchange itself says of one. It is never deployed: the
/// caller lays its code over an unused address in an `eth_call`, and `PerpV2Growth` and `PerpV2Ticks` over the exchange
/// and the order book once it knows them.
contract PerpV2Lens {
    struct Market {
        address base;
        string symbol;
        address feed;
        address pool;
        /// 0 open, 1 paused, 2 closed.
        uint8 status;
        bool priced;
        /// The mark; of a paused market its last index, of a closed one what it closed at.
        uint256 price;
        uint160 root;
        int24 tick;
        /// Whether the stored numbers could be read.
        bool stored;
        int256[2] growth;
        uint256[2] times;
        uint256 fees;
        /// Until when funding grows, the interval that is averaged over, the pool's cumulative ticks and the index.
        uint256[2] interval;
        int56[2] ticks;
        uint256 index;
        Trading trading;
        Ahead ahead;
    }

    /// @dev What the mark and funding come from in the seconds to come, if nothing happens: the pool's cumulative ticks
    /// now, the mark's intervals, funding's once the market is old enough (0 before its first trade), and `Averages` of each.
    struct Ahead {
        int56 cumulative;
        uint32 market;
        uint32 premium;
        uint32 funding;
        /// Whether the mark looks at an average where earlier builds took the pool's price of the moment.
        bool later;
        bytes shortTicks;
        bytes marketTicks;
        bytes premiumTicks;
        bytes fundingTicks;
        bytes premiumIndex;
        bytes fundingIndex;
    }

    /// @dev What closing a position hangs on.
    struct Trading {
        uint24 fee;
        /// How far the pool may lie from the index, in millionths.
        uint24 band;
        /// How far a trade may move the pool, from which tick, and when that was noted.
        uint24 maxTicks;
        int24 lastTick;
        uint256 lastTime;
        /// The index of the moment.
        uint256 spot;
        /// The pool as `UniswapV3Lens` tells of it; empty where it could not be read.
        bytes pool;
    }

    struct Token {
        address token;
        uint8 decimals;
        bool priced;
        uint256 price;
        uint8 feedDecimals;
        ICollateralManager.Config config;
        uint256 held;
        /// The price of the moment, and `Averages` of the one that counts.
        uint256 spot;
        bytes ahead;
    }

    struct State {
        address vault;
        address exchange;
        address orderBook;
        address accountBalance;
        address insurance;
        address registry;
        address settlement;
        uint8 decimals;
        bool paused;
        uint24[4] ratios;
        /// When collateral is due, and how much of it: buffer, debt's share, part, fee, dust.
        uint256[5] sales;
        /// What the insurance fund can cover, in units of the settlement token.
        int256 capacity;
        uint256 time;
        Market[] markets;
        Token[] tokens;
    }

    uint32 private constant COLLATERAL_INTERVAL = 900;
    /// Of later builds; earlier ones take the price of the moment.
    uint32 private constant SHORT_INTERVAL = 15;
    uint256 private constant SHORTEST = 10;
    IPoolLens private constant POOLS = IPoolLens(0x00000000000000000000000000000000ba7c0034);
    /// A trade moves the pool by 1,000 ticks at most, from where it was not long ago.
    int24 private constant REACH = 2_000;

    /// @notice The exchange at this block, with these of its markets and collateral tokens.
    function market(IClearingHouse house, address[] calldata bases, address[] calldata tokens)
        external
        view
        returns (State memory state)
    {
        ICurieVault vault = ICurieVault(house.getVault());
        ICurieConfig config = ICurieConfig(house.getClearingHouseConfig());
        state.vault = address(vault);
        state.exchange = house.getExchange();
        state.orderBook = house.getOrderBook();
        state.accountBalance = house.getAccountBalance();
        state.insurance = house.getInsuranceFund();
        state.registry = address(_registry(state.orderBook));
        state.settlement = vault.getSettlementToken();
        state.decimals = vault.decimals();
        state.paused = house.paused();
        state.ratios =
            [config.getImRatio(), config.getMmRatio(), config.getLiquidationPenaltyRatio(), config.getMaxFundingRate()];
        state.time = block.timestamp;
        _sales(ICollateralManager(vault.getCollateralManager()), state);
        try IInsurance(state.insurance).getInsuranceFundCapacity() returns (int256 capacity) {
            state.capacity = capacity;
        } catch {}
        state.markets = new Market[](bases.length);
        for (uint256 i; i < bases.length; ++i) _market(state, config, bases[i], state.markets[i]);
        state.tokens = new Token[](tokens.length);
        ICollateralManager manager = ICollateralManager(vault.getCollateralManager());
        for (uint256 i; i < tokens.length; ++i) {
            state.tokens[i].token = tokens[i];
            try this.tokenOf(manager, address(vault), tokens[i]) returns (Token memory found) {
                state.tokens[i] = found;
            } catch {}
        }
    }

    function _sales(ICollateralManager manager, State memory state) private view {
        state.sales = [
            uint256(manager.getMmRatioBuffer()),
            manager.getDebtNonSettlementTokenValueRatio(),
            manager.getLiquidationRatio(),
            manager.getCLInsuranceFundFeeRatio(),
            manager.getCollateralValueDust()
        ];
    }

    function _market(State memory state, ICurieConfig config, address base, Market memory each) private view {
        IBaseToken token = IBaseToken(base);
        each.base = base;
        each.symbol = IToken(base).symbol();
        each.feed = token.getPriceFeed();
        each.status = token.isOpen() ? 0 : token.isClosed() ? 2 : 1;
        IRegistry registry = IRegistry(state.registry);
        IRegistry.Info memory info = registry.getMarketInfo(base);
        each.pool = info.pool;
        (each.root, each.tick,,,,,) = ICuriePool(each.pool).slot0();
        if (each.status == 0) {
            try IAccountBalance(state.accountBalance).getMarkPrice(base) returns (uint256 price) {
                (each.priced, each.price) = (true, price);
            } catch {}
        } else {
            each.priced = true;
            each.price = each.status == 2 ? token.getClosedPrice() : token.getPausedIndexPrice();
        }
        try PerpV2Growth(payable(state.exchange)).growthOf(base) returns (int256 a, int256 b, uint256 time, uint256 first) {
            (each.growth, each.times) = ([a, b], [time, first]);
            each.fees = PerpV2Ticks(payable(state.orderBook)).feesOf(base);
            each.stored = true;
        } catch {}
        _averages(config, token, each);
        if (each.status != 0) return;
        _trading(state, registry, info, each);
        _ahead(config, registry, each);
    }

    function _ahead(ICurieConfig config, IRegistry registry, Market memory each) private view {
        Ahead memory ahead = each.ahead;
        IObservedPool pool = IObservedPool(each.pool);
        (ahead.market, ahead.premium) = config.getMarkPriceConfig();
        if (each.times[1] != 0) ahead.funding = config.getTwapInterval();
        bytes memory present = Averages.ticks(pool, 0);
        if (present.length != 7) return;
        ahead.cumulative = int56(uint56(bytes7(present)));
        try registry.getMarketInfoByTrader(address(0), each.base) returns (IRegistry.Info memory) {
            ahead.later = true;
        } catch {}
        ahead.shortTicks = Averages.ticks(pool, SHORT_INTERVAL);
        ahead.marketTicks = Averages.ticks(pool, ahead.market);
        ahead.premiumTicks = Averages.ticks(pool, ahead.premium);
        ahead.premiumIndex = Averages.prices(each.base, "getIndexPrice(uint256)", address(0), ahead.premium);
        uint32 funding = uint32(each.interval[1]);
        ahead.fundingTicks = funding == ahead.premium ? ahead.premiumTicks : Averages.ticks(pool, funding);
        ahead.fundingIndex = funding == ahead.premium
            ? ahead.premiumIndex
            : Averages.prices(each.base, "getIndexPrice(uint256)", address(0), funding);
    }

    function _trading(State memory state, IRegistry registry, IRegistry.Info memory info, Market memory each) private view {
        Trading memory trading = each.trading;
        (trading.fee, trading.band) = (info.fee, info.band);
        trading.maxTicks = ICurieExchange(state.exchange).getMaxTickCrossedWithinBlock(each.base);
        try PerpV2Growth(payable(state.exchange)).limitOf(each.base) returns (int24 tick, uint256 time) {
            (trading.lastTick, trading.lastTime) = (tick, time);
        } catch {
            return;
        }
        try IBaseToken(each.base).getIndexPrice(0) returns (uint256 spot) {
            trading.spot = spot;
        } catch {
            return;
        }
        bytes memory asked =
            abi.encodeCall(IPoolLens.one, (each.pool, each.base, registry.getQuoteToken(), info.poolFee, REACH));
        (bool ok, bytes memory answer) = address(POOLS).staticcall(asked);
        if (ok) trading.pool = answer;
    }

    /// @dev What funding grows by: averages until now, or until a market was paused.
    function _averages(ICurieConfig config, IBaseToken token, Market memory each) private view {
        uint256 until = each.status == 0 ? block.timestamp : token.getPausedTimestamp();
        uint256 interval;
        if (each.times[1] != 0) {
            interval = config.getTwapInterval();
            if (until - each.times[1] < interval) interval = until - each.times[1];
        }
        each.interval = [until, interval];
        if (interval >= SHORTEST) {
            uint32 ago = uint32(block.timestamp - until);
            uint32[] memory points = new uint32[](2);
            (points[0], points[1]) = (ago + uint32(interval), ago);
            try ICuriePool(each.pool).observe(points) returns (int56[] memory ticks, uint160[] memory) {
                each.ticks = [ticks[0], ticks[1]];
            } catch {
                each.priced = false;
            }
        }
        if (each.status != 0) {
            each.index = token.getPausedIndexPrice();
            return;
        }
        try token.getIndexPrice(interval) returns (uint256 index) {
            each.index = index;
        } catch {
            each.priced = false;
        }
    }

    function _registry(address orderBook) private view returns (IRegistry) {
        (bool ok, bytes memory answer) = orderBook.staticcall(abi.encodeWithSignature("getMarketRegistry()"));
        require(ok);
        return IRegistry(abi.decode(answer, (address)));
    }

    /// @notice A collateral token. Reverts where it, or the source of its price, does not answer: it then has no price.
    function tokenOf(ICollateralManager manager, address vault, address token) external view returns (Token memory each) {
        each.token = token;
        each.decimals = IToken(token).decimals();
        each.held = IToken(token).balanceOf(vault);
        each.config = manager.getCollateralConfig(token);
        each.feedDecimals = manager.getPriceFeedDecimals(token);
        try manager.getPrice(token, COLLATERAL_INTERVAL) returns (uint256 price) {
            (each.priced, each.price) = (true, price);
        } catch {
            return each;
        }
        string memory asked = "getPrice(address,uint256)";
        each.ahead = Averages.prices(address(manager), asked, token, COLLATERAL_INTERVAL);
        try manager.getPrice(token, 0) returns (uint256 price) {
            each.spot = price;
        } catch {}
    }

    /// @notice For each 20 bytes of `packed`: balance of the settlement token and realised profit not yet settled (32
    /// each, two's complement), the debt beyond which its collateral is due (32), a byte with the number of collateral
    /// tokens, of each its address (20) and amount (32);
    /// a byte with the number of markets, of each its base token (20), size, open notional and growth settled (32 each,
    /// two's complement), a byte with the number of ranges, and of each its bounds (3 each, two's complement),
    /// liquidity (16), growth it was settled at (4 x 32), debts of base and quote (32 each), and what grew beyond
    /// either bound (3 x 32 each).
    function accounts(IClearingHouse house, bytes calldata packed) external view returns (bytes memory records) {
        IAccountBalance balances = IAccountBalance(house.getAccountBalance());
        ICurieVault vault = ICurieVault(house.getVault());
        address book = house.getOrderBook();
        bytes[] memory parts = new bytes[](packed.length / 20);
        for (uint256 i; i < parts.length; ++i) {
            address who = address(bytes20(packed[20 * i:20 * i + 20]));
            parts[i] = bytes.concat(_money(vault, balances, who), _positions(balances, book, who));
        }
        return Records.joined(parts);
    }

    function _money(ICurieVault vault, IAccountBalance balances, address who) private view returns (bytes memory out) {
        int256 owed;
        try balances.getPnlAndPendingFee(who) returns (int256 realized, int256, uint256) {
            owed = realized;
        } catch {}
        address[] memory tokens = vault.getCollateralTokens(who);
        uint256 threshold = ICollateralManager(vault.getCollateralManager()).getDebtThresholdByTrader(who);
        out = abi.encodePacked(vault.getBalance(who), owed, threshold, uint8(tokens.length));
        for (uint256 i; i < tokens.length; ++i) {
            out = abi.encodePacked(out, tokens[i], vault.getBalanceByToken(who, tokens[i]));
        }
    }

    function _positions(IAccountBalance balances, address book, address who) private view returns (bytes memory out) {
        address[] memory bases = balances.getBaseTokens(who);
        out = abi.encodePacked(uint8(bases.length));
        for (uint256 i; i < bases.length; ++i) {
            IAccountBalance.Info memory info = balances.getAccountInfo(who, bases[i]);
            bytes32[] memory ids = IOrderBook(book).getOpenOrderIds(who, bases[i]);
            out = abi.encodePacked(out, bases[i], info.size, info.notional, info.growth, uint8(ids.length));
            for (uint256 j; j < ids.length; ++j) {
                out = bytes.concat(out, _range(book, bases[i], IOrderBook(book).getOpenOrderById(ids[j])));
            }
        }
    }

    function _range(address book, address base, IOrderBook.Order memory order) private view returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(order.lower, order.upper, order.liquidity),
            abi.encodePacked(order.fee, order.premium, order.below, order.overRoot, order.baseDebt, order.quoteDebt),
            _beyond(book, base, order.lower),
            _beyond(book, base, order.upper)
        );
    }

    function _beyond(address book, address base, int24 tick) private view returns (bytes memory) {
        (uint256 fee, int256 premium, int256 overRoot) = PerpV2Ticks(payable(book)).beyond(base, tick);
        return abi.encodePacked(fee, premium, overRoot);
    }

    /// @notice The aggregator that a market's or a collateral token's price rests on; the feed itself where it names none.
    function sourceOf(IClearingHouse house, address token) external view returns (address source) {
        ICollateralManager manager = ICollateralManager(ICurieVault(house.getVault()).getCollateralManager());
        source = manager.getCollateralConfig(token).feed;
        if (source == address(0)) source = IBaseToken(token).getPriceFeed();
        source = _named(source, abi.encodeWithSignature("getChainlinkPriceFeedV3()"));
        return _named(source, abi.encodeWithSignature("getAggregator()"));
    }

    /// @dev What a contract names when asked so; itself where it does not understand.
    function _named(address of_, bytes memory question) private view returns (address) {
        (bool ok, bytes memory answer) = of_.staticcall(question);
        return ok && answer.length == 32 ? abi.decode(answer, (address)) : of_;
    }

    /// @notice What the exchange says of a trader: account value (18 decimals, cut to the settlement token's), margin
    /// that positions require, and that debts do at the initial ratio, debts' value, realised and unrealised profit,
    /// pending fees and funding, and whether the vault lets collateral be liquidated. Reverts where a price cannot be
    /// had.
    function valued(IClearingHouse house, address trader)
        external
        view
        returns (
            int256 value,
            int256 required,
            uint256 initial,
            uint256 debts,
            int256 owed,
            int256 unrealized,
            uint256 fee,
            int256 funding,
            bool collateralLiquidatable
        )
    {
        IAccountBalance balances = IAccountBalance(house.getAccountBalance());
        value = house.getAccountValue(trader);
        required = balances.getMarginRequirementForLiquidation(trader);
        debts = balances.getTotalDebtValue(trader);
        initial = debts * ICurieConfig(house.getClearingHouseConfig()).getImRatio() / 1e6;
        (owed, unrealized, fee) = balances.getPnlAndPendingFee(trader);
        funding = ICurieExchange(house.getExchange()).getAllPendingFundingPayment(trader);
        collateralLiquidatable = ICurieVault(house.getVault()).isLiquidatable(trader);
    }
}
