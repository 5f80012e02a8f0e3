// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @notice A price feed of Chainlink's form, the seconds after which its last answer is too old, and the answers that are
/// believed, in its own decimals.
struct Feed {
    address aggregator;
    uint32 heartbeat;
    uint8 decimals;
    uint128 least;
    uint128 most;
}

interface IAggregator {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
    function getRoundData(uint80 round) external view returns (uint80, int256, uint256, uint256, uint80);
}

/// @notice Who knows an expiry's volatility: at the money (18 decimals), and how much more of it a strike has that lies
/// the whole forward above it.
interface IVolatilityFeed {
    function volatility(uint8 underlying, uint40 expiry)
        external
        view
        returns (uint256 atTheMoney, int256 skew, uint256 updatedAt);
}

/// @title Feeds
/// @notice Reading a feed, and refusing what cannot be believed, with the feed's address.
library Feeds {
    error FeedFailed(address feed);
    error StalePrice(address feed, uint256 updatedAt);
    error PriceOutOfBounds(address feed, int256 answer);
    error StaleVolatility(address feed, uint256 updatedAt);
    error VolatilityOutOfBounds(address feed, uint256 atTheMoney, int256 skew);

    /// @notice The last answer, in the feed's decimals.
    function latest(Feed memory feed) internal view returns (uint256 answer) {
        uint256 updatedAt;
        (answer, updatedAt) = _answer(feed, abi.encodeCall(IAggregator.latestRoundData, ()));
        requireFresh(feed.aggregator, updatedAt, feed.heartbeat, StalePrice.selector);
    }

    /// @notice The answer of one of its rounds, and when it was given.
    function round(Feed memory feed, uint80 id) internal view returns (uint256 answer, uint256 updatedAt) {
        return _answer(feed, abi.encodeCall(IAggregator.getRoundData, (id)));
    }

    /// @notice An expiry's volatility at the money and skew.
    function volatility(address feed, uint256 heartbeat, uint8 underlying, uint40 expiry)
        internal
        view
        returns (uint256 atTheMoney, int256 skew)
    {
        bytes memory data = read(feed, abi.encodeCall(IVolatilityFeed.volatility, (underlying, expiry)), 96);
        uint256 updatedAt;
        (atTheMoney, skew, updatedAt) = abi.decode(data, (uint256, int256, uint256));
        requireFresh(feed, updatedAt, heartbeat, StaleVolatility.selector);
    }

    /// @dev What lies in the future is believed as little as what is too old.
    function requireFresh(address feed, uint256 updatedAt, uint256 heartbeat, bytes4 refusal) internal view {
        if (updatedAt <= block.timestamp && block.timestamp - updatedAt <= heartbeat) return;
        bytes memory reason = abi.encodeWithSelector(refusal, feed, updatedAt);
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    /// @notice A price with 9 decimals, rounded down. At most int64's greatest: nobody sets bounds that allow more.
    function toIndex(uint256 answer, uint8 decimals) internal pure returns (uint64) {
        return uint64(decimals > 9 ? answer / 10 ** (decimals - 9) : answer * 10 ** (9 - decimals));
    }

    function _answer(Feed memory feed, bytes memory question) private view returns (uint256, uint256) {
        // Wider types than the feed's: a word out of range is no answer that makes the decoder revert.
        (, int256 answer,, uint256 updatedAt) =
            abi.decode(read(feed.aggregator, question, 160), (uint256, int256, uint256, uint256));
        if (answer < int256(uint256(feed.least)) || answer > int256(uint256(feed.most))) {
            revert PriceOutOfBounds(feed.aggregator, answer);
        }
        return (uint256(answer), updatedAt);
    }

    /// @notice What a contract answers, of at least `size` bytes.
    function read(address feed, bytes memory question, uint256 size) internal view returns (bytes memory data) {
        bool ok;
        (ok, data) = feed.staticcall(question);
        if (!ok || data.length < size) revert FeedFailed(feed);
    }
}
