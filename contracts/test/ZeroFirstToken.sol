// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title ZeroFirstToken
/// @notice A mintable token with the habits of USDT: `transfer`, `transferFrom` and `approve` return nothing,
/// and an allowance must be set to zero before it can be set to another value. It can be paused, blacklist an
/// address and charge on transfer.
contract ZeroFirstToken {
    string public name;
    string public symbol;
    uint8 public immutable decimals;
    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    bool public paused;
    mapping(address account => bool) public isBlackListed;
    uint256 public basisPointsRate;

    constructor(string memory name_, string memory symbol_, uint8 decimals_) {
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
    }

    function setPaused(bool paused_) external {
        paused = paused_;
    }

    function addBlackList(address account) external {
        isBlackListed[account] = true;
    }

    function setFee(uint256 basisPoints) external {
        basisPointsRate = basisPoints;
    }

    function mint(address to, uint256 value) external {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function approve(address spender, uint256 value) external {
        require(value == 0 || allowance[msg.sender][spender] == 0, "ZeroFirstToken: allowance not zero");
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        uint256 allowed = allowance[from][msg.sender];
        require(allowed >= value, "ZeroFirstToken: allowance too small");
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        require(!paused, "ZeroFirstToken: paused");
        require(!isBlackListed[from] && !isBlackListed[to], "ZeroFirstToken: blacklisted");
        require(balanceOf[from] >= value, "ZeroFirstToken: balance too small");
        uint256 fee = value * basisPointsRate / 10_000;
        balanceOf[from] -= value;
        balanceOf[to] += value - fee;
        totalSupply -= fee;
        emit Transfer(from, to, value - fee);
    }
}
