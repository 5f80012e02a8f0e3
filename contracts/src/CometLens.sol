// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @dev What Compound v3 (Comet) publishes of a market and its accounts.
interface IComet {
    struct AssetInfo {
        uint8 offset;
        address asset;
        address priceFeed;
        uint64 scale;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

    struct TotalsBasic {
        uint64 baseSupplyIndex;
        uint64 baseBorrowIndex;
        uint64 trackingSupplyIndex;
        uint64 trackingBorrowIndex;
        uint104 totalSupplyBase;
        uint104 totalBorrowBase;
        uint40 lastAccrualTime;
        uint8 pauseFlags;
    }

    function baseBorrowMin() external view returns (uint256);
    function baseScale() external view returns (uint256);
    function baseToken() external view returns (address);
    function baseTokenPriceFeed() external view returns (address);
    function borrowBalanceOf(address account) external view returns (uint256);
    function borrowKink() external view returns (uint256);
    function borrowPerSecondInterestRateBase() external view returns (uint256);
    function borrowPerSecondInterestRateSlopeHigh() external view returns (uint256);
    function borrowPerSecondInterestRateSlopeLow() external view returns (uint256);
    function getAssetInfo(uint8 i) external view returns (AssetInfo memory);
    function getCollateralReserves(address asset) external view returns (uint256);
    function getPrice(address feed) external view returns (uint256);
    function isAbsorbPaused() external view returns (bool);
    function isBorrowCollateralized(address account) external view returns (bool);
    function isBuyPaused() external view returns (bool);
    function isLiquidatable(address account) external view returns (bool);
    function isSupplyPaused() external view returns (bool);
    function numAssets() external view returns (uint8);
    function storeFrontPriceFactor() external view returns (uint256);
    function supplyKink() external view returns (uint256);
    function supplyPerSecondInterestRateBase() external view returns (uint256);
    function supplyPerSecondInterestRateSlopeHigh() external view returns (uint256);
    function supplyPerSecondInterestRateSlopeLow() external view returns (uint256);
    function targetReserves() external view returns (uint256);
    function totalsBasic() external view returns (TotalsBasic memory);
    function totalsCollateral(address asset) external view returns (uint128 totalSupplyAsset, uint128 reserved);
    function userBasic(address account)
        external
        view
        returns (int104 principal, uint64 trackingIndex, uint64 trackingAccrued, uint16 assetsIn, uint8 reserved);
    function userCollateral(address account, address asset) external view returns (uint128 balance, uint128 reserved);
}

interface ICometBase {
    function balanceOf(address account) external view returns (uint256);
}

/// @title CometLens
/// @notice Reads a Compound v3 market and its accounts as they are stored, and, for comparison, an account's debt and
/// what Comet itself says of it. It is never deployed: the caller lays its code over an unused address in an `eth_call`.
contract CometLens {
    struct Curve {
        uint256 kink;
        uint256 base;
        uint256 slopeLow;
        uint256 slopeHigh;
    }

    struct Asset {
        IComet.AssetInfo info;
        /// Meaningless unless `priced`.
        uint256 price;
        bool priced;
        uint256 supplied;
        uint256 reserves;
        bool supplyPaused;
    }

    struct State {
        address baseToken;
        address baseFeed;
        uint256 basePrice;
        bool basePriced;
        uint256 baseScale;
        uint256 storeFrontPriceFactor;
        uint256 targetReserves;
        uint256 baseBorrowMin;
        uint256 cash;
        bool supplyPaused;
        /// Later versions close more: the base token alone, all collaterals, one of them.
        bool baseSupplyPaused;
        bool absorbPaused;
        bool buyPaused;
        IComet.TotalsBasic totals;
        Curve supply;
        Curve borrow;
        Asset[] assets;
    }

    uint256 private constant FACTOR_SCALE = 1e18;
    uint256 private constant BASE_INDEX_SCALE = 1e15;

    /// @notice The market, as of its last accrual, with prices at this block.
    function market(IComet comet) external view returns (State memory state) {
        state.baseToken = comet.baseToken();
        state.baseFeed = comet.baseTokenPriceFeed();
        (state.basePriced, state.basePrice) = _price(comet, state.baseFeed);
        state.baseScale = comet.baseScale();
        state.storeFrontPriceFactor = comet.storeFrontPriceFactor();
        state.targetReserves = comet.targetReserves();
        state.baseBorrowMin = comet.baseBorrowMin();
        state.cash = ICometBase(state.baseToken).balanceOf(address(comet));
        state.supplyPaused = comet.isSupplyPaused();
        state.baseSupplyPaused = _flag(comet, abi.encodeWithSignature("isBaseSupplyPaused()"));
        state.absorbPaused = comet.isAbsorbPaused();
        state.buyPaused = comet.isBuyPaused();
        state.totals = comet.totalsBasic();
        state.supply = Curve(
            comet.supplyKink(),
            comet.supplyPerSecondInterestRateBase(),
            comet.supplyPerSecondInterestRateSlopeLow(),
            comet.supplyPerSecondInterestRateSlopeHigh()
        );
        state.borrow = Curve(
            comet.borrowKink(),
            comet.borrowPerSecondInterestRateBase(),
            comet.borrowPerSecondInterestRateSlopeLow(),
            comet.borrowPerSecondInterestRateSlopeHigh()
        );
        state.assets = _assets(comet);
    }

    function _assets(IComet comet) private view returns (Asset[] memory assets) {
        assets = new Asset[](comet.numAssets());
        bool all = _flag(comet, abi.encodeWithSignature("isCollateralSupplyPaused()"));
        for (uint8 i; i < assets.length; ++i) {
            Asset memory each = assets[i];
            each.info = comet.getAssetInfo(i);
            (each.priced, each.price) = _price(comet, each.info.priceFeed);
            (each.supplied,) = comet.totalsCollateral(each.info.asset);
            each.reserves = comet.getCollateralReserves(each.info.asset);
            each.supplyPaused =
                all || _flag(comet, abi.encodeWithSignature("isCollateralAssetSupplyPaused(uint24)", uint24(i)));
        }
    }

    /// @notice For each 20 bytes of `packed`: principal as 16 bytes in two's complement, a byte with the number of
    /// collaterals held, and for each of these its place among the market's (one byte) and the balance (16 bytes).
    function accounts(IComet comet, bytes calldata packed) external view returns (bytes memory records) {
        uint8 count = comet.numAssets();
        address[] memory tokens = new address[](count);
        for (uint8 i; i < count; ++i) tokens[i] = comet.getAssetInfo(i).asset;
        uint256 length = packed.length / 20;
        // The most there can be; cut to size at the end.
        records = new bytes(length * (17 + 17 * uint256(count)));
        uint256 end;
        for (uint256 i; i < length; ++i) {
            end = _record(comet, address(bytes20(packed[20 * i:20 * i + 20])), tokens, records, end);
        }
        assembly ("memory-safe") {
            mstore(records, end)
        }
    }

    function _record(IComet comet, address account, address[] memory tokens, bytes memory out, uint256 at)
        private
        view
        returns (uint256)
    {
        (int104 principal,,,,) = comet.userBasic(account);
        _put16(out, at, uint128(int128(principal)));
        uint256 head = at + 16;
        at = head + 1;
        uint8 held;
        for (uint8 i; i < tokens.length; ++i) {
            (uint128 balance,) = comet.userCollateral(account, tokens[i]);
            if (balance == 0) continue;
            out[at] = bytes1(i);
            _put16(out, at + 1, balance);
            at += 17;
            ++held;
        }
        out[head] = bytes1(held);
        return at;
    }

    function _put16(bytes memory out, uint256 at, uint128 value) private pure {
        for (uint256 i; i < 16; ++i) out[at + i] = bytes1(uint8(value >> (120 - 8 * i)));
    }

    /// @notice An account's debt, collateral and collateral at the liquidation factors (8 decimals), from Comet's own
    /// balance and prices, and what Comet says of it. Reverts where Comet's own check would. Comet's checks take its
    /// indices as of the last accrual (it accrues before it absorbs): `checked` is the debt that they see.
    function valued(IComet comet, address account)
        external
        view
        returns (
            uint256 collateral, uint256 debt, uint256 weighed, uint256 checked, bool liquidatable, bool collateralized
        )
    {
        checked = _stored(comet, account) * comet.getPrice(comet.baseTokenPriceFeed()) / comet.baseScale();
        debt = comet.borrowBalanceOf(account) * comet.getPrice(comet.baseTokenPriceFeed()) / comet.baseScale();
        for (uint8 i; i < comet.numAssets(); ++i) {
            IComet.AssetInfo memory info = comet.getAssetInfo(i);
            (uint128 balance,) = comet.userCollateral(account, info.asset);
            if (balance == 0) continue;
            uint256 value = balance * comet.getPrice(info.priceFeed) / info.scale;
            collateral += value;
            weighed += value * info.liquidateCollateralFactor / FACTOR_SCALE;
        }
        liquidatable = comet.isLiquidatable(account);
        // A collateral that was deactivated makes this one revert, and nothing else.
        try comet.isBorrowCollateralized(account) returns (bool said) {
            collateralized = said;
        } catch {}
    }

    /// @notice The price feed of a token of the market.
    function feedOf(IComet comet, address token) external view returns (address) {
        if (token == comet.baseToken()) return comet.baseTokenPriceFeed();
        for (uint8 i; i < comet.numAssets(); ++i) {
            IComet.AssetInfo memory info = comet.getAssetInfo(i);
            if (info.asset == token) return info.priceFeed;
        }
        return address(0);
    }

    /// @dev What an account owes at the index of the last accrual.
    function _stored(IComet comet, address account) private view returns (uint256) {
        (int104 principal,,,,) = comet.userBasic(account);
        if (principal >= 0) return 0;
        return uint256(uint104(-principal)) * comet.totalsBasic().baseBorrowIndex / BASE_INDEX_SCALE;
    }

    /// @dev False where the version has no such flag.
    function _flag(IComet comet, bytes memory question) private view returns (bool) {
        (bool ok, bytes memory answer) = address(comet).staticcall(question);
        return ok && answer.length == 32 && abi.decode(answer, (bool));
    }

    function _price(IComet comet, address feed) private view returns (bool, uint256) {
        try comet.getPrice(feed) returns (uint256 price) {
            return (true, price);
        } catch {
            return (false, 0);
        }
    }
}
