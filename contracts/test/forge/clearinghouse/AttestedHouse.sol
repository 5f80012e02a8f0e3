// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Attestation} from "../../../src/clearinghouse/Attestation.sol";
import {FundTarget} from "../../../src/clearinghouse/FundTarget.sol";
import {Moments} from "../../../src/clearinghouse/Moments.sol";
import {Signed} from "../../../src/clearinghouse/Orders.sol";
import {Figures, Leaf, Node, SumTree} from "../../../src/clearinghouse/SumTree.sol";
import {AccountState} from "../../../src/clearinghouse/Types.sol";
import {HookToken, check, vm} from "../StandIns.sol";
import {House} from "./House.sol";

/// @notice A collateral that calls whoever it was told to while it moves.
contract HookEther is HookToken {
    uint8 public constant decimals = 18;
}

/// @notice A house with an attestation, books of accounts by a seed, their true leaves, trees above whatever leaves a poster
/// makes up, and somebody who tries every challenge.
abstract contract AttestedHouse is House {
    uint256 internal constant BOND = 25_600e6;
    uint256 internal constant RESPONSE = 30 minutes;
    uint256 internal constant SCENARIOS = 10;
    address internal constant CHALLENGER = address(0xC4A11);
    uint256 private constant KEYS = 0xA000;

    Attestation internal attestation;
    uint256 private _draws;
    uint256 private _seed;

    function buildAttested() internal {
        build();
        Moments moments = new Moments(markets, options);
        attestation = new Attestation(house, moments, 6, BOND, RESPONSE, 1_000e18, targetBounds());
        house.attestBy(address(attestation));
        dollars.approve(address(attestation), type(uint256).max);
        dollars.mint(CHALLENGER, 1_000e6);
        vm.prank(CHALLENGER);
        dollars.approve(address(attestation), type(uint256).max);
        house.contribute(1_000e6);
    }

    function targetBounds() internal view returns (FundTarget.TargetBounds memory) {
        return FundTarget.TargetBounds(address(this), 1 days, 0.1e18, 0.05e18, 500e18, 2_000e18);
    }

    // Books.

    function draw(uint256 below) internal returns (uint256) {
        return uint256(keccak256(abi.encode(_seed, ++_draws))) % below;
    }

    /// @dev Up to nine accounts with cash, ether, perpetuals and options, some of which owe cash; then days pass and prices
    /// move so far that some lack margin or are worth less than nothing.
    function book(uint256 seed) internal {
        _seed = seed;
        uint256 accounts = 1 + draw(9);
        for (uint256 i; i < accounts; ++i) {
            rich(KEYS + i, draw(4) == 0 ? 0 : draw(60_000), draw(2) == 0 ? 0 : draw(30));
        }
        if (accounts > 1) for (uint256 i = draw(6); i != 0; --i) _trade(accounts);
        for (uint256 i = draw(3); i != 0; --i) {
            uint256 account = draw(accounts);
            vm.prank(vm.addr(KEYS + account));
            try house.withdrawCash(account, draw(20_000) * DOLLAR, address(this)) {} catch {}
        }
        later(draw(20 days));
    }

    function _trade(uint256 accounts) private {
        uint256 buyer = draw(accounts);
        uint256 seller = (buyer + 1 + draw(accounts - 1)) % accounts;
        uint32 instrument = [uint32(ETH), BTC, call, put][draw(4)];
        int64 size = int64(uint64(1 + draw(instrument == BTC ? 1e9 : 20e9)));
        uint64 price = markets.markOf(instrument);
        Signed memory bought = signed(KEYS + buyer, buyer, instrument, size, price);
        Signed memory sold = signed(KEYS + seller, seller, instrument, -size, price);
        try orders.trade(bought, sold, uint64(size)) {} catch {}
    }

    function later(uint256 time) internal {
        vm.warp(block.timestamp + time);
        eth.set(int256(1_000e8 + draw(2_500e8)));
        btc.set(int256(20_000e8 + draw(25_000e8)));
    }

    // Leaves and trees.

    /// @dev By the house's own margin, so only in the moment's block.
    function truth(uint256 account) internal view returns (Leaf memory leaf) {
        (int256 equity, int256 least,) = house.worst(account, false);
        leaf.state = keccak256(abi.encode(house.stateOf(account)));
        if (equity < 0) leaf.figures.equityBelow = uint256(-equity);
        else leaf.figures.equityAbove = uint256(equity);
        if (equity > least) leaf.figures.requirement = uint256(equity - least);
        fit(leaf.figures);
    }

    /// @dev The shortfall that goes with the other figures.
    function fit(Figures memory figures) internal pure {
        unchecked {
            uint256 needed = figures.requirement + figures.equityBelow;
            figures.shortfall = needed > figures.equityAbove ? needed - figures.equityAbove : 0;
        }
    }

    /// @dev As many as there is room for, with their states.
    function truths(uint256 id) internal view returns (Leaf[] memory leaves, AccountState[] memory states) {
        leaves = new Leaf[](1 << attestation.depthOf(id));
        states = new AccountState[](leaves.length);
        for (uint256 i; i < house.accounts(); ++i) (leaves[i], states[i]) = (truth(i), house.stateOf(i));
    }

    /// @dev Node 1 is the root, 2n and 2n + 1 the children of n.
    function treeOf(Leaf[] memory leaves) internal pure returns (Node[] memory nodes) {
        nodes = new Node[](2 * leaves.length);
        for (uint256 i; i < leaves.length; ++i) nodes[leaves.length + i] = SumTree.nodeOf(leaves[i]);
        raise(nodes, nodes.length);
    }

    /// @dev Every node above those from `below` on, which is even.
    function raise(Node[] memory nodes, uint256 below) internal pure {
        for (uint256 n = below / 2; n-- > 1;) nodes[n] = SumTree.parent(nodes[2 * n], nodes[2 * n + 1]);
    }

    function openingOf(Node[] memory nodes, Leaf[] memory leaves, uint256 index)
        internal
        pure
        returns (Attestation.Opening memory shown)
    {
        uint256 depth;
        while (1 << depth < leaves.length) ++depth;
        (shown.index, shown.leaf, shown.siblings) = (index, leaves[index], new Node[](depth));
        for (uint256 i; i < depth; ++i) shown.siblings[i] = nodes[(leaves.length + index >> i) ^ 1];
    }

    // Challenges.

    /// @dev What a call by the challenger reverts with, nothing where it goes through.
    function attempt(bytes memory data) internal returns (bytes4 reason) {
        vm.prank(CHALLENGER);
        (bool ok, bytes memory answer) = address(attestation).call(data);
        if (!ok) reason = bytes4(answer);
    }

    /// @dev Every challenge of a leaf until one goes through; all others say that nothing is false, that the state is not the
    /// one the leaf names, or that the leaf does not lead to the root.
    function challenged(uint256 id, Attestation.Opening memory shown, AccountState memory state) internal returns (bool) {
        if (_wins(abi.encodeCall(Attestation.challengeState, (id, shown)))) return true;
        if (_wins(abi.encodeCall(Attestation.challengeShortfall, (id, shown)))) return true;
        if (_wins(abi.encodeCall(Attestation.challengeEquity, (id, shown, state)))) return true;
        if (_wins(abi.encodeCall(Attestation.challengeTooHigh, (id, shown, state)))) return true;
        for (uint256 i; i < SCENARIOS; ++i) {
            if (_wins(abi.encodeCall(Attestation.challengeTooLow, (id, shown, state, i)))) return true;
        }
        return false;
    }

    function _wins(bytes memory data) private returns (bool) {
        bytes4 reason = attempt(data);
        bool expected = reason == 0 || reason == Attestation.NotFalse.selector;
        expected = expected || reason == Attestation.NotTheState.selector || reason == Attestation.NotInTheTree.selector;
        check(expected, "another reason");
        return reason == 0;
    }

    function statusOf(uint256 id) internal view returns (Attestation.Status status) {
        (status,,,,) = attestation.postingOf(id);
    }
}
