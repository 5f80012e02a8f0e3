// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

interface ILensFactory {
    function getPool(address one, address other, uint24 fee) external view returns (address);
}

interface ILensPool {
    function liquidity() external view returns (uint128);
    function slot0() external view returns (uint160 sqrtPrice, int24 tick, uint16, uint16, uint16, uint8, bool);
    function tickBitmap(int16 word) external view returns (uint256);
    function tickSpacing() external view returns (int24);
    function ticks(int24 tick)
        external
        view
        returns (uint128 gross, int128 net, uint256, uint256, int56, uint160, uint32, bool);
}

interface ILensToken {
    function balanceOf(address account) external view returns (uint256);
}

/// @title UniswapV3Lens
/// @notice Reads everything that swaps on Uniswap v3 pools depend on, all pools between some tokens at once. It is
/// never deployed: the caller lays its code over an unused address.
contract UniswapV3Lens {
    struct Tick {
        int24 index;
        int128 net;
    }

    struct Pool {
        address pool;
        address token0;
        address token1;
        uint24 fee;
        int24 spacing;
        uint160 sqrtPrice;
        int24 tick;
        uint128 liquidity;
        uint256 balance0;
        uint256 balance1;
        /// The ticks of these words of the bitmap, and of all between them, are known.
        int16 firstWord;
        int16 lastWord;
        Tick[] ticks;
    }

    int24 private constant WORD = 256;

    /// @dev A pool whose tokens lie, or burn what they are given, gets no more than this part of the gas that is left.
    uint256 private constant PART = 8;

    /// @notice The pools with a price between any two of `tokens`, with their ticks at least `reach` around it. A pool
    /// that cannot be read is left out.
    function read(ILensFactory factory, address[] calldata tokens, uint24[] calldata fees, int24 reach)
        external
        view
        returns (Pool[] memory)
    {
        Found memory found = Found(0, new Pool[](tokens.length * tokens.length * fees.length));
        for (uint256 i; i < tokens.length; ++i) {
            for (uint256 j; j < tokens.length; ++j) {
                if (tokens[i] < tokens[j]) _add(found, factory, tokens[i], tokens[j], fees, reach);
            }
        }
        return _cut(found);
    }

    /// @notice The pools between one of `tokens` and one of `beside`, which can lend: without ticks, and `firstWord`
    /// above `lastWord`.
    function lenders(
        ILensFactory factory,
        address[] calldata tokens,
        address[] calldata beside,
        uint24[] calldata fees
    ) external view returns (Pool[] memory) {
        Found memory found = Found(0, new Pool[](tokens.length * beside.length * fees.length));
        for (uint256 i; i < tokens.length; ++i) {
            for (uint256 j; j < beside.length; ++j) _add(found, factory, tokens[i], beside[j], fees, -1);
        }
        return _cut(found);
    }

    function _cut(Found memory found) private pure returns (Pool[] memory pools) {
        pools = found.pools;
        uint256 count = found.count;
        assembly ("memory-safe") {
            mstore(pools, count)
        }
    }

    struct Found {
        uint256 count;
        Pool[] pools;
    }

    function _add(
        Found memory found,
        ILensFactory factory,
        address token,
        address other,
        uint24[] calldata fees,
        int24 reach
    ) private view {
        for (uint256 k; k < fees.length; ++k) {
            address at = factory.getPool(token, other, fees[k]);
            if (at == address(0)) continue;
            try this.one{gas: gasleft() / PART}(at, token, other, fees[k], reach) returns (Pool memory pool) {
                if (pool.sqrtPrice != 0) found.pools[found.count++] = pool;
            } catch {}
        }
    }

    /// @notice One pool; without ticks where `reach` is negative.
    function one(address at, address token, address other, uint24 fee, int24 reach)
        external
        view
        returns (Pool memory pool)
    {
        (pool.pool, pool.fee) = (at, fee);
        (pool.token0, pool.token1) = token < other ? (token, other) : (other, token);
        _fill(pool, reach);
    }

    function _fill(Pool memory pool, int24 reach) private view {
        ILensPool from = ILensPool(pool.pool);
        (pool.sqrtPrice, pool.tick,,,,,) = from.slot0();
        if (pool.sqrtPrice == 0) return;
        pool.liquidity = from.liquidity();
        pool.spacing = from.tickSpacing();
        pool.balance0 = ILensToken(pool.token0).balanceOf(pool.pool);
        pool.balance1 = ILensToken(pool.token1).balanceOf(pool.pool);
        if (reach < 0) {
            pool.firstWord = 1;
            return;
        }
        pool.firstWord = _word(pool.tick - reach, pool.spacing);
        pool.lastWord = _word(pool.tick + reach, pool.spacing);
        uint256[] memory words = new uint256[](uint256(int256(pool.lastWord - pool.firstWord) + 1));
        uint256 count;
        for (uint256 i; i < words.length; ++i) {
            words[i] = from.tickBitmap(pool.firstWord + int16(int256(i)));
            for (uint256 left = words[i]; left != 0; left &= left - 1) ++count;
        }
        pool.ticks = new Tick[](count);
        count = 0;
        for (uint256 i; i < words.length; ++i) {
            if (words[i] == 0) continue;
            for (uint256 bit; bit < 256; ++bit) {
                if (words[i] >> bit & 1 == 0) continue;
                int24 index = (int24(pool.firstWord) + int24(int256(i))) * WORD + int24(int256(bit));
                Tick memory tick = pool.ticks[count++];
                tick.index = index * pool.spacing;
                (, tick.net,,,,,,) = from.ticks(tick.index);
            }
        }
    }

    /// @dev The word of the bitmap that a tick is in, rounded towards negative infinity.
    function _word(int24 tick, int24 spacing) private pure returns (int16) {
        int24 compressed = tick / spacing;
        if (tick < 0 && tick % spacing != 0) --compressed;
        return int16(compressed >> 8);
    }
}
