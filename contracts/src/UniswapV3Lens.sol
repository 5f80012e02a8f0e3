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
    uint256 private constant BALANCE_GAS = 500_000;

    /// @notice The pools with a price between any two of `tokens`, with their ticks at least `reach` around it.
    function read(ILensFactory factory, address[] calldata tokens, uint24[] calldata fees, int24 reach)
        external
        view
        returns (Pool[] memory pools)
    {
        pools = new Pool[](tokens.length * tokens.length * fees.length);
        uint256 count;
        for (uint256 i; i < tokens.length; ++i) {
            for (uint256 j; j < tokens.length; ++j) {
                if (tokens[i] >= tokens[j]) continue;
                for (uint256 k; k < fees.length; ++k) {
                    address found = factory.getPool(tokens[i], tokens[j], fees[k]);
                    if (found == address(0)) continue;
                    Pool memory pool = pools[count];
                    (pool.pool, pool.token0, pool.token1, pool.fee) = (found, tokens[i], tokens[j], fees[k]);
                    if (_fill(pool, reach)) ++count;
                }
            }
        }
        assembly ("memory-safe") {
            mstore(pools, count)
        }
    }

    function _fill(Pool memory pool, int24 reach) private view returns (bool) {
        ILensPool from = ILensPool(pool.pool);
        (pool.sqrtPrice, pool.tick,,,,,) = from.slot0();
        if (pool.sqrtPrice == 0) return false;
        pool.liquidity = from.liquidity();
        pool.spacing = from.tickSpacing();
        pool.balance0 = _balance(pool.token0, pool.pool);
        pool.balance1 = _balance(pool.token1, pool.pool);
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
        return true;
    }

    /// @dev Zero where the token does not say, or burns what it is given: its pools lend nothing, the others do.
    function _balance(address token, address pool) private view returns (uint256 held) {
        bytes memory data = abi.encodeCall(ILensToken.balanceOf, (pool));
        assembly ("memory-safe") {
            let ok := staticcall(BALANCE_GAS, token, add(data, 32), mload(data), 0, 32)
            if and(ok, gt(returndatasize(), 31)) { held := mload(0) }
        }
    }

    /// @dev The word of the bitmap that a tick is in, rounded towards negative infinity.
    function _word(int24 tick, int24 spacing) private pure returns (int16) {
        int24 compressed = tick / spacing;
        if (tick < 0 && tick % spacing != 0) --compressed;
        return int16(compressed >> 8);
    }
}
