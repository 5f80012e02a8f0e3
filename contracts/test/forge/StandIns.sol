// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @dev The part of forge's cheat codes that these tests use.
interface Vm {
    function addr(uint256 key) external pure returns (address);
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function prank(address sender) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function warp(uint256 timestamp) external;
}

Vm constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

function check(bool holds, string memory what) pure {
    require(holds, what);
}

/// @notice A plain token with EIP-2612 permits.
contract PlainToken {
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => uint256) public nonces;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external virtual returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external virtual returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        require(block.timestamp <= deadline, "expired");
        require(owner == ecrecover(digest(owner, spender, value, deadline), v, r, s), "wrong signature");
        ++nonces[owner];
        allowance[owner][spender] = value;
    }

    function digest(address owner, address spender, uint256 value, uint256 deadline) public view returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(PERMIT, owner, spender, value, nonces[owner], deadline));
        return keccak256(abi.encodePacked("\x19\x01", bytes32(uint256(uint160(address(this)))), inner));
    }

    function _move(address from, address to, uint256 amount) internal virtual returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// @notice Says false instead of reverting.
contract FalseToken is PlainToken {
    function transferFrom(address, address, uint256) external pure override returns (bool) {
        return false;
    }
}

/// @notice Keeps a hundredth of every transfer.
contract FeeToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - amount / 100;
        return true;
    }
}

/// @notice Calls whoever it was told to during a transfer.
contract HookToken is PlainToken {
    address private target;
    bytes private data;

    function hook(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _move(address from, address to, uint256 amount) internal override returns (bool) {
        if (target != address(0)) {
            (bool ok, bytes memory answer) = target.call(data);
            if (!ok) {
                assembly {
                    revert(add(answer, 32), mload(answer))
                }
            }
        }
        return super._move(from, to, amount);
    }
}

interface ITakenToken {
    function transferFrom(address from, address to, uint256 amount) external;
}

/// @notice Stands in for an Aave pool: it takes tokens and remembers for whom. The real ones are in the
/// integration tests.
contract PoolStandIn {
    mapping(address account => mapping(address token => uint256)) public supplied;
    mapping(address account => mapping(address token => uint256)) public debt;

    function lend(address account, address token, uint256 amount) external {
        debt[account][token] += amount;
    }

    function supply(address token, uint256 amount, address account, uint16) external {
        supplied[account][token] += amount;
        ITakenToken(token).transferFrom(msg.sender, address(this), amount);
    }

    function repay(address token, uint256 amount, uint256, address account) external returns (uint256 paid) {
        paid = amount < debt[account][token] ? amount : debt[account][token];
        debt[account][token] -= paid;
        ITakenToken(token).transferFrom(msg.sender, address(this), paid);
    }
}
