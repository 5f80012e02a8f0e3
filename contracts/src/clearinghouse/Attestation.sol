// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {Cash} from "./Cash.sol";
import {Clearinghouse} from "./Clearinghouse.sol";
import {FundTarget} from "./FundTarget.sol";
import {IMarkets, IScenarios, IValuation} from "./Interfaces.sol";
import {Moments} from "./Moments.sol";
import {Snapshot} from "./Snapshots.sol";
import {Figures, Leaf, Node, SumTree} from "./SumTree.sol";
import {AccountState, Portfolio, ScenarioSet} from "./Types.sol";

/// @title Attestation
/// @notice Posted sums of every account's solvency at a moment. Any false one has a challenge that anybody can make, and
/// none can be made to a true one: whoever posted a false one loses the bond.
/// @dev Order: moments; posting; challenges; leaves asked for; the end. docs/CLEARINGHOUSE.md says why it is so.
/// `keeper/margin/portfolio/clearinghouse/attestation.py` is the same in Python.
contract Attestation is FundTarget {
    using SafeERC20 for IERC20;
    using SumTree for Figures;

    enum Status {
        None,
        Begun,
        Posted,
        Refuted,
        Final
    }

    enum Falsehood {
        State,
        Equity,
        RequirementTooLow,
        RequirementTooHigh,
        Shortfall,
        Sums,
        Withheld
    }

    /// @notice Everything that is judged, as it was at a moment.
    /// @param data Where the markets, the scenarios and the interest are kept (`recorded`).
    /// @param change How many changes of accounts there had been.
    /// @param pledgesHeld Whether the house had all the collateral that it owes its accounts.
    /// @param owed Cash that the house owed, net of what accounts owed it (money); `held`, what it had.
    struct Moment {
        address data;
        uint40 time;
        uint40 accounts;
        bool pledgesHeld;
        uint64 change;
        uint256 owed;
        uint256 held;
        uint256 fund;
        uint256 target;
    }

    /// @param asked Leaves asked for and neither shown nor missed.
    struct Posting {
        Status status;
        address poster;
        uint40 time;
        uint32 asked;
        Node root;
    }

    /// @notice What interest until the moment is counted by.
    struct Interest {
        uint256 due;
        uint256 index;
    }

    /// @notice A leaf with the siblings of its path, from its own up.
    struct Opening {
        uint256 index;
        Leaf leaf;
        Node[] siblings;
    }

    /// @param until When it must be shown. 0 where it is shown.
    struct Demand {
        address by;
        uint40 until;
    }

    /// @dev A demand costs a share of the bond: more of them at once than can be answered in time would cost more than it.
    uint256 private constant DEMANDS = 256;
    uint256 private constant MOST_DEPTH = 24;

    Clearinghouse public immutable clearinghouse;
    Moments public immutable moments;
    IERC20 public immutable token;
    uint256 private immutable _unit;
    /// @notice What a poster stakes, in the cash token's units, and what asking for a leaf costs.
    uint256 public immutable bond;
    uint256 public immutable deposit;
    /// @notice Seconds in which a moment is posted and a leaf that is asked for is shown.
    uint256 public immutable response;

    /// @notice How many moments there have been: their numbers are below.
    uint256 public count;
    mapping(uint256 => Moment) public momentOf;
    mapping(uint256 => Posting) public postingOf;
    mapping(uint256 => mapping(uint256 => Demand)) public demandOf;

    event Begun(uint256 indexed id, Moment moment);
    event Posted(uint256 indexed id, address indexed poster, Node root);
    event Demanded(uint256 indexed id, uint256 indexed index, address by, uint256 until);
    event Shown(uint256 indexed id, Opening opening);
    event Refuted(uint256 indexed id, address indexed by, Falsehood falsehood, uint256 index);
    event Attested(uint256 indexed id, Figures sums, bool isSolvent);

    error TooEarly(uint256 notBefore);
    error TooLate(uint256 notAfter);
    error WrongStatus(Status status);
    error NoSuchLeaf(uint256 index);
    error NotInTheTree();
    error NotTheState();
    error NotFalse();
    error AlreadyAsked(uint256 index);
    error NotAsked(uint256 index);
    error LeavesMissing(uint256 asked);
    error TooManyAccounts(uint256 accounts);

    constructor(
        Clearinghouse clearinghouse_,
        Moments moments_,
        uint8 decimals,
        uint256 bond_,
        uint256 response_,
        uint128 target_,
        TargetBounds memory bounds_
    ) FundTarget(msg.sender, target_, bounds_) {
        (clearinghouse, moments, token) = (clearinghouse_, moments_, clearinghouse_.cashToken());
        (_unit, bond, deposit, response) = (10 ** (18 - decimals), bond_, bond_ / DEMANDS, response_);
        if (deposit == 0 || response < 10 minutes) revert BadBounds();
        token.forceApprove(address(clearinghouse_), type(uint256).max);
    }

    // Moments.

    /// @notice Keeps what everybody is and what everything costs now, as anybody may, but not before twice the response
    /// after the last time: so what an account was stays known for as long as anything hangs on it.
    function begin() external returns (uint256 id) {
        id = count++;
        if (id != 0) {
            uint256 from = momentOf[id - 1].time + 2 * response;
            if (block.timestamp < from) revert TooEarly(from);
        }
        Moment memory at;
        at.time = uint40(block.timestamp);
        at.change = clearinghouse.beginMoment();
        uint256 accounts = clearinghouse.accounts();
        if (accounts > 1 << MOST_DEPTH) revert TooManyAccounts(accounts);
        at.accounts = uint40(accounts);
        at.target = target;
        _count(at);
        at.data = SSTORE2.write(_now());
        momentOf[id] = at;
        postingOf[id].status = Status.Begun;
        emit Begun(id, at);
    }

    /// @notice What accounts are valued by: markets, the maintenance set, interest.
    function recorded(uint256 id) public view returns (Snapshot memory, ScenarioSet memory, Interest memory) {
        return abi.decode(SSTORE2.read(momentOf[id].data), (Snapshot, ScenarioSet, Interest));
    }

    function _now() private view returns (bytes memory) {
        (uint256 due, uint256 index) = clearinghouse.interest();
        ScenarioSet memory set = clearinghouse.margin().scenarios().set(false);
        return abi.encode(moments.snapshot(), set, Interest(due, index));
    }

    /// @dev Where the cash token is collateral too, what is pledged of it is not held against cash.
    function _count(Moment memory at) private view {
        (uint256 lent, uint256 owed,, int256 undistributed, uint256 fund,,) = clearinghouse.ledger();
        at.fund = fund;
        int256 net = int256(lent + fund) + undistributed - int256(owed);
        if (net > 0) at.owed = uint256(net);
        uint256 pledged;
        (at.pledgesHeld, pledged) = _pledges();
        uint256 there = token.balanceOf(address(clearinghouse));
        if (there > pledged) at.held = (there - pledged) * _unit;
    }

    function _pledges() private view returns (bool held, uint256 ofCash) {
        IMarkets markets = clearinghouse.markets();
        uint256 collaterals = markets.collaterals();
        held = true;
        for (uint256 i; i < collaterals; ++i) {
            (address coin,) = markets.collateral(i);
            uint256 pledged;
            for (uint256 k; k < collaterals; ++k) {
                (address other,) = markets.collateral(k);
                if (other == coin) pledged += clearinghouse.pledged(k);
            }
            if (coin == address(token)) ofCash = pledged;
            if (IERC20(coin).balanceOf(address(clearinghouse)) < pledged) held = false;
        }
    }

    // Posting.

    /// @notice Posts the sums of a moment with the root above its leaves, as anybody may once, for a bond.
    function post(uint256 id, Node calldata root) external {
        Posting storage at = _in(id, Status.Begun);
        uint256 until = momentOf[id].time + response;
        if (block.timestamp > until) revert TooLate(until);
        (at.status, at.poster, at.time, at.root) = (Status.Posted, msg.sender, uint40(block.timestamp), root);
        emit Posted(id, msg.sender, root);
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @notice The depth of a moment's tree: the least that has room for its accounts.
    function depthOf(uint256 id) public view returns (uint256) {
        return SumTree.depthFor(momentOf[id].accounts);
    }

    /// @notice Until when leaves are asked for. Each leaf that is shown tells which half of the tree beside it is false, so
    /// that as many answers as the tree is deep lead to a false leaf; there is time for two more.
    function demandsUntil(uint256 id) public view returns (uint256) {
        return postingOf[id].time + (depthOf(id) + 2) * response;
    }

    /// @notice Until when it may be challenged: the last leaf that is asked for can be shown, and be judged as long after.
    function challengesUntil(uint256 id) public view returns (uint256) {
        return demandsUntil(id) + 2 * response;
    }

    // Challenges. Each reverts with NotFalse where the leaf is right in what it is about.

    /// @notice The leaf's state hash is not the account's of that moment; or it is no account's, and not empty.
    function challengeState(uint256 id, Opening calldata shown) external {
        _requireShown(id, shown);
        Moment storage at = momentOf[id];
        if (shown.index < at.accounts) {
            (bytes32 state,) = clearinghouse.stateAfter(shown.index, at.change);
            if (shown.leaf.state == state) revert NotFalse();
        } else {
            Leaf memory empty;
            if (keccak256(abi.encode(shown.leaf)) == keccak256(abi.encode(empty))) revert NotFalse();
        }
        _refute(id, Falsehood.State, shown.index, msg.sender);
    }

    /// @notice The account's equity is another, be it by one.
    function challengeEquity(uint256 id, Opening calldata shown, AccountState calldata state) external {
        _requireShown(id, shown);
        (,, int256 equity) = _valued(id, shown.leaf, state);
        (uint256 above, uint256 below) = equity < 0 ? (uint256(0), uint256(-equity)) : (uint256(equity), uint256(0));
        Figures calldata stated = shown.leaf.figures;
        if (stated.equityAbove == above && stated.equityBelow == below) revert NotFalse();
        _refute(id, Falsehood.Equity, shown.index, msg.sender);
    }

    /// @notice The scenario takes more of the account's equity than the requirement stated.
    function challengeTooLow(uint256 id, Opening calldata shown, AccountState calldata state, uint256 scenario) external {
        _requireShown(id, shown);
        (Portfolio memory account, ScenarioSet memory set, int256 equity) = _valued(id, shown.leaf, state);
        int256 loss = equity - _valuation().valueIn(account, set, scenario);
        if (loss <= 0 || uint256(loss) <= shown.leaf.figures.requirement) revert NotFalse();
        _refute(id, Falsehood.RequirementTooLow, shown.index, msg.sender);
    }

    /// @notice No scenario takes as much of the account's equity as the requirement stated.
    function challengeTooHigh(uint256 id, Opening calldata shown, AccountState calldata state) external {
        _requireShown(id, shown);
        (Portfolio memory account, ScenarioSet memory set, int256 equity) = _valued(id, shown.leaf, state);
        (int256 least,) = _valuation().worst(account, set);
        uint256 requirement = equity > least ? uint256(equity - least) : 0;
        if (shown.leaf.figures.requirement <= requirement) revert NotFalse();
        _refute(id, Falsehood.RequirementTooHigh, shown.index, msg.sender);
    }

    /// @notice The leaf's shortfall is not what its equity lacks of its requirement.
    function challengeShortfall(uint256 id, Opening calldata shown) external {
        _requireShown(id, shown);
        Figures calldata stated = shown.leaf.figures;
        // As the sums do, so that no figure makes it revert; a leaf whose sum wraps is false in its equity or requirement.
        unchecked {
            uint256 needed = stated.requirement + stated.equityBelow;
            uint256 lacking = needed > stated.equityAbove ? needed - stated.equityAbove : 0;
            if (stated.shortfall == lacking) revert NotFalse();
        }
        _refute(id, Falsehood.Shortfall, shown.index, msg.sender);
    }

    /// @notice A node on the way to a leaf has other sums than its children. `pairs` are children, two by two, from the
    /// root's down; the last two are those of the false node.
    function challengeSums(uint256 id, uint256 index, Node[] calldata pairs) external {
        Node memory node = _challenged(id).root;
        uint256 depth = depthOf(id);
        if (index >> depth != 0) revert NoSuchLeaf(index);
        if (pairs.length % 2 != 0 || pairs.length > 2 * depth) revert NotInTheTree();
        for (uint256 i; i < pairs.length; i += 2) {
            Node memory both = SumTree.parent(pairs[i], pairs[i + 1]);
            if (both.hash != node.hash) revert NotInTheTree();
            if (!both.sums.same(node.sums)) return _refute(id, Falsehood.Sums, index, msg.sender);
            node = pairs[i + (index >> (depth - 1 - i / 2) & 1)];
        }
        revert NotFalse();
    }

    function _challenged(uint256 id) private view returns (Posting storage at) {
        at = _in(id, Status.Posted);
        uint256 until = challengesUntil(id);
        if (block.timestamp > until) revert TooLate(until);
    }

    function _in(uint256 id, Status status) private view returns (Posting storage at) {
        at = postingOf[id];
        if (at.status != status) revert WrongStatus(at.status);
    }

    function _requireShown(uint256 id, Opening calldata shown) private view {
        Node memory root = _challenged(id).root;
        uint256 depth = depthOf(id);
        if (shown.index >> depth != 0) revert NoSuchLeaf(shown.index);
        if (shown.siblings.length != depth) revert NotInTheTree();
        Node memory found = SumTree.rootAbove(shown.index, shown.leaf, shown.siblings);
        if (found.hash != root.hash || !found.sums.same(root.sums)) revert NotInTheTree();
    }

    /// @dev The account by the terms of that moment, with interest until then.
    function _valued(uint256 id, Leaf calldata leaf, AccountState calldata state)
        private
        view
        returns (Portfolio memory account, ScenarioSet memory set, int256 equity)
    {
        if (keccak256(abi.encode(state)) != leaf.state) revert NotTheState();
        Snapshot memory at;
        Interest memory interest;
        (at, set, interest) = recorded(id);
        account.cash = Cash.withInterest(
            state.cash,
            interest.due - state.due,
            interest.index - state.lendingIndex
        );
        account.pledges = moments.pledgesAt(at, state.collateral);
        (account.lines, account.contingency) = moments.linesAt(at, state.legs);
        equity = _valuation().equity(account);
    }

    function _valuation() private view returns (IValuation) {
        return clearinghouse.margin().valuation();
    }

    /// @dev Half to the winner. Were it all, a poster would lose nothing by winning against oneself in time: the other half
    /// goes to the insurance fund.
    function _refute(uint256 id, Falsehood falsehood, uint256 index, address winner) private {
        postingOf[id].status = Status.Refuted;
        emit Refuted(id, winner, falsehood, index);
        token.safeTransfer(winner, bond / 2);
        clearinghouse.contribute(bond - bond / 2);
    }

    // Leaves asked for.

    /// @notice Asks for a leaf, for a deposit that is the poster's when it is shown: so no leaf is hidden.
    function demand(uint256 id, uint256 index) external {
        Posting storage at = _in(id, Status.Posted);
        if (block.timestamp > demandsUntil(id)) revert TooLate(demandsUntil(id));
        if (index >> depthOf(id) != 0) revert NoSuchLeaf(index);
        if (demandOf[id][index].by != address(0)) revert AlreadyAsked(index);
        uint256 until = block.timestamp + response;
        demandOf[id][index] = Demand(msg.sender, uint40(until));
        ++at.asked;
        emit Demanded(id, index, msg.sender, until);
        token.safeTransferFrom(msg.sender, address(this), deposit);
    }

    /// @notice Shows a leaf that was asked for, as anybody may who knows it.
    function reveal(uint256 id, Opening calldata shown) external {
        _requireShown(id, shown);
        Demand storage asked = demandOf[id][shown.index];
        if (asked.until == 0) revert NotAsked(shown.index);
        if (block.timestamp > asked.until) revert TooLate(asked.until);
        asked.until = 0;
        Posting storage at = postingOf[id];
        --at.asked;
        emit Shown(id, shown);
        token.safeTransfer(at.poster, deposit);
    }

    /// @notice A leaf was asked for and not shown in time: the bond is won by whoever asked.
    function challengeWithheld(uint256 id, uint256 index) external {
        _in(id, Status.Posted);
        Demand memory asked = demandOf[id][index];
        if (asked.until == 0) revert NotAsked(index);
        if (block.timestamp <= asked.until) revert TooEarly(uint256(asked.until) + 1);
        _refute(id, Falsehood.Withheld, index, asked.by);
    }

    /// @notice Gives back the deposit for a leaf that was not shown, once the attestation is refuted.
    function refund(uint256 id, uint256 index) external {
        _in(id, Status.Refuted);
        Demand storage asked = demandOf[id][index];
        if (asked.until == 0) revert NotAsked(index);
        asked.until = 0;
        token.safeTransfer(asked.by, deposit);
    }

    // The end.

    /// @notice What nobody refuted stands. Whoever posted it gets the bond back.
    function finalize(uint256 id) external {
        Posting storage at = _in(id, Status.Posted);
        uint256 until = challengesUntil(id);
        if (block.timestamp <= until) revert TooEarly(until + 1);
        if (at.asked != 0) revert LeavesMissing(at.asked);
        at.status = Status.Final;
        emit Attested(id, at.root.sums, isSolvent(id));
        token.safeTransfer(at.poster, bond);
    }

    /// @notice Whether an attestation stands by which nobody lacked margin, the house held the cash and the collateral that
    /// it owed, and the fund had what it should have.
    function isSolvent(uint256 id) public view returns (bool) {
        Moment storage at = momentOf[id];
        Posting storage posting = postingOf[id];
        return posting.status == Status.Final && posting.root.sums.shortfall == 0 && at.pledgesHeld
            && at.owed <= at.held && at.fund >= at.target;
    }
}
