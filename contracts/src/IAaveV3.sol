// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// The parts of Aave v3 that the lens reads and that are the same in 3.0.2 and in every Origin version.

/// @dev The head of the Pool's reserve struct. Later versions changed only what follows, which is left undecoded.
struct ReserveData {
    uint256 configuration;
    uint128 liquidityIndex;
    uint128 currentLiquidityRate;
    uint128 variableBorrowIndex;
    uint128 currentVariableBorrowRate;
    uint128 currentStableBorrowRate;
    uint40 lastUpdateTimestamp;
    uint16 id;
    address aToken;
    address stableDebtToken;
    address variableDebtToken;
    address interestRateStrategy;
    uint128 accruedToTreasury;
}

interface IPool {
    function ADDRESSES_PROVIDER() external view returns (IAddressesProvider);
    function FLASHLOAN_PREMIUM_TOTAL() external view returns (uint128);
    function POOL_REVISION() external view returns (uint256);
    function getReservesList() external view returns (address[] memory);
    function getReserveData(address asset) external view returns (ReserveData memory);
    function getUserEMode(address user) external view returns (uint256);
    function getUserConfiguration(address user) external view returns (uint256);

    // Up to 3.1; later kept as a deprecated view.
    function getEModeCategoryData(uint8 id) external view returns (EModeCategory memory);

    // Since 3.2, the last since 3.6.
    function getEModeCategoryCollateralConfig(uint8 id) external view returns (CollateralConfig memory);
    function getEModeCategoryLabel(uint8 id) external view returns (string memory);
    function getEModeCategoryCollateralBitmap(uint8 id) external view returns (uint128);
    function getEModeCategoryBorrowableBitmap(uint8 id) external view returns (uint128);
    function getEModeCategoryLtvzeroBitmap(uint8 id) external view returns (uint128);
}

struct EModeCategory {
    uint16 ltv;
    uint16 liquidationThreshold;
    uint16 liquidationBonus;
    address priceSource;
    string label;
}

struct CollateralConfig {
    uint16 ltv;
    uint16 liquidationThreshold;
    uint16 liquidationBonus;
}

interface IAddressesProvider {
    function getPriceOracle() external view returns (IOracle);
}

interface IOracle {
    function BASE_CURRENCY_UNIT() external view returns (uint256);
    function getAssetPrice(address asset) external view returns (uint256);
}

interface IToken {
    function balanceOf(address account) external view returns (uint256);
}

interface IScaledToken {
    function scaledBalanceOf(address account) external view returns (uint256);
    function scaledTotalSupply() external view returns (uint256);
}

interface IStableDebtToken {
    function principalBalanceOf(address account) external view returns (uint256);
    function getUserStableRate(address account) external view returns (uint256);
    function getUserLastUpdated(address account) external view returns (uint40);
}
