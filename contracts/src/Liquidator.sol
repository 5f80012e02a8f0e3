// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Batch, Errors, IAaveV3Lender, IUniswapV3Pool, Leg, Lender, Loan, Swap} from "./liquidator/ILiquidator.sol";
import {Swaps} from "./liquidator/Swaps.sol";
import {Tokens} from "./liquidator/Tokens.sol";

/// @title Liquidator
/// @notice Liquidates one or many accounts with money borrowed for the length of the transaction: borrows, carries
/// out each leg, exchanges what was seized, pays back, and sends what is left to its owner. A leg that fails does
/// not touch the others. It knows no protocol's liquidation: a leg is calls on a target.
///
/// Between calls it holds nothing and has given no allowance. Of no token that a batch names does it ever end with
/// less than it began with. Its operators are trusted to choose targets: what lies here by accident is theirs to
/// move, so nothing should lie here.
contract Liquidator is Swaps {
    using Tokens for address;

    /// @dev What the callbacks need besides the batch: the loan whose turn it is, the balances before everything,
    /// and what each token's balance must reach for all loans to be paid back.
    struct State {
        uint256 loan;
        uint256[] floors;
    }

    /// The lowest bit of `done`, which is always set, so that the word is never zero.
    uint256 private constant NONE_DONE = 1;
    uint256 private constant MOST_LEGS = 255;

    address public owner;
    address public pendingOwner;
    mapping(address operator => bool) public isOperator;

    /// @dev Bit i + 1: leg i of the batch under way has worked.
    uint256 private done = NONE_DONE;
    /// @dev What was held of a leg's `gets` before its target called back, and one more: never zero.
    uint256 private heldBefore = 1;

    event OwnerSet(address indexed owner);
    event OperatorSet(address indexed operator, bool allowed);
    event LegDone(uint64 indexed id, uint256 got);
    event LegFailed(uint64 indexed id, bytes reason);
    event Profit(address indexed token, uint256 amount);

    constructor(address owner_, address operator) {
        owner = owner_;
        emit OwnerSet(owner_);
        if (operator == address(0)) return;
        isOperator[operator] = true;
        emit OperatorSet(operator, true);
    }

    receive() external payable {}

    modifier onlyOwner() {
        if (msg.sender != owner) revert Errors.NotOwner();
        _;
    }

    modifier onlyOperator() {
        if (msg.sender != owner && !isOperator[msg.sender]) revert Errors.NotOperator();
        _;
    }

    /* THE OWNER'S WILL */

    /// @notice Names the next owner, who must accept.
    function setOwner(address next) external onlyOwner {
        pendingOwner = next;
    }

    /// @notice Accepts the ownership.
    function acceptOwner() external {
        if (msg.sender != pendingOwner) revert Errors.NotOwner();
        (owner, pendingOwner) = (msg.sender, address(0));
        emit OwnerSet(msg.sender);
    }

    /// @notice Allows or forbids `operator` to carry out batches.
    function setOperator(address operator, bool allowed) external onlyOwner {
        isOperator[operator] = allowed;
        emit OperatorSet(operator, allowed);
    }

    /// @notice Sends what has been stuck here. The zero address as token means the native currency.
    function rescue(address token, address to, uint256 amount) external onlyOwner alone {
        if (token == address(0)) _sendNative(to, amount);
        else token.give(to, amount);
    }

    /* LIQUIDATING */

    /// @notice Carries out a batch; reverts with the last leg's reason when not one leg works, and when it earns
    /// less than asked for: `minProfit` of the batch and of each leg that works.
    /// @return worked Bit i: leg i has worked.
    function liquidate(Batch calldata batch) external onlyOperator alone returns (uint256 worked) {
        if (batch.legs.length > MOST_LEGS) revert Errors.TooManyLegs();
        uint256[] memory before = _balances(batch.tokens);
        uint256 native = address(this).balance;

        _next(batch, State(0, _copied(before)));

        worked = done >> 1;
        done = NONE_DONE;
        uint256 wanted = batch.minProfit;
        for (uint256 i; i < batch.legs.length; ++i) {
            if (worked >> i & 1 != 0) wanted += batch.legs[i].minProfit;
        }
        for (uint256 i; i < batch.tokens.length; ++i) {
            uint256 profit = _pay(batch.tokens[i], before[i]);
            if (i == 0 && profit < wanted) revert Errors.TooLittleProfit(profit, wanted);
        }
        if (address(this).balance > native) _sendNative(owner, address(this).balance - native);
    }

    /// @dev Takes the next loan, or, with all loans taken, does what they are for.
    function _next(Batch memory batch, State memory state) private {
        if (state.loan == batch.loans.length) return _work(batch, state);
        Loan memory loan = batch.loans[state.loan];
        address token = batch.tokens[loan.token];
        bytes memory data = abi.encode(batch, state);
        if (loan.kind == Lender.AaveV3) {
            _expect(loan.lender, this.executeOperation.selector);
            IAaveV3Lender(loan.lender).flashLoanSimple(address(this), token, loan.amount, data, 0);
        } else {
            bool first = IUniswapV3Pool(loan.lender).token0() == token;
            _expect(loan.lender, this.uniswapV3FlashCallback.selector);
            (uint256 amount0, uint256 amount1) = first ? (loan.amount, uint256(0)) : (0, loan.amount);
            IUniswapV3Pool(loan.lender).flash(address(this), amount0, amount1, data);
        }
        _called();
    }

    /// @dev All legs, then the exchanges they share.
    function _work(Batch memory batch, State memory state) private {
        bytes memory reason;
        uint256 worked = NONE_DONE;
        for (uint256 i; i < batch.legs.length; ++i) {
            Leg memory leg = batch.legs[i];
            uint256 left = gasleft();
            if (left <= batch.reserve) {
                reason = abi.encodeWithSelector(Errors.NotEnoughGas.selector, left);
                emit LegFailed(leg.id, reason);
                continue;
            }
            left -= batch.reserve;
            if (left > leg.gas) left = leg.gas;
            uint256 before = gasleft();
            try this.take{gas: left}(leg, batch.tokens) returns (uint256 got) {
                worked |= 2 << i;
                emit LegDone(leg.id, got);
            } catch (bytes memory why) {
                bool starved = _starved(why, left, before - gasleft());
                reason = starved ? abi.encodeWithSelector(Errors.OutOfGas.selector, left) : why;
                emit LegFailed(leg.id, reason);
            }
        }
        if (worked == NONE_DONE) _revert(reason);
        done = worked;
        for (uint256 i; i < batch.swaps.length; ++i) _swap(batch.swaps[i], batch.tokens, state.floors);
    }

    /// @notice One leg, in a call of its own so that it works whole or not at all. Only for this contract itself.
    /// @return got Units of `gets` that the calls brought; zero where they are exchanged on the way.
    function take(Leg calldata leg, address[] calldata tokens) external within returns (uint256 got) {
        if (leg.target.code.length == 0) revert Errors.NoCode(leg.target);
        address pays = tokens[leg.pays];
        address gets = tokens[leg.gets];
        uint256[] memory floors = leg.swaps.length != 0 ? _balances(tokens) : new uint256[](0);
        uint256 before = leg.swaps.length != 0 ? floors[leg.gets] : gets.held();

        if (leg.callback) {
            heldBefore = before + 1;
            _expect(leg.target, this.onMorphoLiquidate.selector);
        } else if (leg.allowance != 0) pays.allow(leg.target, leg.allowance);
        for (uint256 i; i < leg.calls.length; ++i) {
            (bool ok, bytes memory answer) = leg.target.call(leg.calls[i]);
            if (!ok) _revert(answer);
        }
        if (leg.callback) {
            _called();
            pays.disallow(leg.target);
            return 0;
        }
        if (leg.allowance != 0) pays.disallow(leg.target);

        uint256 present = gets.held();
        got = present > before ? present - before : 0;
        if (got < leg.minGot) revert Errors.TooLittleGot(got);
        for (uint256 i; i < leg.swaps.length; ++i) _swap(leg.swaps[i], tokens, floors);
    }

    /* CALLBACKS */

    /// @notice Aave's: the loan is here; with `premium` it is taken back when this returns.
    function executeOperation(address asset, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        expectedFor(this.executeOperation.selector)
        returns (bool)
    {
        if (initiator != address(this)) revert Errors.UnexpectedCallback();
        _borrowed(params, premium);
        asset.allow(msg.sender, amount + premium);
        return true;
    }

    /// @notice Uniswap's: the loan is here; it is to be sent back with the fee before this returns.
    function uniswapV3FlashCallback(uint256 fee0, uint256 fee1, bytes calldata data)
        external
        expectedFor(this.uniswapV3FlashCallback.selector)
    {
        uint256 fee = fee0 + fee1;
        (address token, uint256 amount) = _borrowed(data, fee);
        token.give(msg.sender, amount + fee);
    }

    /// @notice Morpho's, and of whoever does it the same way: what was seized is here, `repaid` is owed for it.
    /// @param data What the caller put into the leg's call: the batch's tokens, the leg's `pays` and `gets`, and the
    /// exchanges that bring what is owed.
    function onMorphoLiquidate(uint256 repaid, bytes calldata data)
        external
        expectedFor(this.onMorphoLiquidate.selector)
    {
        (address[] memory tokens, uint8 pays, uint8 gets, Swap[] memory swaps) =
            abi.decode(data, (address[], uint8, uint8, Swap[]));
        uint256[] memory floors = new uint256[](tokens.length);
        for (uint256 i; i < tokens.length; ++i) floors[i] = tokens[i].held();
        // What was seized counts as it came: the second at which a debt is repaid decides, which nobody can plan.
        floors[gets] = heldBefore - 1;
        floors[pays] += repaid;
        for (uint256 i; i < swaps.length; ++i) _swap(swaps[i], tokens, floors);
        tokens[pays].allow(msg.sender, repaid);
    }

    /// @dev A loan has come: what is owed for it now counts as a floor, and the next thing can be done.
    function _borrowed(bytes calldata data, uint256 fee) private returns (address token, uint256 amount) {
        (Batch memory batch, State memory state) = abi.decode(data, (Batch, State));
        Loan memory loan = batch.loans[state.loan];
        (token, amount) = (batch.tokens[loan.token], loan.amount);
        state.floors[loan.token] += amount + fee;
        ++state.loan;
        _next(batch, state);
    }

    /* BALANCES */

    function _balances(address[] calldata tokens) private view returns (uint256[] memory found) {
        found = new uint256[](tokens.length);
        for (uint256 i; i < tokens.length; ++i) found[i] = tokens[i].held();
    }

    function _copied(uint256[] memory values) private pure returns (uint256[] memory copy) {
        copy = new uint256[](values.length);
        for (uint256 i; i < values.length; ++i) copy[i] = values[i];
    }

    /// @dev Sends the owner what was gained of a token.
    function _pay(address token, uint256 before) private returns (uint256 gained) {
        uint256 present = token.held();
        if (present < before) revert Errors.Loss(token);
        gained = present - before;
        if (gained == 0) return 0;
        token.give(owner, gained);
        emit Profit(token, gained);
    }

    /// @dev Whether a leg failed for want of gas: it gave no reason and burned most of what it was given. Calls into
    /// calls each keep a 64th back, so that not all of it is gone.
    function _starved(bytes memory why, uint256 given, uint256 burned) private pure returns (bool) {
        if (why.length != 0 && bytes4(why) != Errors.NothingDone.selector) return false;
        return burned >= given / 8 * 7;
    }

    function _sendNative(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert Errors.TokenCallFailed(address(0));
    }

    function _revert(bytes memory reason) private pure {
        if (reason.length == 0) revert Errors.NothingDone();
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
