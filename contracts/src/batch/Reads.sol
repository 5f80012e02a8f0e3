// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Reads
/// @notice One read among many in one `eth_call`: what it may cost, what it may answer, and the block it is of.
library Reads {
    /// @notice A call's answer; `starved` failed for want of gas that other calls had taken before it.
    struct Result {
        bool ok;
        bool starved;
        bytes result;
    }

    /// @dev Gas kept back for storing a result and returning them all.
    uint256 private constant RESERVE = 50_000;
    /// @dev The longest answer to a call whose gas is limited: a stranger's, who may answer megabytes.
    uint256 private constant LONGEST = 16_384;
    /// @dev Arbitrum's own view of its chain; there `block.number` is the parent chain's.
    address private constant ARB_SYS = address(0x64);

    /// @notice Makes one call.
    /// @param most The gas it may use; 0 for 15/16 of what is left, so that one that burns all it is given
    /// leaves something for those after it.
    /// @param first Whether nothing was called before it: it then had all that the node grants.
    /// @return found Not ok with the revert data where it fails; not ok without data where nothing is there,
    /// which would otherwise look like a success without an answer, or where a limited call answers too much.
    function ask(address target, uint256 most, bytes memory data, bool first)
        internal
        view
        returns (Result memory found)
    {
        if (target.code.length == 0) return found;
        uint256 left = gasleft();
        uint256 given = left > RESERVE ? (left - RESERVE) / 16 * 15 : 0;
        bool whole = first || (most != 0 && most <= given);
        if (most != 0 && most < given) given = most;
        bool ok;
        uint256 size;
        assembly ("memory-safe") {
            ok := staticcall(given, target, add(data, 32), mload(data), 0, 0)
            size := returndatasize()
        }
        if (most != 0 && size > LONGEST) return found;
        // Whoever runs out of gas, or whose callee does, has used nearly all of what was given.
        found.starved = !ok && !whole && left - gasleft() >= given / 8 * 7;
        found.ok = ok;
        bytes memory answer;
        assembly ("memory-safe") {
            answer := mload(0x40)
            mstore(0x40, add(answer, and(add(size, 63), not(31))))
            mstore(answer, size)
            returndatacopy(add(answer, 32), 0, size)
        }
        found.result = answer;
    }

    /// @notice The chain's own number of the block, where `block.number` is another's too.
    function blockNumber() internal view returns (uint256 number) {
        number = block.number;
        if (ARB_SYS.code.length == 0) return number;
        (bool ok, bytes memory answer) =
            ARB_SYS.staticcall{gas: 100_000}(abi.encodeWithSignature("arbBlockNumber()"));
        if (ok && answer.length == 32) number = abi.decode(answer, (uint256));
    }
}
