// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Errors} from "./ILiquidator.sol";

/// @notice One word says who may call back now, and for what. A callback uses the expectation up, so that it can
/// come only once, and only while the call is under way that it answers.
abstract contract Expecting {
    uint256 private constant IDLE = 1;
    uint256 private constant BUSY = 2;

    /// IDLE, BUSY, or caller and purpose. Never zero: changing nonzero words is the cheaper way.
    uint256 private expected = IDLE;

    /// @dev For the outermost function: nothing else may be under way.
    modifier alone() {
        if (expected != IDLE) revert Errors.Reentered();
        expected = BUSY;
        _;
        expected = IDLE;
    }

    /// @dev For the contract's calls to itself.
    modifier within() {
        if (msg.sender != address(this) || expected != BUSY) revert Errors.Reentered();
        _;
    }

    /// @dev For callbacks: `purpose` is the callback's selector.
    modifier expectedFor(bytes4 purpose) {
        if (expected != _word(msg.sender, purpose)) revert Errors.UnexpectedCallback();
        expected = BUSY;
        _;
    }

    function _expect(address caller, bytes4 purpose) internal {
        expected = _word(caller, purpose);
    }

    /// @dev After the call that was to call back.
    function _called() internal view {
        if (expected != BUSY) revert Errors.NoCallback();
    }

    function _word(address caller, bytes4 purpose) private pure returns (uint256) {
        return uint256(uint32(purpose)) << 160 | uint160(caller);
    }
}
