// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Grant
/// @notice What contracts have in common that account owners give a protocol's rights to, so that no keeper's key
/// ever holds them. An owner names operators, and says how much of each position they may take away a day (UTC) and
/// what share of the price that may cost. All of it is the owner's of the moment: who buys an account begins anew.
abstract contract Grant {
    struct Limit {
        /// Most of a position's size a day. Zero: it may not be made smaller.
        uint128 perDay;
        uint128 spent;
        /// Day (Unix time / 1 days) that `spent` is of.
        uint64 day;
    }

    uint256 internal constant ONE = 1e18;
    /// An order counts as at least this part of a day's limit: what each costs flat is bounded by their number.
    uint256 private constant MOST_ORDERS = 20;

    mapping(bytes32 account => mapping(address owner => mapping(address operator => bool))) private operators;
    mapping(bytes32 account => mapping(address owner => mapping(bytes32 position => Limit))) private limits;
    mapping(bytes32 account => mapping(address owner => uint256)) private shares;

    bool private entered;

    event OperatorSet(bytes32 indexed account, address indexed owner, address indexed operator, bool allowed);
    event LimitSet(bytes32 indexed account, address indexed owner, bytes32 indexed position, uint128 perDay);
    event ShareSet(bytes32 indexed account, address indexed owner, uint256 share);
    event Added(bytes32 indexed account, address indexed operator, address token, uint256 amount);
    event Reduced(bytes32 indexed account, address indexed operator, bytes32 indexed position, uint256 size);

    error NotOwner();
    error NotOperator();
    error NothingToDo();
    error LimitExceeded(uint256 left);
    error ShareTooLarge(uint256 most);
    error WorsePriceThanAllowed(uint256 bound);
    error TokenCallFailed(address token);
    error Reentered();

    modifier onlyOwnerOf(bytes32 account) {
        if (msg.sender != ownerOf(account) || msg.sender == address(0)) revert NotOwner();
        _;
    }

    modifier onlyOperatorOf(bytes32 account) {
        if (!isOperator(account, msg.sender)) revert NotOperator();
        if (entered) revert Reentered();
        entered = true;
        _;
        entered = false;
    }

    /// @notice Whose account it is now.
    function ownerOf(bytes32 account) public view virtual returns (address);

    /* THE OWNER'S WILL */

    /// @notice Allows or forbids `operator` to act for the account.
    function setOperator(bytes32 account, address operator, bool allowed) external onlyOwnerOf(account) {
        operators[account][msg.sender][operator] = allowed;
        emit OperatorSet(account, msg.sender, operator, allowed);
    }

    /// @notice Sets how much of a position may be taken away a day. What was taken today still counts.
    function setLimit(bytes32 account, bytes32 position, uint128 perDay) external onlyOwnerOf(account) {
        limits[account][msg.sender][position].perDay = perDay;
        emit LimitSet(account, msg.sender, position, perDay);
    }

    /// @notice Sets what share of the price (1e18 is all) making a position smaller may cost.
    function setShare(bytes32 account, uint256 share) external onlyOwnerOf(account) {
        if (share >= ONE) revert ShareTooLarge(ONE - 1);
        shares[account][msg.sender] = share;
        emit ShareSet(account, msg.sender, share);
    }

    /// @notice Whether the account's present owner lets `operator` act for it.
    function isOperator(bytes32 account, address operator) public view returns (bool) {
        return operators[account][ownerOf(account)][operator];
    }

    /// @notice How much of a position may still be taken away today.
    function leftToday(bytes32 account, bytes32 position) public view returns (uint256) {
        Limit memory limit = limits[account][ownerOf(account)][position];
        uint256 spent = limit.day == _today() ? limit.spent : 0;
        return spent < limit.perDay ? limit.perDay - spent : 0;
    }

    /// @notice What share of the price (1e18 is all) making a position smaller may cost.
    function shareOf(bytes32 account) public view returns (uint256) {
        return shares[account][ownerOf(account)];
    }

    /// @dev Counts `size` of a position, of which there is `whole`, as taken away today.
    function _count(bytes32 account, bytes32 position, uint256 size, uint256 whole) internal {
        if (size == 0) revert NothingToDo();
        uint256 left = leftToday(account, position);
        Limit storage limit = limits[account][ownerOf(account)][position];
        uint256 least = limit.perDay / MOST_ORDERS;
        uint256 counted = size < least && size < whole ? least : size;
        if (counted > left) revert LimitExceeded(left);
        if (limit.day != _today()) (limit.day, limit.spent) = (uint64(_today()), 0);
        limit.spent += uint128(counted);
        emit Reduced(account, msg.sender, position, size);
    }

    /// @dev Takes the operator's own tokens and allows `target` exactly them.
    function _pull(bytes32 account, address token, address target, uint128 amount) internal {
        if (amount == 0) revert NothingToDo();
        _call(token, abi.encodeWithSignature("transferFrom(address,address,uint256)", msg.sender, this, amount));
        _call(token, abi.encodeWithSignature("approve(address,uint256)", target, amount));
        emit Added(account, msg.sender, token, amount);
    }

    /// @dev Old tokens return nothing, others true; an address without code answers everything with nothing.
    function _call(address token, bytes memory data) internal {
        (bool ok, bytes memory answer) = token.call(data);
        if (ok) ok = answer.length == 0 ? token.code.length != 0 : answer.length == 32 && uint256(bytes32(answer)) == 1;
        if (!ok) revert TokenCallFailed(token);
    }

    function _today() private view returns (uint256) {
        return block.timestamp / 1 days;
    }
}
