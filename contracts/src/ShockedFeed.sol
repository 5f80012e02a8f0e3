// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title ShockedFeed
/// @notice Stands in for a price feed on a fork, at the feed's own address, so that everything that hangs on
/// the feed follows. It answers as Chainlink's aggregators do. Whoever owns the fork may move it; on a chain
/// that is no fork it has no place.
/// @dev Its code is laid over the feed's; what the feed had stored stays. So its state lies where no
/// compiler puts anything: at `keccak256("keeper.fork.feed")` and the three words after it.
contract ShockedFeed {
    struct State {
        int256 answer;
        uint256 updatedAt;
        uint256 round;
        uint256 decimals;
    }

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    bytes32 private constant STATE = 0x61e534bdea3b1edbda9fe0d308d96208b672a478651869e3fd08465de75641f7;

    /// @notice A new round with this answer.
    function update(int256 newAnswer) external {
        State storage state = _state();
        state.answer = newAnswer;
        state.updatedAt = block.timestamp;
        state.round += 1;
        emit AnswerUpdated(newAnswer, state.round, block.timestamp);
    }

    function latestAnswer() external view returns (int256) {
        return _state().answer;
    }

    function latestTimestamp() external view returns (uint256) {
        return _state().updatedAt;
    }

    function latestRound() external view returns (uint256) {
        return _state().round;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round();
    }

    /// @notice Every round is the latest: earlier ones are not kept.
    function getRoundData(uint80) external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round();
    }

    function getAnswer(uint256) external view returns (int256) {
        return _state().answer;
    }

    function getTimestamp(uint256) external view returns (uint256) {
        return _state().updatedAt;
    }

    function decimals() external view returns (uint8) {
        return uint8(_state().decimals);
    }

    function aggregator() external view returns (address) {
        return address(this);
    }

    function description() external pure returns (string memory) {
        return "keeper fork: a shocked feed";
    }

    function version() external pure returns (uint256) {
        return 1;
    }

    function _round() private view returns (uint80, int256, uint256, uint256, uint80) {
        State storage state = _state();
        uint80 round = uint80(state.round);
        return (round, state.answer, state.updatedAt, state.updatedAt, round);
    }

    function _state() private pure returns (State storage state) {
        assembly ("memory-safe") {
            state.slot := STATE
        }
    }
}
