// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title BatchOnce
/// @notice Does what Batch does in the constructor of a contract that is never made: an `eth_call` without a
/// target runs it as initcode. For nodes that take no state overrides.
contract BatchOnce {
    struct Call {
        address target;
        bytes data;
    }

    struct Result {
        bool ok;
        bytes result;
    }

    /// @dev Gas kept back for storing a result and returning them all.
    uint256 private constant RESERVE = 50_000;

    /// @notice Makes all calls in order and reverts with `abi.encode(block.number, block.timestamp, results)`:
    /// what a constructor returns is limited like a contract's code, what it reverts with is not.
    /// @param places Addresses that calls name; in their stead contracts with `codes` as runtime code are called.
    constructor(address[] memory places, bytes[] memory codes, Call[] memory calls) {
        address[] memory made = new address[](codes.length);
        for (uint256 i; i < codes.length; ++i) {
            made[i] = _create(codes[i]);
        }
        Result[] memory results = new Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            address target = calls[i].target;
            for (uint256 k; k < places.length; ++k) {
                if (places[k] == target) target = made[k];
            }
            if (target.code.length == 0) continue;
            (results[i].ok, results[i].result) = target.staticcall{gas: _share()}(calls[i].data);
        }
        bytes memory answer = abi.encode(block.number, block.timestamp, results);
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    /// @dev A contract with exactly this runtime code: ten bytes of initcode copy what follows them.
    function _create(bytes memory code) private returns (address made) {
        bytes memory init = abi.encodePacked(hex"61", uint16(code.length), hex"80600a3d393df3", code);
        assembly ("memory-safe") {
            made := create(0, add(init, 32), mload(init))
        }
    }

    /// @dev A call that burns all it is given must leave something for those after it: it gets 15/16.
    function _share() private view returns (uint256) {
        uint256 left = gasleft();
        return left > RESERVE ? (left - RESERVE) / 16 * 15 : 0;
    }
}
