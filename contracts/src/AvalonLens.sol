// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {InPlace} from "./lens/InPlace.sol";
import {Records} from "./lens/Records.sol";

/// @dev What Lyra Avalon publishes, by the contract that does.
interface IAvalonMarket {
    struct Board {
        uint256 id;
        uint256 expiry;
        uint256 iv;
        bool frozen;
        uint256[] strikes;
    }

    struct Terms {
        uint256 longest;
        address module;
        uint256 reserved;
        uint256 settlementFee;
    }

    function boardToPriceAtExpiry(uint256 board) external view returns (uint256);
    function getLiveBoards() external view returns (uint256[] memory);
    function getOptionBoard(uint256 board) external view returns (Board memory);
    function getOptionMarketParams() external view returns (Terms memory);
    function getStrike(uint256 strike)
        external
        view
        returns (
            uint256 id,
            uint256 price,
            uint256 skew,
            uint256 longCall,
            uint256 shortCallBase,
            uint256 shortCallQuote,
            uint256 longPut,
            uint256 shortPut,
            uint256 board
        );
}

interface IAvalonToken {
    struct Position {
        uint256 id;
        uint256 strike;
        uint8 kind;
        uint256 amount;
        uint256 collateral;
        uint8 state;
    }

    struct Fees {
        uint256 penalty;
        uint256 liquidator;
        uint256 security;
        uint256 least;
    }

    function canLiquidate(Position memory position, uint256 expiry, uint256 price, uint256 spot)
        external
        view
        returns (bool);
    function getOptionPosition(uint256 id) external view returns (Position memory);
    function getPartialCollatParams() external view returns (Fees memory);
}

interface IAvalonCache {
    struct Least {
        uint256[8] numbers;
    }

    struct Rates {
        uint256 strikes;
        uint256 move;
        uint256 lasts;
        uint256[6] others;
        int256 rate;
    }

    struct Cached {
        uint256 id;
        uint256[] strikes;
        uint256 expiry;
        uint256 iv;
        int256[3] net;
        uint256 updated;
        uint256 spot;
        uint256[2] variances;
    }

    struct Global {
        uint256[5] extremes;
        int256 delta;
        int256 vega;
        int256 value;
    }

    struct StrikeCached {
        uint256[4] terms;
        int256[2] deltas;
        uint256 vega;
        uint256[2] prices;
        int256[2] exposures;
        uint256 variance;
    }

    function getForceCloseParams() external view returns (uint256[10] memory);
    function getGlobalCache() external view returns (Global memory);
    function getGreekCacheParams() external view returns (Rates memory);
    function getIvGWAV(uint256 board, uint256 period) external view returns (uint256);
    function getSkewGWAV(uint256 strike, uint256 period) external view returns (uint256);
    function getStrikeCache(uint256 strike) external view returns (StrikeCached memory);
    function getOptionBoardCache(uint256 board) external view returns (Cached memory);
    function getMinCollatParams() external view returns (Least memory);
    function getMinCollateral(uint8 kind, uint256 price, uint256 expiry, uint256 spot, uint256 amount)
        external
        view
        returns (uint256);
}

interface IAvalonCoin {
    function balanceOf(address holder) external view returns (uint256);
}

interface IAvalonPricer {
    function getPricingParams() external view returns (uint256[9] memory);
    function getTradeLimitParams() external view returns (uint256[12] memory);
    function getVarianceFeeParams() external view returns (uint256[9] memory);
}

interface IAvalonPool {
    /// @dev The last of them is what the pool is worth.
    function getLiquidity(uint256 spot) external view returns (uint256[6] memory);
}

interface IAvalonAdapter {
    function getSpotPriceForMarket(address market) external view returns (uint256);
    function isGlobalPaused() external view returns (bool);
    function isMarketPaused(address market) external view returns (bool);
}

/// @title AvalonLens
/// @notice Reads a Lyra Avalon market and its positions, and what its contracts themselves say of one. It is never
/// deployed: the caller lays its code over the market in an `eth_call`, whose neighbours only its storage tells.
contract AvalonLens is InPlace {
    struct Board {
        uint256 id;
        uint256 expiry;
        bool frozen;
        uint256 iv;
        /// When its cached Greeks were brought up to date, and the spot then.
        uint256 updated;
        uint256 cachedSpot;
        /// Of each strike its id and its skew, 16 bytes each.
        bytes strikes;
    }

    struct State {
        address adapter;
        address cache;
        address token;
        address quote;
        address base;
        /// Meaningless unless `priced`: nothing is traded or liquidated then.
        bool priced;
        uint256 spot;
        bool paused;
        uint256[8] least;
        int256 rate;
        IAvalonToken.Fees fees;
        /// Who holds shorts' collateral and pays settled positions out.
        address vault;
        uint256 vaultQuote;
        uint256 vaultBase;
        uint256 settlementFee;
        /// Cached Greeks are stale after so much of a move of the spot, or so long.
        uint256 staleMove;
        uint256 staleAfter;
        Board[] boards;
        /// 16 bytes for each board that ever was, from the first on: the price it was settled at, or nothing.
        bytes settled;
    }

    /// @dev What closing a position hangs on: the market's terms, in the contracts' own order, and its state.
    struct Closing {
        uint256[9] pricing;
        uint256[12] limits;
        uint256[9] variance;
        uint256[10] forced;
        int256 netVega;
        uint256 worth;
        uint256 vega;
        /// Averages, over the periods of the market's terms: volatility for the variance fee, volatility and skew
        /// for closing by force.
        uint256 varianceIv;
        uint256 forcedIv;
        uint256 forcedSkew;
    }

    uint256 private constant ADAPTER = 3;
    uint256 private constant POOL = 4;
    uint256 private constant PRICER = 5;
    uint256 private constant CACHE = 6;
    uint256 private constant VAULT = 7;
    uint256 private constant TOKEN = 8;
    uint256 private constant QUOTE = 9;
    uint256 private constant BASE = 10;
    uint256 private constant NEXT_BOARD = 12;
    bytes32 private constant STRIKES = bytes32(uint256(19));
    uint256 private constant SKEW = 2;
    bytes32 private constant SETTLED = bytes32(uint256(20));
    uint8 private constant ACTIVE = 1;
    uint8 private constant FIRST_SHORT = 2;

    /// @notice The market at this block.
    function market(IAvalonMarket at) external view only(address(at)) returns (State memory state) {
        state.adapter = _neighbour(ADAPTER);
        state.cache = _neighbour(CACHE);
        state.token = _neighbour(TOKEN);
        state.quote = _neighbour(QUOTE);
        state.base = _neighbour(BASE);
        (state.priced, state.spot) = _spot();
        IAvalonAdapter adapter = IAvalonAdapter(state.adapter);
        state.paused = adapter.isGlobalPaused() || adapter.isMarketPaused(address(at));
        state.least = IAvalonCache(state.cache).getMinCollatParams().numbers;
        IAvalonCache.Rates memory rates = IAvalonCache(state.cache).getGreekCacheParams();
        (state.rate, state.staleMove, state.staleAfter) = (rates.rate, rates.move, rates.lasts);
        state.fees = IAvalonToken(state.token).getPartialCollatParams();
        state.vault = _neighbour(VAULT);
        state.vaultQuote = IAvalonCoin(state.quote).balanceOf(state.vault);
        state.vaultBase = IAvalonCoin(state.base).balanceOf(state.vault);
        state.settlementFee = at.getOptionMarketParams().settlementFee;
        uint256[] memory live = at.getLiveBoards();
        state.boards = new Board[](live.length);
        for (uint256 i; i < live.length; ++i) {
            IAvalonMarket.Board memory board = at.getOptionBoard(live[i]);
            IAvalonCache.Cached memory cached = IAvalonCache(state.cache).getOptionBoardCache(live[i]);
            state.boards[i] = Board(
                board.id, board.expiry, board.frozen, board.iv, cached.updated, cached.spot, _skews(board.strikes)
            );
        }
        state.settled = _settled();
    }

    function _skews(uint256[] memory strikes) private view returns (bytes memory) {
        uint256[] memory packed = new uint256[](strikes.length);
        for (uint256 i; i < packed.length; ++i) {
            packed[i] = strikes[i] << 128 | _word(_valueOf(strikes[i], STRIKES), SKEW);
        }
        return abi.encodePacked(packed);
    }

    function _settled() private view returns (bytes memory) {
        uint256 next = _word(bytes32(NEXT_BOARD), 0);
        bytes[] memory prices = new bytes[](next - 1);
        for (uint256 board = 1; board < next; ++board) {
            prices[board - 1] = abi.encodePacked(uint128(_word(_valueOf(board, SETTLED), 0)));
        }
        return Records.joined(prices);
    }

    /// @notice For each 16 bytes of `packed`, a position's number: kind and state (a byte each), board (16), strike's
    /// price, amount and collateral (32 each), expiry (8), strike (16). All but the state are zero of one that is not active.
    function accounts(IAvalonMarket at, bytes calldata packed)
        external
        view
        only(address(at))
        returns (bytes memory records)
    {
        bytes[] memory parts = new bytes[](packed.length / 16);
        for (uint256 i; i < parts.length; ++i) {
            parts[i] = _record(at, uint128(bytes16(packed[16 * i:16 * i + 16])));
        }
        return Records.joined(parts);
    }

    function _record(IAvalonMarket at, uint256 id) private view returns (bytes memory) {
        IAvalonToken.Position memory held = _position(id);
        if (held.state != ACTIVE) return abi.encodePacked(uint8(0), held.state, new bytes(136));
        (uint256 price, uint256 board, uint256 expiry) = _terms(at, held.strike);
        return abi.encodePacked(
            held.kind,
            held.state,
            uint128(board),
            price,
            held.amount,
            held.collateral,
            uint64(expiry),
            uint128(held.strike)
        );
    }

    /// @notice What the contracts say of a position: collateral, the least it must have, and whether it can be
    /// liquidated, which the token's own view answers rightly only where nothing else stands in the way.
    function valued(IAvalonMarket at, uint256 id)
        external
        view
        only(address(at))
        returns (uint256 collateral, uint256 least, bool liquidatable, uint256 spot, uint256 price, uint256 amount, uint256 kind)
    {
        IAvalonToken.Position memory held = _position(id);
        if (held.state != ACTIVE) return (0, 0, false, 0, 0, 0, 0);
        uint256 board;
        uint256 expiry;
        (price, board, expiry) = _terms(at, held.strike);
        bool priced;
        (priced, spot) = _spot();
        require(priced);
        (collateral, amount, kind) = (held.collateral, held.amount, held.kind);
        if (held.kind < FIRST_SHORT) return (0, 0, false, spot, price, amount, kind);
        least = IAvalonCache(_neighbour(CACHE)).getMinCollateral(held.kind, price, expiry, spot, amount);
        liquidatable = !at.getOptionBoard(board).frozen && block.timestamp < expiry
            && IAvalonToken(_neighbour(TOKEN)).canLiquidate(held, expiry, price, spot);
    }

    /// @notice What closing a position costs is made of.
    function closing(IAvalonMarket at, uint256 id) external view only(address(at)) returns (Closing memory found) {
        uint256 strike = _position(id).strike;
        (,,,,,,,, uint256 board) = at.getStrike(strike);
        (bool priced, uint256 spot) = _spot();
        require(priced);
        IAvalonPricer pricer = IAvalonPricer(_neighbour(PRICER));
        IAvalonCache cache = IAvalonCache(_neighbour(CACHE));
        found.pricing = pricer.getPricingParams();
        found.limits = pricer.getTradeLimitParams();
        found.variance = pricer.getVarianceFeeParams();
        found.forced = cache.getForceCloseParams();
        found.netVega = cache.getGlobalCache().vega;
        found.worth = IAvalonPool(_neighbour(POOL)).getLiquidity(spot)[5];
        found.vega = cache.getStrikeCache(strike).vega;
        found.varianceIv = cache.getIvGWAV(board, cache.getGreekCacheParams().others[0]);
        found.forcedIv = cache.getIvGWAV(board, found.forced[0]);
        found.forcedSkew = cache.getSkewGWAV(strike, found.forced[1]);
    }

    /// @notice The contract that tells the spot price.
    function source() external view returns (address) {
        return _neighbour(ADAPTER);
    }

    /// @notice Whose Greeks anyone may bring up to date.
    function greeks() external view returns (address) {
        return _neighbour(CACHE);
    }

    /// @notice Who pays settled positions out.
    function vault() external view returns (address) {
        return _neighbour(VAULT);
    }

    function _position(uint256 id) private view returns (IAvalonToken.Position memory) {
        return IAvalonToken(_neighbour(TOKEN)).getOptionPosition(id);
    }

    function _terms(IAvalonMarket at, uint256 strike)
        private
        view
        returns (uint256 price, uint256 board, uint256 expiry)
    {
        (, price,,,,,,, board) = at.getStrike(strike);
        expiry = at.getOptionBoard(board).expiry;
    }

    function _spot() private view returns (bool, uint256) {
        try IAvalonAdapter(_neighbour(ADAPTER)).getSpotPriceForMarket(address(this)) returns (uint256 spot) {
            return (true, spot);
        } catch {
            return (false, 0);
        }
    }

    function _neighbour(uint256 slot) private view returns (address) {
        return address(uint160(_word(bytes32(slot), 0)));
    }
}
