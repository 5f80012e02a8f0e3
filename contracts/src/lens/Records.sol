// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Records
/// @notice Many accounts' packed records as one answer.
library Records {
    /// @notice The parts one after the other, each copied once.
    function joined(bytes[] memory parts) internal pure returns (bytes memory out) {
        uint256 length;
        for (uint256 i; i < parts.length; ++i) length += parts[i].length;
        // Room for whole words: a part's last one may reach beyond it.
        out = new bytes(length + 32);
        uint256 at;
        for (uint256 i; i < parts.length; ++i) {
            bytes memory part = parts[i];
            assembly ("memory-safe") {
                let to := add(add(out, 32), at)
                let from := add(part, 32)
                let size := mload(part)
                for { let j := 0 } lt(j, size) { j := add(j, 32) } { mstore(add(to, j), mload(add(from, j))) }
            }
            at += part.length;
        }
        assembly ("memory-safe") {
            mstore(out, length)
        }
    }
}
