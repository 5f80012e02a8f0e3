// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Cash} from "../../src/clearinghouse/Cash.sol";
import {Leaf, Node, SumTree} from "../../src/clearinghouse/SumTree.sol";
import {AccountState} from "../../src/clearinghouse/Types.sol";

/// @notice What an attestation calculates besides valuing, many at a time.
contract SumTreeHarness {
    struct Path {
        uint256 index;
        Leaf leaf;
        Node[] siblings;
    }

    function roots(Path[] memory paths) external pure returns (Node[] memory found) {
        found = new Node[](paths.length);
        for (uint256 i; i < paths.length; ++i) {
            found[i] = SumTree.rootAbove(paths[i].index, paths[i].leaf, paths[i].siblings);
        }
    }

    function depths(uint256[] calldata leaves) external pure returns (uint256[] memory found) {
        found = new uint256[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) found[i] = SumTree.depthFor(leaves[i]);
    }

    /// @dev As the clearinghouse hashes what it remembers.
    function states(AccountState[] memory accounts) external pure returns (bytes32[] memory found) {
        found = new bytes32[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) found[i] = keccak256(abi.encode(accounts[i]));
    }

    /// @dev Rows of the rises of interest due and of the index.
    function cash(int256[] calldata amounts, uint256[2][] calldata rows) external pure returns (int256[] memory found) {
        found = new int256[](rows.length);
        for (uint256 i; i < rows.length; ++i) {
            found[i] = Cash.withInterest(amounts[i], rows[i][0], rows[i][1]);
        }
    }
}
