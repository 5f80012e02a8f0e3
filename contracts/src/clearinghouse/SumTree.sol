// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @notice What an account's solvency is, and sums of it (money). Of equity one of the two is 0. `requirement` is that of
/// the maintenance set, at least 0, `shortfall` what equity lacks of it.
struct Figures {
    uint256 equityAbove;
    uint256 equityBelow;
    uint256 requirement;
    uint256 shortfall;
}

/// @notice An account's state hash with its figures. The leaf of no account is all zero.
struct Leaf {
    bytes32 state;
    Figures figures;
}

/// @notice Of a leaf its hash with its figures; above, the hash of both children with their sums, and the sums together.
struct Node {
    bytes32 hash;
    Figures sums;
}

/// @title SumTree
/// @notice Merkle trees whose nodes commit to sums. A leaf's place is its number, so that no number can have two leaves.
/// @dev Sums wrap around 2^256: whatever stands in a leaf, its path can be shown. True figures are far below.
/// A leaf's hash is of five words, a node's of ten, so that neither passes for the other.
/// `keeper/margin/portfolio/clearinghouse/sum_tree.py` is the same in Python.
library SumTree {
    /// @notice The least depth at which so many leaves have room.
    function depthFor(uint256 leaves) internal pure returns (uint256 depth) {
        while (1 << depth < leaves) ++depth;
    }

    function nodeOf(Leaf memory leaf) internal pure returns (Node memory) {
        return Node(keccak256(abi.encode(leaf)), leaf.figures);
    }

    function parent(Node memory left, Node memory right) internal pure returns (Node memory) {
        return Node(keccak256(abi.encode(left, right)), plus(left.sums, right.sums));
    }

    /// @notice The root above a leaf, whose siblings are given from its own up.
    function rootAbove(uint256 index, Leaf memory leaf, Node[] memory siblings) internal pure returns (Node memory root) {
        root = nodeOf(leaf);
        for (uint256 i; i < siblings.length; ++i) {
            root = index >> i & 1 == 0 ? parent(root, siblings[i]) : parent(siblings[i], root);
        }
    }

    function plus(Figures memory one, Figures memory other) internal pure returns (Figures memory sum) {
        unchecked {
            sum.equityAbove = one.equityAbove + other.equityAbove;
            sum.equityBelow = one.equityBelow + other.equityBelow;
            sum.requirement = one.requirement + other.requirement;
            sum.shortfall = one.shortfall + other.shortfall;
        }
    }

    function same(Figures memory one, Figures memory other) internal pure returns (bool) {
        return keccak256(abi.encode(one)) == keccak256(abi.encode(other));
    }
}
