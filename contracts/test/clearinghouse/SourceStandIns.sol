// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @notice A feed of Chainlink's form that remembers its rounds, and fails as feeds do.
contract RoundsFeed {
    enum Failure {
        None,
        Reverts,
        AnswersShort
    }

    struct Round {
        int256 answer;
        uint256 updatedAt;
    }

    uint8 public decimals;
    uint80 public last;
    Failure private _failure;
    mapping(uint80 => Round) private _rounds;

    constructor(uint8 decimals_, int256 answer) {
        decimals = decimals_;
        push(answer);
    }

    function push(int256 answer) public {
        pushAt(answer, block.timestamp);
    }

    function pushAt(int256 answer, uint256 updatedAt) public {
        _rounds[++last] = Round(answer, updatedAt);
    }

    function fail(Failure failure) external {
        _failure = failure;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(last);
    }

    function getRoundData(uint80 id) public view returns (uint80, int256, uint256, uint256, uint80) {
        if (_failure == Failure.Reverts) revert("down");
        if (_failure == Failure.AnswersShort) {
            assembly {
                return(0, 32)
            }
        }
        Round memory found = _rounds[id];
        return (id, found.answer, found.updatedAt, found.updatedAt, id);
    }
}

/// @notice A volatility feed of one surface.
contract SurfaceFeed {
    uint256 private _atTheMoney = 0.8e18;
    int256 private _skew = -0.2e18;
    uint256 private _updatedAt = block.timestamp;

    function set(uint256 atTheMoney, int256 skew, uint256 updatedAt) external {
        (_atTheMoney, _skew, _updatedAt) = (atTheMoney, skew, updatedAt);
    }

    function volatility(uint8, uint40) external view returns (uint256, int256, uint256) {
        return (_atTheMoney, _skew, _updatedAt);
    }
}

contract TokenOfDecimals {
    uint8 public immutable decimals;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }
}
