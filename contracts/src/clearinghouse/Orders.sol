// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Clearinghouse} from "./Clearinghouse.sol";

/// @notice One side of a trade, signed by an account's owner (EIP-712, of a contract by ERC-1271). `size` is what it may
/// buy (above zero) or sell in all, `limit` the price at which it may at worst. A number is used once: what was filled of
/// it counts against every order of that number.
struct Order {
    uint256 account;
    uint32 instrument;
    int64 size;
    uint64 limit;
    uint64 nonce;
    uint40 deadline;
}

struct Signed {
    Order order;
    bytes signature;
}

/// @title Orders
/// @notice Matches signed orders two by two. It holds nothing and decides nothing about margin.
contract Orders is EIP712 {
    bytes32 private constant ORDER = keccak256(
        "Order(uint256 account,uint32 instrument,int64 size,uint64 limit,uint64 nonce,uint40 deadline)"
    );

    Clearinghouse public immutable clearinghouse;
    /// @notice The size that was filled of an account's order of a number.
    mapping(uint256 => mapping(uint64 => uint64)) public filled;

    event OrderCancelled(uint256 indexed account, uint64 nonce);

    error NotAllowed();
    error OrderExpired(uint256 account, uint64 nonce);
    error OrderUsed(uint256 account, uint64 nonce, uint256 left);
    error WrongSignature(uint256 account, uint64 nonce);
    error OrdersDoNotMatch();

    constructor(Clearinghouse clearinghouse_) EIP712("Clearinghouse", "1") {
        clearinghouse = clearinghouse_;
    }

    /// @notice Matches two orders at the first one's price, as anybody may.
    function trade(Signed calldata maker, Signed calldata taker, uint64 size) external {
        (Order calldata first, Order calldata second) = (maker.order, taker.order);
        if (first.instrument != second.instrument || size == 0) revert OrdersDoNotMatch();
        if ((first.size > 0) == (second.size > 0)) revert OrdersDoNotMatch();
        if (first.size > 0 ? first.limit < second.limit : first.limit > second.limit) revert OrdersDoNotMatch();
        _use(maker, size);
        _use(taker, size);
        (uint256 buyer, uint256 seller) =
            first.size > 0 ? (first.account, second.account) : (second.account, first.account);
        clearinghouse.trade(buyer, seller, first.instrument, size, first.limit);
    }

    /// @notice Makes an account's order of a number unusable.
    function cancel(uint256 account, uint64 nonce) external {
        address who = clearinghouse.ownerOf(account);
        if (msg.sender != who && !clearinghouse.isOperator(who, msg.sender)) revert NotAllowed();
        filled[account][nonce] = type(uint64).max;
        emit OrderCancelled(account, nonce);
    }

    /// @notice What an account's owner signs.
    function hashOf(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ORDER, order)));
    }

    function _use(Signed calldata signed, uint64 size) private {
        Order calldata order = signed.order;
        (uint256 account, uint64 nonce) = (order.account, order.nonce);
        if (block.timestamp > order.deadline) revert OrderExpired(account, nonce);
        uint256 whole = uint256(order.size > 0 ? int256(order.size) : -int256(order.size));
        uint256 used = filled[account][nonce];
        if (used + size > whole) revert OrderUsed(account, nonce, used < whole ? whole - used : 0);
        address who = clearinghouse.ownerOf(account);
        if (!SignatureChecker.isValidSignatureNow(who, hashOf(order), signed.signature)) {
            revert WrongSignature(account, nonce);
        }
        filled[account][nonce] = uint64(used + size);
    }
}
