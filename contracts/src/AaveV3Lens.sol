// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {
    CollateralConfig,
    EModeCategory,
    IAddressesProvider,
    IOracle,
    IPool,
    IScaledToken,
    ISentinel,
    ISequencerOracle,
    IStableDebtToken,
    IToken,
    ReserveData
} from "./IAaveV3.sol";

/// @title AaveV3Lens
/// @notice Reads the raw state of an Aave v3 market and of its accounts, in 3.0.2 and in every Origin version.
/// Nothing is computed here: the keeper does all arithmetic. It is never deployed: the caller lays its code
/// over an unused address in an `eth_call`.
contract AaveV3Lens {
    struct Market {
        /// 0 if the Pool does not tell.
        uint256 revision;
        address addressesProvider;
        address oracle;
        uint256 baseCurrencyUnit;
        uint256 flashLoanPremium;
        Sentinel sentinel;
        Reserve[] reserves;
        EMode[] eModes;
    }

    /// What may hold liquidations back after the chain's sequencer was down.
    struct Sentinel {
        /// Zero if the market has none; the rest is meaningless then.
        address target;
        /// `isLiquidationAllowed` at this block.
        bool allowed;
        uint256 gracePeriod;
        /// The sequencer's feed: 0 up, else down. The versions count from `startedAt` or from `updatedAt`.
        bool feedOk;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
    }

    struct Reserve {
        address asset;
        ReserveData data;
        /// Meaningless unless `priceOk`.
        uint256 price;
        bool priceOk;
        /// Underlying tokens the aToken holds.
        uint256 availableLiquidity;
        uint256 scaledSupply;
        uint256 scaledVariableDebt;
        /// Up to 3.1, else zero: all stable debt as of `stableUpdated`, at the average rate.
        uint256 stablePrincipal;
        uint256 stableRate;
        uint256 stableUpdated;
        /// Since 3.1: underlying tokens the Pool counts, of which it pays out no more; before, 2^256 - 1.
        uint256 virtualLiquidity;
        /// Since 3.1: no liquidation up to and including this Unix time; before, zero.
        uint256 gracePeriodUntil;
    }

    struct EMode {
        uint8 id;
        /// Since 3.2 the members are in bitmaps by reserve id; before, in each reserve's configuration.
        bool hasBitmaps;
        uint16 ltv;
        uint16 liquidationThreshold;
        uint16 liquidationBonus;
        /// Up to 3.1: the source whose price all members share, and that price; zero if they keep their own.
        address priceSource;
        uint256 price;
        bool priceOk;
        uint128 collateralBitmap;
        uint128 borrowableBitmap;
        /// Since 3.6.
        uint128 ltvZeroBitmap;
        string label;
    }

    struct Tokens {
        address aToken;
        address variableDebtToken;
        address stableDebtToken;
    }

    uint256 private constant MAX_RESERVES = 128;
    /// @dev What a price over several adapters takes, with room: no token and no source is given all the gas.
    uint256 private constant WORD_GAS = 3_000_000;
    uint256 private constant COLLATERAL = 1;
    uint256 private constant BORROWED = 2;
    uint256 private constant STABLE = 4;
    /// @dev Where 3.0 and 3.1 keep a reserve's e-mode category in its configuration.
    uint256 private constant CATEGORY_BIT = 168;

    error ReadFailed(address target, bytes4 selector);
    error NotAddresses(uint256 length);

    /* MARKET */

    /// @notice The market's reserves and e-modes at this block. Dropped reserves are left out.
    /// @param eModeIds Categories to read besides those that reserves refer to (up to 3.1); ids the market does
    /// not have come back with a liquidation threshold of zero.
    function market(IPool pool, uint8[] calldata eModeIds) external view returns (Market memory result) {
        IAddressesProvider provider = pool.ADDRESSES_PROVIDER();
        IOracle oracle = provider.getPriceOracle();
        (, result.revision) = _word(address(pool), abi.encodeCall(IPool.POOL_REVISION, ()));
        result.addressesProvider = address(provider);
        result.oracle = address(oracle);
        result.baseCurrencyUnit = oracle.BASE_CURRENCY_UNIT();
        result.flashLoanPremium = pool.FLASHLOAN_PREMIUM_TOTAL();
        result.sentinel = _sentinel(provider);

        uint256 wanted;
        for (uint256 i; i < eModeIds.length; ++i) {
            wanted |= 1 << eModeIds[i];
        }

        address[] memory assets = _assets(pool);
        bool hasBitmaps = _hasEModeBitmaps(pool);
        result.reserves = new Reserve[](assets.length);
        for (uint256 i; i < assets.length; ++i) {
            Reserve memory reserve = _reserve(pool, oracle, assets[i]);
            if (!hasBitmaps) wanted |= 1 << uint8(reserve.data.configuration >> CATEGORY_BIT);
            result.reserves[i] = reserve;
        }
        result.eModes = _eModes(pool, oracle, wanted & ~uint256(1), hasBitmaps);
    }

    function _reserve(IPool pool, IOracle oracle, address asset) private view returns (Reserve memory reserve) {
        reserve.asset = asset;
        reserve.data = pool.getReserveData(asset);
        (reserve.priceOk, reserve.price) = _price(oracle, asset);
        (, reserve.availableLiquidity) = _word(asset, abi.encodeCall(IToken.balanceOf, (reserve.data.aToken)));
        reserve.scaledSupply = IScaledToken(reserve.data.aToken).scaledTotalSupply();
        reserve.scaledVariableDebt = IScaledToken(reserve.data.variableDebtToken).scaledTotalSupply();
        (reserve.stablePrincipal, reserve.stableRate, reserve.stableUpdated) = _stable(reserve.data.stableDebtToken);
        bool counted;
        (counted, reserve.virtualLiquidity) =
            _word(address(pool), abi.encodeCall(IPool.getVirtualUnderlyingBalance, (asset)));
        if (!counted) reserve.virtualLiquidity = type(uint256).max;
        (, reserve.gracePeriodUntil) = _word(address(pool), abi.encodeCall(IPool.getLiquidationGracePeriod, (asset)));
    }

    function _stable(address token) private view returns (uint256 principal, uint256 rate, uint256 updated) {
        (bool ok, bytes memory answer) = token.staticcall(abi.encodeCall(IStableDebtToken.getSupplyData, ()));
        if (ok && answer.length == 128) (principal,, rate, updated) = abi.decode(answer, (uint256, uint256, uint256, uint256));
    }

    /// @dev A sentinel whose feed fails says so itself: it is asked whether liquidations are allowed.
    function _sentinel(IAddressesProvider provider) private view returns (Sentinel memory sentinel) {
        (, uint256 target) = _word(address(provider), abi.encodeCall(IAddressesProvider.getPriceOracleSentinel, ()));
        if (target == 0) return sentinel;
        sentinel.target = address(uint160(target));
        (, uint256 allowed) = _word(sentinel.target, abi.encodeCall(ISentinel.isLiquidationAllowed, ()));
        sentinel.allowed = allowed != 0;
        (, sentinel.gracePeriod) = _word(sentinel.target, abi.encodeCall(ISentinel.getGracePeriod, ()));
        (, uint256 feed) = _word(sentinel.target, abi.encodeCall(ISentinel.getSequencerOracle, ()));
        (bool ok, bytes memory round) =
            address(uint160(feed)).staticcall(abi.encodeCall(ISequencerOracle.latestRoundData, ()));
        if (!ok || round.length != 160) return sentinel;
        sentinel.feedOk = true;
        (, sentinel.answer, sentinel.startedAt, sentinel.updatedAt,) =
            abi.decode(round, (uint256, int256, uint256, uint256, uint256));
    }

    /// @dev `wanted` has a bit for each category, so none is read twice.
    function _eModes(IPool pool, IOracle oracle, uint256 wanted, bool hasBitmaps)
        private
        view
        returns (EMode[] memory eModes)
    {
        uint256 count;
        for (uint256 rest = wanted; rest != 0; rest &= rest - 1) ++count;
        eModes = new EMode[](count);
        count = 0;
        for (uint256 id = 1; id <= type(uint8).max; ++id) {
            if (wanted >> id & 1 == 0) continue;
            eModes[count++] = hasBitmaps ? _eModeByBitmaps(pool, uint8(id)) : _eMode(pool, oracle, uint8(id));
        }
    }

    function _eMode(IPool pool, IOracle oracle, uint8 id) private view returns (EMode memory eMode) {
        EModeCategory memory category = pool.getEModeCategoryData(id);
        eMode.id = id;
        eMode.ltv = category.ltv;
        eMode.liquidationThreshold = category.liquidationThreshold;
        eMode.liquidationBonus = category.liquidationBonus;
        eMode.label = category.label;
        eMode.priceSource = category.priceSource;
        if (category.priceSource != address(0)) {
            (eMode.priceOk, eMode.price) = _price(oracle, category.priceSource);
        }
    }

    function _eModeByBitmaps(IPool pool, uint8 id) private view returns (EMode memory eMode) {
        CollateralConfig memory config = pool.getEModeCategoryCollateralConfig(id);
        eMode.id = id;
        eMode.hasBitmaps = true;
        eMode.ltv = config.ltv;
        eMode.liquidationThreshold = config.liquidationThreshold;
        eMode.liquidationBonus = config.liquidationBonus;
        eMode.label = pool.getEModeCategoryLabel(id);
        eMode.collateralBitmap = pool.getEModeCategoryCollateralBitmap(id);
        eMode.borrowableBitmap = pool.getEModeCategoryBorrowableBitmap(id);
        (, uint256 ltvZero) = _word(address(pool), abi.encodeCall(IPool.getEModeCategoryLtvzeroBitmap, (id)));
        eMode.ltvZeroBitmap = uint128(ltvZero);
    }

    function _hasEModeBitmaps(IPool pool) private view returns (bool ok) {
        (ok,) = _word(address(pool), abi.encodeCall(IPool.getEModeCategoryCollateralBitmap, (1)));
    }

    /// @dev A feed that fails takes the price of one reserve, not the reading of the market.
    function _price(IOracle oracle, address asset) private view returns (bool, uint256) {
        return _word(address(oracle), abi.encodeCall(IOracle.getAssetPrice, (asset)));
    }

    /// @dev The first word of an answer; not ok, and zero, if the call reverts or answers less than a word.
    /// Of a long answer no more is copied.
    function _word(address target, bytes memory data) private view returns (bool ok, uint256 word) {
        assembly ("memory-safe") {
            ok := staticcall(WORD_GAS, target, add(data, 32), mload(data), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            if ok { word := mload(0) }
        }
    }

    /// @dev The listed assets without the gaps that dropped reserves may leave.
    function _assets(IPool pool) private view returns (address[] memory assets) {
        address[] memory listed = pool.getReservesList();
        uint256 count;
        for (uint256 i; i < listed.length; ++i) {
            if (listed[i] != address(0)) ++count;
        }
        assets = new address[](count);
        count = 0;
        for (uint256 i; i < listed.length; ++i) {
            if (listed[i] != address(0)) assets[count++] = listed[i];
        }
    }

    /* ACCOUNTS */

    /// @notice Raw state of accounts, in their order, tightly packed and big-endian:
    ///
    ///   account   uint8 eMode, uint8 positions, uint256 configuration, then its positions
    ///   position  uint8 reserveId, uint8 flags, uint128 scaledCollateral, uint128 scaledVariableDebt,
    ///             and with flag 4: uint128 stablePrincipal, uint128 stableRate, uint40 stableLastUpdated
    ///
    /// `configuration` is the Pool's bitmap. There is a position for each listed reserve it marks, in order of
    /// id. Flags: 1 marked as collateral, 2 marked as borrowed, 4 has stable debt. `scaledCollateral` is read
    /// only with flag 1 and the debts only with flag 2; otherwise they are zero.
    /// @param addresses 20 bytes for each account, without padding.
    function accounts(IPool pool, bytes calldata addresses) external view returns (bytes memory packed) {
        if (addresses.length % 20 != 0) revert NotAddresses(addresses.length);
        Tokens[] memory tokens = _tokens(pool);
        // The answer grows at the end of memory, as its length is not known before, behind the two words an ABI
        // answer starts with. Nothing in the loop allocates: `_read` works in scratch space, the writers move
        // only the cursor. It is returned from where it stands: a copy would double the memory paid for.
        uint256 start;
        assembly ("memory-safe") {
            start := add(mload(0x40), 64)
        }
        uint256 cursor = start;
        for (uint256 i; i < addresses.length; i += 20) {
            cursor = _account(pool, tokens, address(bytes20(addresses[i:])), cursor);
        }
        assembly ("memory-safe") {
            mstore(sub(start, 64), 32)
            mstore(sub(start, 32), sub(cursor, start))
            mstore(cursor, 0)
            return(sub(start, 64), add(64, and(add(sub(cursor, start), 31), not(31))))
        }
    }

    function _account(IPool pool, Tokens[] memory tokens, address account, uint256 cursor)
        private
        view
        returns (uint256)
    {
        uint256 eMode = _read(address(pool), IPool.getUserEMode.selector, account);
        uint256 configuration = _read(address(pool), IPool.getUserConfiguration.selector, account);
        cursor = _write(cursor, eMode, 1);
        uint256 countAt = cursor++;
        cursor = _write(cursor, configuration, 32);
        uint256 count;
        uint256 marks = configuration;
        for (uint256 id; marks != 0; ++id) {
            // The Pool keeps two bits for each reserve: borrowed, then collateral.
            uint256 flags = (marks & 1) * BORROWED + (marks >> 1 & 1) * COLLATERAL;
            marks >>= 2;
            if (flags == 0 || id >= tokens.length || tokens[id].aToken == address(0)) continue;
            cursor = _position(tokens[id], account, id, flags, cursor);
            ++count;
        }
        assembly ("memory-safe") {
            mstore8(countAt, count)
        }
        return cursor;
    }

    function _position(Tokens memory tokens, address account, uint256 id, uint256 flags, uint256 cursor)
        private
        view
        returns (uint256)
    {
        uint256 collateral;
        uint256 debt;
        uint256 principal;
        if (flags & COLLATERAL != 0) collateral = _read(tokens.aToken, IScaledToken.scaledBalanceOf.selector, account);
        if (flags & BORROWED != 0) {
            debt = _read(tokens.variableDebtToken, IScaledToken.scaledBalanceOf.selector, account);
            if (tokens.stableDebtToken != address(0)) {
                principal = _read(tokens.stableDebtToken, IStableDebtToken.principalBalanceOf.selector, account);
            }
        }
        cursor = _write(cursor, id, 1);
        cursor = _write(cursor, principal == 0 ? flags : flags | STABLE, 1);
        cursor = _write(cursor, collateral, 16);
        cursor = _write(cursor, debt, 16);
        if (principal == 0) return cursor;
        cursor = _write(cursor, principal, 16);
        cursor = _write(cursor, _read(tokens.stableDebtToken, IStableDebtToken.getUserStableRate.selector, account), 16);
        return _write(cursor, _read(tokens.stableDebtToken, IStableDebtToken.getUserLastUpdated.selector, account), 5);
    }

    /// @dev Token addresses by reserve id, read once for all accounts.
    function _tokens(IPool pool) private view returns (Tokens[] memory tokens) {
        tokens = new Tokens[](MAX_RESERVES);
        address[] memory assets = _assets(pool);
        for (uint256 i; i < assets.length; ++i) {
            ReserveData memory data = pool.getReserveData(assets[i]);
            // A market that lived through 3.2 may still name a stable debt token that answers nothing any more.
            bytes memory probe = abi.encodeCall(IStableDebtToken.principalBalanceOf, (address(this)));
            (bool hasStable,) = _word(data.stableDebtToken, probe);
            tokens[data.id] =
                Tokens(data.aToken, data.variableDebtToken, hasStable ? data.stableDebtToken : address(0));
        }
    }

    /// @dev Calls `selector(account)` in scratch space. A balance that cannot be read must not pass for zero.
    function _read(address target, bytes4 selector, address account) private view returns (uint256 word) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, account)
            ok := and(gt(returndatasize(), 31), staticcall(gas(), target, 0, 36, 0, 32))
            word := mload(0)
        }
        if (!ok) revert ReadFailed(target, selector);
    }

    /// @dev Appends the low `size` bytes of a word. The 32 bytes at the cursor are overwritten: they are free.
    function _write(uint256 cursor, uint256 word, uint256 size) private pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(cursor, shl(sub(256, mul(size, 8)), word))
        }
        return cursor + size;
    }
}
