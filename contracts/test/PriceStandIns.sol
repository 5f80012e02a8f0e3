// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// Stand-ins for price sources that no npm package ships deployable. Each answers the published interface of the
// real thing and computes as its documentation says; none is the real thing.

interface IFeed {
    function decimals() external view returns (uint8);
    function latestAnswer() external view returns (int256);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// @notice Stands in for a Chainlink aggregator (AggregatorV3Interface) whose every word a test may set.
contract FeedStandIn {
    uint8 public immutable decimals;
    string public description;
    /// "DualAggregator …" makes it an SVR aggregator.
    string public typeAndVersion;
    int256 private _answer;
    uint80 private _round;
    uint256 private _updatedAt;
    bool private _reverting;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error Reverting();

    constructor(uint8 decimals_, int256 answer, string memory description_, string memory typeAndVersion_) {
        decimals = decimals_;
        description = description_;
        typeAndVersion = typeAndVersion_;
        updateAnswer(answer);
    }

    /// @notice A new round with this answer, now.
    function updateAnswer(int256 answer) public {
        setRound(_round + 1, answer, block.timestamp);
    }

    function setRound(uint80 round, int256 answer, uint256 updatedAt) public {
        (_round, _answer, _updatedAt) = (round, answer, updatedAt);
        emit AnswerUpdated(answer, round, updatedAt);
    }

    function setReverting(bool reverting) external {
        _reverting = reverting;
    }

    function latestAnswer() external view returns (int256) {
        if (_reverting) revert Reverting();
        return _answer;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        if (_reverting) revert Reverting();
        return (_round, _answer, _updatedAt, _updatedAt, _round);
    }
}

/// @notice Stands in for PriceCapAdapterStable: the feed's answer, at most the cap.
contract StableCapStandIn {
    address public immutable ASSET_TO_USD_AGGREGATOR;
    int256 public getPriceCap;
    uint8 public constant decimals = 8;

    constructor(address feed, int256 cap) {
        ASSET_TO_USD_AGGREGATOR = feed;
        getPriceCap = cap;
    }

    function latestAnswer() external view returns (int256) {
        int256 answer = IFeed(ASSET_TO_USD_AGGREGATOR).latestAnswer();
        return answer > getPriceCap ? getPriceCap : answer;
    }
}

/// @notice Stands in for a staked token's contract that tells its exchange ratio.
contract RatioStandIn {
    int256 public ratio;

    constructor(int256 ratio_) {
        ratio = ratio_;
    }

    function setRatio(int256 ratio_) external {
        ratio = ratio_;
    }
}

/// @notice Stands in for PriceCapAdapterBase: base price times a ratio that may not pass its cap.
contract RatioCapStandIn {
    address public immutable BASE_TO_USD_AGGREGATOR;
    address public immutable RATIO_PROVIDER;
    uint8 public constant decimals = 8;
    uint8 public constant RATIO_DECIMALS = 18;
    int256 private immutable _maxRatio;

    constructor(address feed, address provider, int256 maxRatio) {
        BASE_TO_USD_AGGREGATOR = feed;
        RATIO_PROVIDER = provider;
        _maxRatio = maxRatio;
    }

    function getRatio() public view returns (int256) {
        return RatioStandIn(RATIO_PROVIDER).ratio();
    }

    function isCapped() external view returns (bool) {
        return getRatio() > _maxRatio;
    }

    function latestAnswer() external view returns (int256) {
        int256 ratio = getRatio() > _maxRatio ? _maxRatio : getRatio();
        return IFeed(BASE_TO_USD_AGGREGATOR).latestAnswer() * ratio / 1e18;
    }
}

/// @notice Stands in for CLSynchronicityPriceAdapterPegToBase: asset in peg times peg in base, 8 decimals.
contract SynchronicityStandIn {
    address public immutable ASSET_TO_PEG;
    address public immutable PEG_TO_BASE;
    uint8 public constant decimals = 8;

    constructor(address assetToPeg, address pegToBase) {
        ASSET_TO_PEG = assetToPeg;
        PEG_TO_BASE = pegToBase;
    }

    function latestAnswer() external view returns (int256) {
        int256 unit = int256(10 ** (uint256(IFeed(ASSET_TO_PEG).decimals()) + IFeed(PEG_TO_BASE).decimals() - 8));
        return IFeed(ASSET_TO_PEG).latestAnswer() * IFeed(PEG_TO_BASE).latestAnswer() / unit;
    }
}

/// @notice Stands in for a fixed price adapter.
contract FixedPriceStandIn {
    int256 public immutable price;
    uint8 public constant decimals = 8;

    constructor(int256 price_) {
        price = price_;
    }

    function latestAnswer() external view returns (int256) {
        return price;
    }
}

/// @notice Of no published kind: an answer and nothing else, which somebody may set.
contract UnknownSourceStandIn {
    int256 public latestAnswer = 1e8;

    function set(int256 answer) external {
        latestAnswer = answer;
    }
}

/// @notice Stands in for GHO's oracle on Aave v3: three functions of constants, and nothing else is answered.
contract GhoOracleStandIn {
    int256 public constant GHO_PRICE = 1e8;

    function latestAnswer() external pure returns (int256) {
        return GHO_PRICE;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }
}

/// @notice Names nothing it rests on: asset in base by a feed, at a ratio that somebody keeps.
contract NamelessAdapterStandIn {
    IFeed private immutable _feed;
    int256 private _ratio = 1e18;

    constructor(IFeed feed) {
        _feed = feed;
    }

    function setRatio(int256 ratio) external {
        _ratio = ratio;
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestAnswer() external view returns (int256) {
        return _feed.latestAnswer() * _ratio / 1e18;
    }
}

/// @notice A Morpho oracle that names the feed its price rests on, as Morpho's Chainlink oracle does.
contract MorphoOracleStandIn {
    uint256 public price;
    address public BASE_FEED_1;

    function setPrice(uint256 price_) external {
        price = price_;
    }
}

/// @notice Gives another feed's rounds, and calls something that is no source its `source`.
contract MisleadingStandIn {
    IFeed private immutable _feed;
    address public immutable source;
    uint8 public constant decimals = 8;

    constructor(IFeed feed, address source_) {
        (_feed, source) = (feed, source_);
    }

    function latestAnswer() external view returns (int256) {
        return _feed.latestAnswer();
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _feed.latestRoundData();
    }
}

/// @notice Stands in for what a Pendle PT's price is computed from: market, SY and YT in one, two years before expiry.
contract PendleStandIn {
    uint256 public immutable expiry = block.timestamp + 730 days;
    uint256 public exchangeRate = 1e18;
    uint256 public constant pyIndexStored = 1e18;
    uint256 public constant pyIndexLastUpdatedBlock = 0;
    bool public constant doCacheIndexSameBlock = false;
    string public constant name = "PT stand-in";
    uint256 private _rate = 5e16;

    function readTokens() external view returns (address, address, address) {
        return (address(this), address(this), address(this));
    }

    /// @dev Cumulative logarithms of the implied rate: of now, and of the window's begin.
    function observe(uint32[] calldata ago) external view returns (uint216[] memory sums) {
        sums = new uint216[](2);
        sums[0] = uint216(_rate * (1e9 - ago[0]));
        sums[1] = uint216(_rate * (1e9 - ago[1]));
    }

    function setRate(uint256 rate) external {
        _rate = rate;
    }
}

/// @notice Stands in for wstETH as Gearbox's feed reads it.
contract WrappedStandIn {
    uint256 public stEthPerToken = 1e18;
    string public constant symbol = "wst";

    function setRatio(uint256 ratio) external {
        stEthPerToken = ratio;
    }
}

/// @notice Stands in for Compound's ScalingPriceFeed: another feed's answer with other decimals, its rounds passed on.
contract ScalingFeedStandIn {
    address public immutable underlyingPriceFeed;
    uint8 public constant decimals = 8;
    string public constant description = "scaled";

    constructor(address feed) {
        underlyingPriceFeed = feed;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 round, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            IFeed(underlyingPriceFeed).latestRoundData();
        uint8 from = IFeed(underlyingPriceFeed).decimals();
        answer = from > 8 ? answer / int256(10 ** (from - 8)) : answer * int256(10 ** (8 - from));
        return (round, answer, startedAt, updatedAt, answeredIn);
    }
}

/// @notice Stands in for Compound's MultiplicativePriceFeed: A times B, with the rounds of B.
contract MultiplicativeFeedStandIn {
    address public immutable priceFeedA;
    address public immutable priceFeedB;
    uint8 public constant decimals = 8;
    string public constant description = "A times B";

    constructor(address a, address b) {
        (priceFeedA, priceFeedB) = (a, b);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        (, int256 a,,,) = IFeed(priceFeedA).latestRoundData();
        (uint80 round, int256 b, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            IFeed(priceFeedB).latestRoundData();
        int256 unit = int256(10 ** (uint256(IFeed(priceFeedA).decimals()) + IFeed(priceFeedB).decimals() - 8));
        return (round, a * b / unit, startedAt, updatedAt, answeredIn);
    }
}

/// @notice Stands in for Compound's ConstantPriceFeed: always the same round, which was always just now.
contract ConstantFeedStandIn {
    int256 public immutable constantPrice;
    uint8 public constant decimals = 8;
    string public constant description = "Constant price feed";

    constructor(int256 price) {
        constantPrice = price;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, constantPrice, block.timestamp, block.timestamp, 1);
    }
}
