// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Attestation} from "../../../src/clearinghouse/Attestation.sol";
import {Clearinghouse} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Feed} from "../../../src/clearinghouse/Feeds.sol";
import {FundTarget} from "../../../src/clearinghouse/FundTarget.sol";
import {Markets} from "../../../src/clearinghouse/Markets.sol";
import {Figures, Leaf, Node} from "../../../src/clearinghouse/SumTree.sol";
import {AccountState, Instrument, Kind} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";
import {AttestedHouse, HookEther} from "./AttestedHouse.sol";

contract AttestationTest is AttestedHouse {
    uint256 private constant ANN = 0xA11CE;
    uint256 private constant BOB = 0xB0B;
    uint256 private constant KINDS = 15;

    function setUp() public {
        buildAttested();
    }

    /* NO TRUE ROOT IS REFUTED */

    /// forge-config: default.fuzz.runs = 8
    /// forge-config: soak.fuzz.runs = 1000
    function test_noChallengeToATrueRoot(uint256 seed) public {
        book(seed);
        uint256 id = attestation.begin();
        (Leaf[] memory leaves, AccountState[] memory states) = truths(id);
        Node[] memory nodes = treeOf(leaves);
        attestation.post(id, nodes[1]);
        _afterwards(id);
        for (uint256 i; i < leaves.length; ++i) {
            check(!challenged(id, openingOf(nodes, leaves, i), states[i]), "refuted a true leaf");
            bytes4 reason = attempt(abi.encodeCall(Attestation.challengeSums, (id, i, _path(nodes, i))));
            check(reason == Attestation.NotFalse.selector, "refuted true sums");
        }
        vm.warp(attestation.challengesUntil(id) + 1);
        uint256 before = dollars.balanceOf(address(this));
        attestation.finalize(id);
        check(dollars.balanceOf(address(this)) == before + BOND, "the bond");
    }

    function test_interestCountsUntilTheMomentAndNoLonger() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 50_000, 0), rich(BOB, 0, 100));
        vm.prank(vm.addr(BOB));
        house.withdrawCash(bob, 20_000 * DOLLAR, address(this));
        vm.warp(block.timestamp + 10 days);
        house.depositCash(bob, 1);
        vm.warp(block.timestamp + 10 days);
        uint256 id = attestation.begin();
        check(house.cashOf(ann) > 50_000e18 && house.cashOf(bob) < house.stateOf(bob).cash, "both have interest");
        (Leaf[] memory leaves, AccountState[] memory states) = truths(id);
        Node[] memory nodes = treeOf(leaves);
        attestation.post(id, nodes[1]);
        vm.warp(block.timestamp + 1 hours);
        house.depositCash(bob, 1);
        check(!challenged(id, openingOf(nodes, leaves, ann), states[ann]), "the lender");
        check(!challenged(id, openingOf(nodes, leaves, bob), states[bob]), "the debtor");
    }

    /* EVERY FALSE LEAF IS REFUTED */

    /// forge-config: default.fuzz.runs = 45
    /// forge-config: soak.fuzz.runs = 5000
    function test_everyFalseLeafHasAChallenge(uint256 seed, uint256 kind) public {
        kind %= KINDS;
        book(seed);
        uint256 account = draw(house.accounts());
        bytes32 earlier = keccak256(abi.encode(house.stateOf(account)));
        house.depositCash(account, 1);
        uint256 id = attestation.begin();
        (Leaf[] memory leaves, AccountState[] memory states) = truths(id);
        bytes32 true_ = keccak256(abi.encode(leaves));
        _falsify(leaves, account, kind, earlier);
        Node[] memory nodes = treeOf(leaves);
        if (kind == 13 || (kind == 12 && leaves.length > 1)) {
            uint256 n = kind == 13 ? leaves.length + account : 1 + draw(leaves.length - 1);
            if (kind == 13) nodes[n].hash = bytes32(draw(type(uint256).max));
            else nodes[n].sums.requirement += 1;
            raise(nodes, n + 2);
        } else if (keccak256(abi.encode(leaves)) == true_) {
            ++leaves[account].figures.equityAbove;
            nodes = treeOf(leaves);
        }
        attestation.post(id, nodes[1]);
        _afterwards(id);
        if (kind == 13 || (kind == 12 && draw(2) == 0 && leaves.length > 1)) return _withheld(id, nodes, leaves, account);
        (,,,, uint256 fund,,) = house.ledger();
        check(_refutes(id, nodes, leaves, states, account), "a falsehood without a challenge");
        check(statusOf(id) == Attestation.Status.Refuted, "refuted");
        check(dollars.balanceOf(CHALLENGER) == 1_000e6 + BOND / 2, "half of the bond");
        (,,,, uint256 now_,,) = house.ledger();
        check(now_ == fund + BOND / 2 * 1e12, "half to the fund");
        check(dollars.balanceOf(address(attestation)) == 0, "nothing stays");
    }

    function _falsify(Leaf[] memory leaves, uint256 i, uint256 kind, bytes32 earlier) private {
        Figures memory at = leaves[i].figures;
        uint256 accounts = house.accounts();
        if (kind == 0) (at.equityBelow != 0) ? --at.equityBelow : ++at.equityAbove;
        if (kind == 1) (at.equityAbove != 0) ? --at.equityAbove : ++at.equityBelow;
        if (kind == 2) ++at.requirement;
        if (kind == 3) at.requirement != 0 ? --at.requirement : ++at.requirement;
        if (kind == 8) (at.equityAbove, at.equityBelow) = (at.equityAbove + 1, at.equityBelow + 1);
        if (kind == 14) {
            (at.equityAbove, at.requirement) = (draw(type(uint256).max), draw(type(uint256).max));
        }
        fit(at);
        if (kind == 4) ++at.shortfall;
        if (kind == 5) at.shortfall != 0 ? --at.shortfall : ++at.shortfall;
        if (kind == 6) leaves[i].state = bytes32(draw(type(uint256).max));
        if (kind == 7) leaves[i].state = earlier;
        if (kind == 9) leaves[i] = leaves[draw(accounts)];
        if (kind == 10) {
            for (uint256 k = i; k + 1 < accounts; ++k) leaves[k] = leaves[k + 1];
            Leaf memory empty;
            leaves[accounts - 1] = empty;
        }
        if (kind == 11 && accounts < leaves.length) leaves[accounts + draw(leaves.length - accounts)] = leaves[i];
    }

    function _refutes(
        uint256 id,
        Node[] memory nodes,
        Leaf[] memory leaves,
        AccountState[] memory states,
        uint256 first
    ) private returns (bool) {
        for (uint256 k; k < leaves.length; ++k) {
            uint256 i = (first + k) % leaves.length;
            if (attempt(abi.encodeCall(Attestation.challengeSums, (id, i, _path(nodes, i)))) == 0) return true;
            if (challenged(id, openingOf(nodes, leaves, i), states[i])) return true;
        }
        return false;
    }

    /// @dev Nobody has anything to show for it.
    function _withheld(uint256 id, Node[] memory nodes, Leaf[] memory leaves, uint256 account) private {
        uint256 i;
        while (i < leaves.length - 1 && _isShown(id, openingOf(nodes, leaves, i))) ++i;
        check(!_isShown(id, openingOf(nodes, leaves, i)), "a leaf that cannot be shown");
        check(nodes[leaves.length + account].hash != 0, "not empty");
        vm.prank(CHALLENGER);
        attestation.demand(id, i);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooEarly.selector, block.timestamp + RESPONSE + 1));
        attestation.challengeWithheld(id, i);
        vm.warp(block.timestamp + RESPONSE + 1);
        attestation.challengeWithheld(id, i);
        check(dollars.balanceOf(CHALLENGER) == 1_000e6 - BOND / 256 + BOND / 2, "whoever asked wins");
        attestation.refund(id, i);
        check(dollars.balanceOf(CHALLENGER) == 1_000e6 + BOND / 2, "and has the deposit back");
        vm.expectRevert(abi.encodeWithSelector(Attestation.NotAsked.selector, i));
        attestation.refund(id, i);
    }

    function _isShown(uint256 id, Attestation.Opening memory shown) private returns (bool) {
        return attempt(abi.encodeCall(Attestation.challengeState, (id, shown))) != Attestation.NotInTheTree.selector;
    }

    /// @dev The children on the way to a leaf, from the root's down to the first that do not add up.
    function _path(Node[] memory nodes, uint256 index) private pure returns (Node[] memory pairs) {
        uint256 depth;
        while (2 << depth < nodes.length) ++depth;
        Node[] memory all = new Node[](2 * depth);
        for (uint256 i; i < depth; ++i) {
            uint256 n = (nodes.length / 2 + index) >> (depth - i);
            (all[2 * i], all[2 * i + 1]) = (nodes[2 * n], nodes[2 * n + 1]);
        }
        return all;
    }

    /// @dev Time passes, prices move, accounts change many times and markets close: nothing of it matters.
    function _afterwards(uint256 id) private {
        vm.warp(block.timestamp + draw(attestation.demandsUntil(id) - block.timestamp));
        eth.set(int256(1_000e8 + draw(2_500e8)));
        uint256 account = draw(house.accounts());
        for (uint256 i; i < 20; ++i) house.depositCash(account, 1);
        house.realize(draw(house.accounts()));
        house.open();
    }

    /* HISTORY */

    function test_noAccountForgetsWhatItWasWhileAnythingHangsOnIt() public {
        uint256 ann = rich(ANN, 100, 0);
        uint256 id = attestation.begin();
        bytes32 state = keccak256(abi.encode(house.stateOf(ann)));
        for (uint256 i; i < 15; ++i) {
            for (uint256 k; k < 20; ++k) house.depositCash(ann, 1);
            (bytes32 found,) = house.stateAfter(ann, _change(id));
            check(found == state, "forgotten");
            vm.warp(block.timestamp + 2 * RESPONSE);
            if (i < 14) attestation.begin();
        }
        // Fifteen times twice the response: longer than the deepest tree is challenged.
        check(15 * 2 * RESPONSE >= (24 + 5) * RESPONSE, "long enough");
        vm.expectRevert(abi.encodeWithSelector(Clearinghouse.NotAllowed.selector));
        house.beginMoment();
    }

    function _change(uint256 id) private view returns (uint64 change) {
        (,,,, change,,,,) = attestation.momentOf(id);
    }

    /// @dev Tokens on their way in would count as held, and not yet as owed.
    function test_noMomentBeginsInTheMiddleOfAChange() public {
        HookEther hooked = new HookEther();
        markets.setCollateral(
            1, Markets.Collateral(Feed(address(eth), 30 days, 8, 1e8, 1e14), 1, 0, 0, address(hooked), 0, 1e24)
        );
        hooked.mint(address(this), 1e18);
        hooked.approve(address(house), 1e18);
        uint256 ann = rich(ANN, 100, 0);
        hooked.hook(address(attestation), abi.encodeCall(Attestation.begin, ()));
        vm.expectRevert(abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector));
        house.deposit(ann, 1, 1e18);
    }

    /* GAS */

    function test_theLargestAccountIsJudgedInATransaction() public {
        (uint256 ann, uint256 bob) = (rich(ANN, 10_000_000, 1_000), rich(BOB, 10_000_000, 1_000));
        for (uint256 i; i < 16; ++i) {
            Instrument memory terms = Instrument(i % 2 == 0 ? Kind.Call : Kind.Put, ETH, expiry, uint64(1_600 + 50 * i) * 1e9);
            uint32 instrument = options.list(terms);
            traded(ANN, ann, BOB, bob, instrument, ONE, markets.markOf(instrument));
        }
        _mostScenarios();
        uint256 gas = gasleft();
        uint256 id = attestation.begin();
        check(gas - gasleft() < 1_500_000, "a moment");
        (Leaf[] memory leaves, AccountState[] memory states) = truths(id);
        ++leaves[bob].figures.requirement;
        fit(leaves[bob].figures);
        Node[] memory nodes = treeOf(leaves);
        attestation.post(id, nodes[1]);
        bytes memory data =
            abi.encodeCall(Attestation.challengeTooHigh, (id, openingOf(nodes, leaves, bob), states[bob]));
        gas = gasleft();
        check(attempt(data) == 0, "refuted");
        check(gas - gasleft() < 5_000_000, "less than a third of what a transaction may take");
    }

    /// @dev Forty-eight scenarios, all in the maintenance set.
    function _mostScenarios() private {
        bytes memory steps;
        for (int16 i; i < 48; ++i) steps = abi.encodePacked(steps, i * 100, -i * 100, i, i, i, i, -i * 100);
        scenarios.replace(2, 1, 48, steps);
        vm.warp(block.timestamp + 1 days);
    }

    /* TIMES AND BONDS */

    function _posted() private returns (uint256 id, Leaf[] memory leaves, Node[] memory nodes) {
        rich(ANN, 100, 1);
        rich(ANN, 200, 0);
        rich(ANN, 0, 0);
        id = attestation.begin();
        (leaves,) = truths(id);
        nodes = treeOf(leaves);
        attestation.post(id, nodes[1]);
    }

    function test_aMomentIsPostedOnceAndSoonAndForABond() public {
        (uint256 id,, Node[] memory nodes) = _posted();
        vm.expectRevert(abi.encodeWithSelector(Attestation.WrongStatus.selector, Attestation.Status.Posted));
        attestation.post(id, nodes[1]);
        vm.expectRevert(abi.encodeWithSelector(Attestation.WrongStatus.selector, Attestation.Status.None));
        attestation.post(id + 1, nodes[1]);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooEarly.selector, block.timestamp + 2 * RESPONSE));
        attestation.begin();
        vm.warp(block.timestamp + 2 * RESPONSE);
        id = attestation.begin();
        vm.prank(CHALLENGER);
        vm.expectRevert();
        attestation.post(id, nodes[1]);
        uint256 until = block.timestamp + RESPONSE;
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooLate.selector, until));
        attestation.post(id, nodes[1]);
    }

    function test_aLeafIsShownInTimeForTheDeposit() public {
        (uint256 id, Leaf[] memory leaves, Node[] memory nodes) = _posted();
        vm.prank(CHALLENGER);
        attestation.demand(id, 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.AlreadyAsked.selector, 1));
        attestation.demand(id, 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.NoSuchLeaf.selector, 4));
        attestation.demand(id, 4);
        vm.expectRevert(abi.encodeWithSelector(Attestation.NotAsked.selector, 2));
        attestation.reveal(id, openingOf(nodes, leaves, 2));
        vm.expectRevert(abi.encodeWithSelector(Attestation.NotInTheTree.selector));
        attestation.reveal(id, openingOf(nodes, treeless(leaves), 1));
        uint256 before = dollars.balanceOf(address(this));
        vm.warp(block.timestamp + RESPONSE);
        attestation.reveal(id, openingOf(nodes, leaves, 1));
        check(dollars.balanceOf(address(this)) == before + BOND / 256, "the deposit is the poster's");
        vm.expectRevert(abi.encodeWithSelector(Attestation.NotAsked.selector, 1));
        attestation.challengeWithheld(id, 1);
    }

    function treeless(Leaf[] memory leaves) private pure returns (Leaf[] memory other) {
        other = new Leaf[](leaves.length);
    }

    function test_aLeafShownTooLateIsWithheld() public {
        (uint256 id, Leaf[] memory leaves, Node[] memory nodes) = _posted();
        uint256 until = attestation.demandsUntil(id);
        vm.warp(until);
        vm.prank(CHALLENGER);
        attestation.demand(id, 3);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooLate.selector, until));
        attestation.demand(id, 2);
        vm.warp(until + RESPONSE + 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooLate.selector, until + RESPONSE));
        attestation.reveal(id, openingOf(nodes, leaves, 3));
        vm.warp(attestation.challengesUntil(id) + 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.LeavesMissing.selector, 1));
        attestation.finalize(id);
        attestation.challengeWithheld(id, 3);
        check(statusOf(id) == Attestation.Status.Refuted, "refuted");
    }

    function test_nobodyChallengesTooLate() public {
        rich(ANN, 100, 1);
        uint256 id = attestation.begin();
        (Leaf[] memory leaves,) = truths(id);
        ++leaves[0].figures.shortfall;
        Node[] memory nodes = treeOf(leaves);
        attestation.post(id, nodes[1]);
        uint256 until = attestation.challengesUntil(id);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooEarly.selector, until + 1));
        attestation.finalize(id);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(Attestation.TooLate.selector, until));
        attestation.challengeShortfall(id, openingOf(nodes, leaves, 0));
        attestation.finalize(id);
        vm.expectRevert(abi.encodeWithSelector(Attestation.WrongStatus.selector, Attestation.Status.Final));
        attestation.challengeShortfall(id, openingOf(nodes, leaves, 0));
    }

    /* TOTALS */

    function test_solventIsWhoHoldsWhatIsOwedAndHasAFund() public {
        (uint256 id,,) = _posted();
        (,,,,, uint256 owed, uint256 held, uint256 fund,) = attestation.momentOf(id);
        check(owed == 1_300e18 && held == owed && fund == 1_000e18, "totals");
        check(!attestation.isSolvent(id), "not before it stands");
        vm.warp(attestation.challengesUntil(id) + 1);
        attestation.finalize(id);
        check(attestation.isSolvent(id), "solvent");
        attestation.publishTarget(1_001e18);
        id = attestation.begin();
        (Leaf[] memory leaves,) = truths(id);
        attestation.post(id, treeOf(leaves)[1]);
        vm.warp(attestation.challengesUntil(id) + 1);
        attestation.finalize(id);
        check(!attestation.isSolvent(id), "the fund is small");
    }

    function test_theTargetMovesWithinItsBounds() public {
        vm.prank(CHALLENGER);
        vm.expectRevert(abi.encodeWithSelector(FundTarget.NotThePublisher.selector));
        attestation.publishTarget(1_000e18);
        vm.expectRevert(abi.encodeWithSelector(FundTarget.OutOfBounds.selector, 1_101e18, 950e18, 1_100e18));
        attestation.publishTarget(1_101e18);
        attestation.publishTarget(950e18);
        vm.expectRevert(abi.encodeWithSelector(FundTarget.TooSoon.selector, block.timestamp + 1 days));
        attestation.publishTarget(951e18);
        FundTarget.TargetBounds memory next = targetBounds();
        next.floor = 951e18;
        vm.expectRevert(abi.encodeWithSelector(FundTarget.OutOfBounds.selector, 950e18, 951e18, 2_000e18));
        attestation.boundTarget(next);
        next.floor = 940e18;
        attestation.boundTarget(next);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(FundTarget.OutOfBounds.selector, 939e18, 940e18, 1_045e18));
        attestation.publishTarget(939e18);
    }
}
