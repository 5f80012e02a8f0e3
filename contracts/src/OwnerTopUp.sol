// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @dev What an Aave v3 Pool of every version does for somebody else's account.
interface ITopUpPool {
    function supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode) external;
    function repay(address asset, uint256 amount, uint256 rateMode, address onBehalfOf) external returns (uint256);
}

interface ITopUpToken {
    function allowance(address owner, address spender) external view returns (uint256);
    function approve(address spender, uint256 amount) external;
    function balanceOf(address account) external view returns (uint256);
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
    function transfer(address to, uint256 amount) external;
    function transferFrom(address from, address to, uint256 amount) external;
}

/// @title OwnerTopUp
/// @notice Lets operators that an owner names strengthen that owner's own position with the owner's own tokens:
/// supply to it or repay for it, in one pool, up to a limit a token and day. Nothing else can be done with an
/// allowance given to this contract; it holds no tokens and leaves no allowance between calls.
contract OwnerTopUp {
    struct Limit {
        /// Most token units a day (UTC). Zero: the token may not be spent.
        uint128 perDay;
        uint128 spent;
        /// Day (Unix time / 1 days) that `spent` is of.
        uint64 day;
    }

    ITopUpPool public immutable POOL;

    mapping(address owner => mapping(address operator => bool)) public isOperator;
    mapping(address owner => mapping(address token => Limit)) public limits;

    bool private entered;

    event OperatorSet(address indexed owner, address indexed operator, bool allowed);
    event LimitSet(address indexed owner, address indexed token, uint128 perDay);
    event ToppedUp(address indexed owner, address indexed token, address indexed operator, bool repaid, uint256 amount);

    error NoPool();
    error NotOperator();
    error ZeroAmount();
    error LimitExceeded(uint256 left);
    error TokenCallFailed(address token);
    error WrongAmountReceived(uint256 received);
    error Reentered();

    constructor(ITopUpPool pool) {
        if (address(pool).code.length == 0) revert NoPool();
        POOL = pool;
    }

    modifier onlyOperatorOf(address owner) {
        if (!isOperator[owner][msg.sender]) revert NotOperator();
        if (entered) revert Reentered();
        entered = true;
        _;
        entered = false;
    }

    /* THE OWNER'S WILL */

    /// @notice Allows or forbids `operator` to top up the caller's position.
    function setOperator(address operator, bool allowed) external {
        isOperator[msg.sender][operator] = allowed;
        emit OperatorSet(msg.sender, operator, allowed);
    }

    /// @notice Sets how much of the caller's `token` may be spent a day (UTC). What was spent today still counts.
    function setLimit(address token, uint128 perDay) external {
        limits[msg.sender][token].perDay = perDay;
        emit LimitSet(msg.sender, token, perDay);
    }

    /// @notice Token units of the owner's that may still be spent today; allowance and balance are not looked at.
    function leftToday(address owner, address token) public view returns (uint256) {
        Limit memory limit = limits[owner][token];
        uint256 spent = limit.day == _today() ? limit.spent : 0;
        return spent < limit.perDay ? limit.perDay - spent : 0;
    }

    /* TOPPING UP */

    /// @notice Supplies `amount` of the owner's `token` to the owner's own account.
    function supply(address owner, address token, uint256 amount) external onlyOperatorOf(owner) {
        uint256 before = _pull(owner, token, amount);
        POOL.supply(token, amount, owner, 0);
        _finish(owner, token, amount, before, false);
    }

    /// @notice Repays up to `amount` of the owner's debt with the owner's `token`; what is not owed goes back.
    function repay(address owner, address token, uint256 amount, uint256 rateMode) external onlyOperatorOf(owner) {
        uint256 before = _pull(owner, token, amount);
        POOL.repay(token, amount, rateMode, owner);
        _finish(owner, token, amount, before, true);
    }

    /// @notice Uses an allowance that the owner signed (EIP-2612) before topping up with it, in one transaction.
    /// A signature that somebody else has used already is no failure: the allowance decides.
    /// @param data `supply` or `repay` with its arguments, as `msg.data` would have them.
    function permitAndCall(
        address owner,
        address token,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s,
        bytes calldata data
    ) external {
        try ITopUpToken(token).permit(owner, address(this), value, deadline, v, r, s) {} catch {}
        // To itself, so that only its own functions are reached, and the caller stays who it is.
        (bool ok, bytes memory answer) = address(this).delegatecall(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    /// @dev Counts the amount, takes it from the owner and allows the pool exactly it.
    /// @return before What of the token lay here by accident: never spent, never sent back.
    function _pull(address owner, address token, uint256 amount) private returns (uint256 before) {
        if (amount == 0) revert ZeroAmount();
        uint256 left = leftToday(owner, token);
        if (amount > left) revert LimitExceeded(left);
        Limit storage limit = limits[owner][token];
        if (limit.day != _today()) (limit.day, limit.spent) = (uint64(_today()), 0);
        limit.spent += uint128(amount);

        before = ITopUpToken(token).balanceOf(address(this));
        _call(token, abi.encodeCall(ITopUpToken.transferFrom, (owner, address(this), amount)));
        uint256 received = ITopUpToken(token).balanceOf(address(this)) - before;
        if (received != amount) revert WrongAmountReceived(received);
        _call(token, abi.encodeCall(ITopUpToken.approve, (address(POOL), amount)));
    }

    /// @dev Takes back what allowance is left, and returns what the pool did not take.
    function _finish(address owner, address token, uint256 amount, uint256 before, bool repaid) private {
        if (ITopUpToken(token).allowance(address(this), address(POOL)) != 0) {
            _call(token, abi.encodeCall(ITopUpToken.approve, (address(POOL), 0)));
        }
        uint256 rest = ITopUpToken(token).balanceOf(address(this)) - before;
        if (rest != 0) {
            limits[owner][token].spent -= uint128(rest);
            _call(token, abi.encodeCall(ITopUpToken.transfer, (owner, rest)));
        }
        emit ToppedUp(owner, token, msg.sender, repaid, amount - rest);
    }

    /// @dev Old tokens return nothing, others true; an address without code answers everything with nothing.
    function _call(address token, bytes memory data) private {
        (bool ok, bytes memory answer) = token.call(data);
        if (ok) ok = answer.length == 0 ? token.code.length != 0 : answer.length == 32 && bytes32(answer) == bytes32(uint256(1));
        if (!ok) revert TokenCallFailed(token);
    }

    function _today() private view returns (uint256) {
        return block.timestamp / 1 days;
    }
}
