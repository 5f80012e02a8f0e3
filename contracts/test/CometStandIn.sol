// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// A stand-in for Compound v3's Comet, which no npm package ships. It answers Comet's published interface and computes
// as its documentation says (indices, kinked curves, factors, absorption, store front), so that the keeper's adapter
// can be tried against something that moves. It is not Comet: no rewards, no permits, no upgrades, no configurator.
//
// What surrounds the arithmetic is as in compound-finance/comet (contracts/CometWithExtendedAssetList.sol,
// contracts/CometExt.sol): up to 24 collaterals; a base transfer logs only what is withdrawn from a supplier's or
// supplied to a supplier's balance, so that a borrower's debt changes without an event that names him; an absorption
// reads and clears each collateral and counts points; tokens may return nothing or keep a fee. Later versions' pauses
// (base, collaterals, one collateral, deactivation) answer once `setLater` was called, and revert before, as an
// older Comet does.

interface ICometToken {
    function balanceOf(address account) external view returns (uint256);
    function decimals() external view returns (uint8);
    function transfer(address to, uint256 amount) external;
    function transferFrom(address from, address to, uint256 amount) external;
}

interface ICometFeed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

contract CometStandIn {
    struct Curve {
        uint64 kink;
        uint64 slopeLow;
        uint64 slopeHigh;
        uint64 base;
    }

    struct AssetConfig {
        address asset;
        address priceFeed;
        uint64 borrowCollateralFactor;
        uint64 liquidateCollateralFactor;
        uint64 liquidationFactor;
        uint128 supplyCap;
    }

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

    struct UserBasic {
        int104 principal;
        uint64 baseTrackingIndex;
        uint64 baseTrackingAccrued;
        uint16 assetsIn;
        uint8 _reserved;
    }

    struct UserCollateral {
        uint128 balance;
        uint128 _reserved;
    }

    struct TotalsCollateral {
        uint128 totalSupplyAsset;
        uint128 _reserved;
    }

    uint64 internal constant FACTOR_SCALE = 1e18;
    uint64 internal constant BASE_INDEX_SCALE = 1e15;
    uint8 internal constant PAUSE_SUPPLY = 0;
    uint8 internal constant PAUSE_TRANSFER = 1;
    uint8 internal constant PAUSE_WITHDRAW = 2;
    uint8 internal constant PAUSE_ABSORB = 3;
    uint8 internal constant PAUSE_BUY = 4;

    address public immutable governor;
    address public immutable baseToken;
    address public immutable baseTokenPriceFeed;
    uint8 public immutable decimals;
    uint256 public immutable baseScale;
    uint256 public immutable storeFrontPriceFactor;
    uint256 public immutable baseBorrowMin;
    uint256 public immutable targetReserves;
    uint8 public numAssets;
    bool private later;
    bool private baseSupplyPaused;
    bool private collateralSupplyPaused;
    uint24 private suppliesPaused;
    uint24 public deactivatedCollaterals;

    struct LiquidatorPoints {
        uint32 numAbsorbs;
        uint64 numAbsorbed;
        uint128 approxSpend;
        uint32 _reserved;
    }

    mapping(address => LiquidatorPoints) public liquidatorPoints;

    mapping(address => UserBasic) public userBasic;
    mapping(address => mapping(address => UserCollateral)) public userCollateral;
    mapping(address => TotalsCollateral) public totalsCollateral;

    Curve private supplyCurve;
    Curve private borrowCurve;
    AssetInfo[] private assets;
    TotalsBasic private totals;

    event Supply(address indexed from, address indexed dst, uint256 amount);
    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Withdraw(address indexed src, address indexed to, uint256 amount);
    event SupplyCollateral(address indexed from, address indexed dst, address indexed asset, uint256 amount);
    event TransferCollateral(address indexed from, address indexed to, address indexed asset, uint256 amount);
    event WithdrawCollateral(address indexed src, address indexed to, address indexed asset, uint256 amount);
    event AbsorbDebt(address indexed absorber, address indexed borrower, uint256 basePaidOut, uint256 usdValue);
    event AbsorbCollateral(
        address indexed absorber,
        address indexed borrower,
        address indexed asset,
        uint256 collateralAbsorbed,
        uint256 usdValue
    );
    event BuyCollateral(address indexed buyer, address indexed asset, uint256 baseAmount, uint256 collateralAmount);

    error Absent();
    error BadAsset();
    error BadPrice();
    error BorrowTooSmall();
    error InsufficientReserves();
    error NoSelfTransfer();
    error NotCollateralized();
    error NotForSale();
    error NotLiquidatable();
    error Paused();
    error SupplyCapExceeded();
    error TooMuchSlippage();
    error TokenIsDeactivated(address asset);
    error BaseSupplyPaused();
    error CollateralSupplyPaused();
    error CollateralAssetSupplyPaused(uint24 assetIndex);
    error TooManyAssets();
    error Unauthorized();

    constructor(
        address baseToken_,
        address baseTokenPriceFeed_,
        uint256 storeFrontPriceFactor_,
        uint256 baseBorrowMin_,
        uint256 targetReserves_,
        Curve memory supplyCurve_,
        Curve memory borrowCurve_,
        AssetConfig[] memory configs
    ) {
        governor = msg.sender;
        baseToken = baseToken_;
        baseTokenPriceFeed = baseTokenPriceFeed_;
        decimals = ICometToken(baseToken_).decimals();
        baseScale = 10 ** decimals;
        storeFrontPriceFactor = storeFrontPriceFactor_;
        baseBorrowMin = baseBorrowMin_;
        targetReserves = targetReserves_;
        supplyCurve = supplyCurve_;
        borrowCurve = borrowCurve_;
        totals.baseSupplyIndex = BASE_INDEX_SCALE;
        totals.baseBorrowIndex = BASE_INDEX_SCALE;
        totals.lastAccrualTime = uint40(block.timestamp);
        if (configs.length > 24) revert TooManyAssets();
        numAssets = uint8(configs.length);
        for (uint8 i; i < configs.length; ++i) {
            AssetConfig memory each = configs[i];
            assets.push(
                AssetInfo(
                    i,
                    each.asset,
                    each.priceFeed,
                    uint64(10 ** ICometToken(each.asset).decimals()),
                    each.borrowCollateralFactor,
                    each.liquidateCollateralFactor,
                    each.liquidationFactor,
                    each.supplyCap
                )
            );
        }
    }

    /* WHAT IS CONFIGURED */

    function getAssetInfo(uint8 i) public view returns (AssetInfo memory) {
        if (i >= assets.length) revert Absent();
        return assets[i];
    }

    function getAssetInfoByAddress(address asset) public view returns (AssetInfo memory) {
        for (uint256 i; i < assets.length; ++i) {
            if (assets[i].asset == asset) return assets[i];
        }
        revert BadAsset();
    }

    function supplyKink() external view returns (uint256) {
        return supplyCurve.kink;
    }

    function supplyPerSecondInterestRateSlopeLow() external view returns (uint256) {
        return supplyCurve.slopeLow;
    }

    function supplyPerSecondInterestRateSlopeHigh() external view returns (uint256) {
        return supplyCurve.slopeHigh;
    }

    function supplyPerSecondInterestRateBase() external view returns (uint256) {
        return supplyCurve.base;
    }

    function borrowKink() external view returns (uint256) {
        return borrowCurve.kink;
    }

    function borrowPerSecondInterestRateSlopeLow() external view returns (uint256) {
        return borrowCurve.slopeLow;
    }

    function borrowPerSecondInterestRateSlopeHigh() external view returns (uint256) {
        return borrowCurve.slopeHigh;
    }

    function borrowPerSecondInterestRateBase() external view returns (uint256) {
        return borrowCurve.base;
    }

    function totalsBasic() external view returns (TotalsBasic memory) {
        return totals;
    }

    function setCaps(address asset, uint128 supplyCap) external {
        if (msg.sender != governor) revert Unauthorized();
        for (uint256 i; i < assets.length; ++i) {
            if (assets[i].asset == asset) assets[i].supplyCap = supplyCap;
        }
    }

    function setPriceFeed(address asset, address feed) external {
        if (msg.sender != governor) revert Unauthorized();
        for (uint256 i; i < assets.length; ++i) {
            if (assets[i].asset == asset) assets[i].priceFeed = feed;
        }
    }

    /* PAUSES */

    function pause(bool supply_, bool transfer_, bool withdraw_, bool absorb_, bool buy_) external {
        if (msg.sender != governor) revert Unauthorized();
        totals.pauseFlags = (supply_ ? 1 : 0) | (transfer_ ? 2 : 0) | (withdraw_ ? 4 : 0) | (absorb_ ? 8 : 0)
            | (buy_ ? 16 : 0);
    }

    function isSupplyPaused() public view returns (bool) {
        return _flag(PAUSE_SUPPLY);
    }

    function isTransferPaused() public view returns (bool) {
        return _flag(PAUSE_TRANSFER);
    }

    function isWithdrawPaused() public view returns (bool) {
        return _flag(PAUSE_WITHDRAW);
    }

    function isAbsorbPaused() public view returns (bool) {
        return _flag(PAUSE_ABSORB);
    }

    function isBuyPaused() public view returns (bool) {
        return _flag(PAUSE_BUY);
    }

    /// @notice From now on this is a later version, which knows pauses of its base, its collaterals, and each of these.
    function setLater() external {
        later = true;
    }

    modifier onlyLater() {
        require(later);
        _;
    }

    function pauseBaseSupply(bool paused) external onlyLater {
        baseSupplyPaused = paused;
    }

    function pauseCollateralSupply(bool paused) external onlyLater {
        collateralSupplyPaused = paused;
    }

    function pauseCollateralAssetSupply(uint24 assetIndex, bool paused) public onlyLater {
        uint24 bit = uint24(1) << assetIndex;
        suppliesPaused = paused ? suppliesPaused | bit : suppliesPaused & ~bit;
    }

    function deactivateCollateral(uint24 assetIndex) external onlyLater {
        deactivatedCollaterals |= uint24(1) << assetIndex;
        pauseCollateralAssetSupply(assetIndex, true);
    }

    function isBaseSupplyPaused() external view onlyLater returns (bool) {
        return baseSupplyPaused;
    }

    function isCollateralSupplyPaused() external view onlyLater returns (bool) {
        return collateralSupplyPaused;
    }

    function isCollateralAssetSupplyPaused(uint24 assetIndex) public view onlyLater returns (bool) {
        return suppliesPaused >> assetIndex & 1 != 0;
    }

    function isCollateralDeactivated(uint24 assetIndex) external view onlyLater returns (bool) {
        return deactivatedCollaterals >> assetIndex & 1 != 0;
    }

    function _flag(uint8 bit) private view returns (bool) {
        return totals.pauseFlags & (1 << bit) != 0;
    }

    /* INTEREST */

    function getUtilization() public view returns (uint256) {
        return _utilization(totals.baseSupplyIndex, totals.baseBorrowIndex);
    }

    function getSupplyRate(uint256 utilization) public view returns (uint64) {
        return _rate(supplyCurve, utilization);
    }

    function getBorrowRate(uint256 utilization) public view returns (uint64) {
        return _rate(borrowCurve, utilization);
    }

    function _rate(Curve memory curve, uint256 utilization) private pure returns (uint64) {
        if (utilization <= curve.kink) return uint64(curve.base + _factor(curve.slopeLow, utilization));
        uint256 above = _factor(curve.slopeHigh, utilization - curve.kink);
        return uint64(curve.base + _factor(curve.slopeLow, curve.kink) + above);
    }

    function _utilization(uint256 supplyIndex, uint256 borrowIndex) private view returns (uint256) {
        uint256 supplied = totals.totalSupplyBase * supplyIndex / BASE_INDEX_SCALE;
        uint256 borrowed = totals.totalBorrowBase * borrowIndex / BASE_INDEX_SCALE;
        return supplied == 0 ? 0 : borrowed * FACTOR_SCALE / supplied;
    }

    function _accruedIndices() private view returns (uint64 supplyIndex, uint64 borrowIndex) {
        (supplyIndex, borrowIndex) = (totals.baseSupplyIndex, totals.baseBorrowIndex);
        uint256 elapsed = block.timestamp - totals.lastAccrualTime;
        if (elapsed == 0) return (supplyIndex, borrowIndex);
        uint256 utilization = getUtilization();
        supplyIndex += uint64(_factor(supplyIndex, getSupplyRate(utilization) * elapsed));
        borrowIndex += uint64(_factor(borrowIndex, getBorrowRate(utilization) * elapsed));
    }

    function accrueAccount(address) external {
        _accrue();
    }

    function _accrue() private {
        (totals.baseSupplyIndex, totals.baseBorrowIndex) = _accruedIndices();
        totals.lastAccrualTime = uint40(block.timestamp);
    }

    function totalSupply() external view returns (uint256) {
        (uint64 supplyIndex,) = _accruedIndices();
        return uint256(totals.totalSupplyBase) * supplyIndex / BASE_INDEX_SCALE;
    }

    function totalBorrow() external view returns (uint256) {
        (, uint64 borrowIndex) = _accruedIndices();
        return uint256(totals.totalBorrowBase) * borrowIndex / BASE_INDEX_SCALE;
    }

    /* BALANCES */

    function balanceOf(address account) external view returns (uint256) {
        int256 balance = _present(userBasic[account].principal);
        return balance > 0 ? uint256(balance) : 0;
    }

    function borrowBalanceOf(address account) external view returns (uint256) {
        int256 balance = _present(userBasic[account].principal);
        return balance < 0 ? uint256(-balance) : 0;
    }

    function collateralBalanceOf(address account, address asset) external view returns (uint128) {
        return userCollateral[account][asset].balance;
    }

    function _present(int104 principal) private view returns (int256) {
        (uint64 supplyIndex, uint64 borrowIndex) = _accruedIndices();
        if (principal >= 0) return int256(uint256(uint104(principal)) * supplyIndex / BASE_INDEX_SCALE);
        return -int256(uint256(uint104(-principal)) * borrowIndex / BASE_INDEX_SCALE);
    }

    /// @dev At the indices of the last accrual: so does Comet's own check, which is asked after an accrual.
    function _stored(int104 principal) private view returns (int256) {
        return -int256(uint256(uint104(-principal)) * totals.baseBorrowIndex / BASE_INDEX_SCALE);
    }

    function _principal(int256 balance) private view returns (int104) {
        (uint64 supplyIndex, uint64 borrowIndex) = _accruedIndices();
        if (balance >= 0) return int104(int256(uint256(balance) * BASE_INDEX_SCALE / supplyIndex));
        uint256 owed = uint256(-balance) * BASE_INDEX_SCALE;
        return -int104(int256((owed + borrowIndex - 1) / borrowIndex));
    }

    /// @dev Moves the account's principal and the totals with it.
    function _setPrincipal(address account, int104 after_) private {
        int104 before = userBasic[account].principal;
        totals.totalSupplyBase = totals.totalSupplyBase + _positive(after_) - _positive(before);
        totals.totalBorrowBase = totals.totalBorrowBase + _positive(-after_) - _positive(-before);
        userBasic[account].principal = after_;
    }

    function _positive(int104 value) private pure returns (uint104) {
        return value > 0 ? uint104(value) : 0;
    }

    /* PRICES */

    function getPrice(address feed) public view returns (uint256) {
        (, int256 price,,,) = ICometFeed(feed).latestRoundData();
        if (price <= 0) revert BadPrice();
        return uint256(price);
    }

    /* SOLVENCY */

    function isBorrowCollateralized(address account) public view returns (bool) {
        return _liquidity(account, false) >= 0;
    }

    function isLiquidatable(address account) public view returns (bool) {
        return _liquidity(account, true) < 0;
    }

    function _liquidity(address account, bool liquidating) private view returns (int256 liquidity) {
        int104 principal = userBasic[account].principal;
        if (principal >= 0) return 0;
        liquidity = _stored(principal) * int256(getPrice(baseTokenPriceFeed)) / int256(baseScale);
        for (uint8 i; i < assets.length && liquidity < 0; ++i) {
            if (!_isIn(userBasic[account], i)) continue;
            AssetInfo memory info = assets[i];
            if (!liquidating && deactivatedCollaterals >> i & 1 != 0) revert TokenIsDeactivated(info.asset);
            uint64 factor = liquidating ? info.liquidateCollateralFactor : info.borrowCollateralFactor;
            liquidity += int256(_factor(_value(account, info), factor));
        }
    }

    /// @dev Bits 16 to 23 are kept apart from the others.
    function _isIn(UserBasic memory user, uint8 i) private pure returns (bool) {
        return (uint24(user._reserved) << 16 | user.assetsIn) >> i & 1 != 0;
    }

    function _value(address account, AssetInfo memory info) private view returns (uint256) {
        return uint256(userCollateral[account][info.asset].balance) * getPrice(info.priceFeed) / info.scale;
    }

    function _factor(uint256 value, uint256 factor) private pure returns (uint256) {
        return value * factor / FACTOR_SCALE;
    }

    /* SUPPLY, WITHDRAW, TRANSFER */

    function supply(address asset, uint256 amount) external {
        _supply(msg.sender, msg.sender, asset, amount);
    }

    function supplyTo(address dst, address asset, uint256 amount) external {
        _supply(msg.sender, dst, asset, amount);
    }

    function _supply(address from, address dst, address asset, uint256 amount) private {
        if (isSupplyPaused()) revert Paused();
        if (asset != baseToken) return _supplyCollateral(from, dst, asset, uint128(amount));
        if (baseSupplyPaused) revert BaseSupplyPaused();
        _accrue();
        if (amount == type(uint256).max) {
            int256 owed = _present(userBasic[dst].principal);
            amount = owed < 0 ? uint256(-owed) : 0;
        }
        amount = _take(asset, from, amount);
        int104 before = userBasic[dst].principal;
        int104 after_ = _principal(_present(before) + int256(amount));
        _setPrincipal(dst, after_);
        emit Supply(from, dst, amount);
        _logSupplied(dst, before, after_);
    }

    /// @dev What of a change became or remained a supply; what repaid a debt is logged by nothing.
    function _logSupplied(address dst, int104 before, int104 after_) private {
        int104 supplied = after_ - (before > 0 ? before : int104(0));
        if (after_ > 0 && supplied > 0) emit Transfer(address(0), dst, uint256(_present(supplied)));
    }

    /// @dev What of a change was taken from a supply; what was borrowed is logged by nothing.
    function _logWithdrawn(address src, int104 before, int104 after_) private {
        int104 withdrawn = before - (after_ > 0 ? after_ : int104(0));
        if (before > 0 && withdrawn > 0) emit Transfer(src, address(0), uint256(_present(withdrawn)));
    }

    /// @dev What really came, whatever the token keeps of it.
    function _take(address asset, address from, uint256 amount) private returns (uint256) {
        uint256 before = ICometToken(asset).balanceOf(address(this));
        ICometToken(asset).transferFrom(from, address(this), amount);
        return ICometToken(asset).balanceOf(address(this)) - before;
    }

    function _supplyCollateral(address from, address dst, address asset, uint128 amount) private {
        AssetInfo memory info = getAssetInfoByAddress(asset);
        if (collateralSupplyPaused) revert CollateralSupplyPaused();
        if (suppliesPaused >> info.offset & 1 != 0) revert CollateralAssetSupplyPaused(info.offset);
        amount = uint128(_take(asset, from, amount));
        totalsCollateral[asset].totalSupplyAsset += amount;
        if (totalsCollateral[asset].totalSupplyAsset > info.supplyCap) revert SupplyCapExceeded();
        _setCollateral(dst, info, userCollateral[dst][asset].balance + amount);
        emit SupplyCollateral(from, dst, asset, amount);
    }

    function _setCollateral(address account, AssetInfo memory info, uint128 balance) private {
        userCollateral[account][info.asset].balance = balance;
        UserBasic storage user = userBasic[account];
        uint24 bit = uint24(1) << info.offset;
        uint24 held = uint24(user._reserved) << 16 | user.assetsIn;
        held = balance == 0 ? held & ~bit : held | bit;
        (user.assetsIn, user._reserved) = (uint16(held), uint8(held >> 16));
    }

    function withdraw(address asset, uint256 amount) external {
        if (isWithdrawPaused()) revert Paused();
        _accrue();
        if (asset == baseToken) {
            int104 before = userBasic[msg.sender].principal;
            int256 balance = _present(before) - int256(amount);
            _setPrincipal(msg.sender, _principal(balance));
            if (balance < 0) {
                if (uint256(-balance) < baseBorrowMin) revert BorrowTooSmall();
                if (!isBorrowCollateralized(msg.sender)) revert NotCollateralized();
            }
            _logWithdrawn(msg.sender, before, userBasic[msg.sender].principal);
            emit Withdraw(msg.sender, msg.sender, amount);
        } else {
            AssetInfo memory info = getAssetInfoByAddress(asset);
            totalsCollateral[asset].totalSupplyAsset -= uint128(amount);
            _setCollateral(msg.sender, info, userCollateral[msg.sender][asset].balance - uint128(amount));
            if (!isBorrowCollateralized(msg.sender)) revert NotCollateralized();
            emit WithdrawCollateral(msg.sender, msg.sender, asset, amount);
        }
        ICometToken(asset).transfer(msg.sender, amount);
    }

    /// @notice Base or a collateral moved from one account to another. Of base only what is taken from a supply or added
    /// to one is logged: nothing names a borrower, and nothing at all happens to have been logged between two of them.
    function transferAsset(address dst, address asset, uint256 amount) external {
        if (isTransferPaused()) revert Paused();
        if (dst == msg.sender) revert NoSelfTransfer();
        _accrue();
        if (asset == baseToken) _transferBase(dst, amount);
        else _transferCollateral(dst, asset, uint128(amount));
        if (!isBorrowCollateralized(msg.sender)) revert NotCollateralized();
    }

    function _transferBase(address dst, uint256 amount) private {
        int104 from = userBasic[msg.sender].principal;
        int104 to = userBasic[dst].principal;
        int256 left = _present(from) - int256(amount);
        int256 right = _present(to) + int256(amount);
        if (left < 0 && uint256(-left) < baseBorrowMin) revert BorrowTooSmall();
        _setPrincipal(msg.sender, _principal(left));
        _setPrincipal(dst, _principal(right));
        _logWithdrawn(msg.sender, from, userBasic[msg.sender].principal);
        _logSupplied(dst, to, userBasic[dst].principal);
    }

    function _transferCollateral(address dst, address asset, uint128 amount) private {
        AssetInfo memory info = getAssetInfoByAddress(asset);
        _setCollateral(msg.sender, info, userCollateral[msg.sender][asset].balance - amount);
        _setCollateral(dst, info, userCollateral[dst][asset].balance + amount);
        emit TransferCollateral(msg.sender, dst, asset, amount);
    }

    /* ABSORPTION AND STORE FRONT */

    function absorb(address absorber, address[] calldata accounts) external {
        if (isAbsorbPaused()) revert Paused();
        uint256 startGas = gasleft();
        _accrue();
        for (uint256 i; i < accounts.length; ++i) {
            _absorb(absorber, accounts[i]);
        }
        LiquidatorPoints memory points = liquidatorPoints[absorber];
        points.numAbsorbs++;
        points.numAbsorbed += uint64(accounts.length);
        points.approxSpend += uint128((startGas - gasleft()) * block.basefee);
        liquidatorPoints[absorber] = points;
    }

    function _absorb(address absorber, address account) private {
        if (!isLiquidatable(account)) revert NotLiquidatable();
        int256 before = _present(userBasic[account].principal);
        uint256 basePrice = getPrice(baseTokenPriceFeed);
        uint256 gained;
        for (uint8 i; i < assets.length; ++i) {
            AssetInfo memory info = assets[i];
            uint128 balance = userCollateral[account][info.asset].balance;
            if (balance == 0) continue;
            uint256 value = _value(account, info);
            _setCollateral(account, info, 0);
            totalsCollateral[info.asset].totalSupplyAsset -= balance;
            gained += _factor(value, info.liquidationFactor);
            emit AbsorbCollateral(absorber, account, info.asset, balance, value);
        }
        int256 after_ = before + int256(gained * baseScale / basePrice);
        if (after_ < 0) after_ = 0;
        _setPrincipal(account, _principal(after_));
        (userBasic[account].assetsIn, userBasic[account]._reserved) = (0, 0);
        uint256 paid = uint256(after_ - before);
        emit AbsorbDebt(absorber, account, paid, paid * basePrice / baseScale);
        if (userBasic[account].principal > 0) {
            emit Transfer(address(0), account, uint256(_present(userBasic[account].principal)));
        }
    }

    function getCollateralReserves(address asset) public view returns (uint256) {
        return ICometToken(asset).balanceOf(address(this)) - totalsCollateral[asset].totalSupplyAsset;
    }

    function getReserves() public view returns (int256) {
        (uint64 supplyIndex, uint64 borrowIndex) = _accruedIndices();
        return int256(ICometToken(baseToken).balanceOf(address(this)))
            - int256(uint256(totals.totalSupplyBase) * supplyIndex / BASE_INDEX_SCALE)
            + int256(uint256(totals.totalBorrowBase) * borrowIndex / BASE_INDEX_SCALE);
    }

    function quoteCollateral(address asset, uint256 baseAmount) public view returns (uint256) {
        AssetInfo memory info = getAssetInfoByAddress(asset);
        uint256 discount = _factor(storeFrontPriceFactor, FACTOR_SCALE - info.liquidationFactor);
        uint256 discounted = _factor(getPrice(info.priceFeed), FACTOR_SCALE - discount);
        return getPrice(baseTokenPriceFeed) * baseAmount * info.scale / discounted / baseScale;
    }

    function buyCollateral(address asset, uint256 minAmount, uint256 baseAmount, address recipient) external {
        if (isBuyPaused()) revert Paused();
        int256 reserves = getReserves();
        if (reserves >= 0 && uint256(reserves) >= targetReserves) revert NotForSale();
        baseAmount = _take(baseToken, msg.sender, baseAmount);
        uint256 amount = quoteCollateral(asset, baseAmount);
        if (amount < minAmount) revert TooMuchSlippage();
        if (amount > getCollateralReserves(asset)) revert InsufficientReserves();
        ICometToken(asset).transfer(recipient, amount);
        emit BuyCollateral(msg.sender, asset, baseAmount, amount);
    }
}
