// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title InPlace
/// @notice A lens that is laid over a contract in an `eth_call`, to read what that keeps in its storage. The caller lays
/// the contract's own code over a spare address beside it: whatever the lens does not know goes on to that code, which
/// then runs as it always does.
abstract contract InPlace {
    error NotInPlace();

    /// @dev As `keeper/chain/calls.py` has it.
    uint160 private constant SPARE = uint160(0xba7c) << 144;

    fallback() external payable {
        address code = address(uint160(address(this)) ^ SPARE);
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }

    /// @dev Where the lens is laid over anything else there is nothing to read.
    modifier only(address there) {
        if (there != address(this)) revert NotInPlace();
        _;
    }

    /// @dev The word so many places after `base`.
    function _word(bytes32 base, uint256 offset) internal view returns (uint256 word) {
        assembly {
            word := sload(add(base, offset))
        }
    }

    /// @dev Where a mapping at `slot` keeps the value of a key of one word.
    function _valueOf(uint256 key, bytes32 slot) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, slot));
    }
}
