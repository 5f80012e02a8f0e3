// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Clearinghouse} from "../../../src/clearinghouse/Clearinghouse.sol";
import {Deleveraging} from "../../../src/clearinghouse/Deleveraging.sol";
import {Policy, Rule} from "../../../src/clearinghouse/Haircuts.sol";
import {IMarkets} from "../../../src/clearinghouse/Interfaces.sol";
import {Margin} from "../../../src/clearinghouse/Margin.sol";
import {AccountState, Instrument, Kind, Leg} from "../../../src/clearinghouse/Types.sol";
import {check, vm} from "../StandIns.sol";

/// @dev All that deleveraging asks of a clearinghouse, its margin and its markets, with one position an account, as a test
/// sets it. It only counts what is taken.
contract Counter {
    int256 public constant UNKNOWN = type(int256).min;

    mapping(uint256 => Leg) public legs;
    mapping(uint256 => int256) public cash;
    mapping(uint256 => uint256) public charged;
    mapping(uint256 => uint256) public closed;
    mapping(uint32 => mapping(bool => uint256)) public shortfall;
    mapping(uint32 => uint256) public openInterest;
    uint256 public deficit;
    bool public halted;
    uint64 public markOf_;
    int256 public funding;
    Kind private _kind;

    function market(uint64 mark, int256 funding_, Kind kind) external {
        (markOf_, funding, _kind) = (mark, funding_, kind);
    }

    function put(uint256 account, int64 size, int128 cost, int256 other, uint256 interest) external {
        legs[account] = Leg(0, size, cost);
        cash[account] = other;
        openInterest[0] += interest;
    }

    function empty(uint256[] calldata accounts) external {
        for (uint256 i; i < accounts.length; ++i) (charged[accounts[i]], closed[accounts[i]]) = (0, 0);
        (openInterest[0], deficit) = (0, 0);
    }

    function owe(bool long, uint256 amount) external {
        shortfall[0][long] = amount;
    }

    function margin() external view returns (address) {
        return address(this);
    }

    function markets() external view returns (address) {
        return address(this);
    }

    function stateNow(uint256 account) external view returns (AccountState memory state) {
        state.cash = cash[account];
        state.legs = new Leg[](1);
        state.legs[0] = legs[account];
    }

    function equityOf(AccountState calldata state) external pure returns (int256) {
        require(state.cash != UNKNOWN, "a feed fails");
        return state.cash;
    }

    function pledged(uint256[] calldata) external pure returns (uint256) {
        return 0;
    }

    function instrument(uint32) external view returns (Instrument memory) {
        return Instrument(_kind, 0, type(uint40).max, 0);
    }

    function markOf(uint32) external view returns (uint64) {
        return markOf_;
    }

    function accrue(uint8) external view returns (int256) {
        return funding;
    }

    function settled(uint32, bool) external pure returns (uint256) {
        return 0;
    }

    function calledAt(uint256) external view returns (uint256) {
        return block.timestamp - 2;
    }

    function terms()
        external
        pure
        returns (uint128, uint64, uint64, uint64, uint32, uint32 lapse, uint64, uint64, uint64, uint64, uint64)
    {
        lapse = 10;
    }

    function owner() external pure returns (address) {}

    function repay(uint32, bool) external {}

    function halt(uint32, bool yes) external {
        halted = yes;
    }

    function close(uint256, uint256 other, uint32, int256 size, int256) external {
        closed[other] += uint256(size < 0 ? -size : size);
    }

    function charge(uint256 account, uint32, bool long, uint256 amount, int256) external {
        shortfall[0][long] -= amount;
        charged[account] += amount;
    }

    function cover(uint256, uint32, bool long, uint256 amount) external {
        shortfall[0][long] += amount;
    }

    function writeOff(uint32, bool long, uint256 amount) external {
        shortfall[0][long] -= amount;
        deficit += amount;
    }
}

/// @notice Deleveraging takes what `deleveraging.py` takes. Both draw the same cases; tests/unit/margin/portfolio/
/// test_clearinghouse_deleveraging_parity.py says what comes of each fifty.
contract DeleveragingParityTest {
    uint256 private constant CASES = 50;
    uint256 private constant LOSER = 99_999;

    Counter private _core = new Counter();
    Deleveraging private _deleveraging;
    uint256 private _seed;

    function setUp() public {
        vm.warp(1_000);
        Policy memory policy = Policy(Rule.RiskAware, 1, 0);
        _deleveraging = new Deleveraging(Clearinghouse(address(_core)), policy);
    }

    function test_takesWhatPythonTakes() public {
        bytes32[8] memory digests = [
            bytes32(0xb6b54f000fc4f91e6e852668d9398a8c759a51306c319245930b033753dc39df),
            0x476e11a87440e8fa44679be8daef5f1641c1d742efc565540ee450e28f230511,
            0x0f5d5b08a7ad9e24c518652e02381ba7944686ea99a0d351675d3ec94dadd026,
            0x0779fe71237f83d4efa48c522a8411e8a8db32213b016a2e13f39abed8dcb8e8,
            0xa737e582463387cf80c5e3f784d0e9cce75b945644b5daa2306e88a59fbcdf27,
            0xdb9293370cda40283bee9e844166bd721dd050089464208433f7228c148651c8,
            0xd702781b1005d9211fa4b37d8c8378add22b7d7ad3fda7ccf1a5d209b1eb450a,
            0xe3ca15b63668f96b88231af2f1015b6d5711273393d5c6729eb0786a09daa310
        ];
        for (uint256 i; i < digests.length; ++i) check(_digest(i) == digests[i], "not what Python takes");
    }

    function test_whereNobodyIsLeftOnTheOtherSideItEndsAtOnce() public {
        _core.owe(true, 5);
        _deleveraging.begin(0, true);
        check(_core.deficit() == 5 && !_core.halted() && _deleveraging.roundOf(0) == 0, "goes on");
    }

    function _draw() private returns (uint256) {
        unchecked {
            _seed = _seed * 0xda942042e4dd58b5da942042e4dd58b5da942042e4dd58b5da942042e4dd58b5 + 0x9e3779b97f4a7c15;
        }
        return _seed >> 128;
    }

    /// @dev Of all sizes: one number, shifted by another.
    function _drawUpTo(uint256 most, uint256 places) private returns (uint256 value) {
        value = _draw() % most;
        value >>= _draw() % places;
    }

    struct Case {
        uint256[] accounts;
        uint256 profit;
        uint256 size;
        uint256 owed;
        uint256 unwanted;
        uint64 mark;
        int256 counted;
        bool long;
        bool thin;
    }

    function _digest(uint256 first) private returns (bytes32 digest) {
        for (uint256 i = first * CASES; i < (first + 1) * CASES; ++i) {
            Case memory drawn = _drawCase(i);
            _play(drawn, Rule(i % 3));
            for (uint256 k; k < drawn.accounts.length; ++k) {
                uint256 account = drawn.accounts[k];
                digest = keccak256(abi.encode(digest, account, _core.charged(account), _core.closed(account)));
            }
            digest = keccak256(abi.encode(digest, _core.deficit(), _deleveraging.round(i + 1).passes));
            check(!_core.halted() && _core.shortfall(0, drawn.long) == 0, "not over");
            _core.empty(drawn.accounts);
        }
    }

    function _drawCase(uint256 number) private returns (Case memory drawn) {
        _seed = number;
        for (uint256 i; i < 4; ++i) _draw();
        drawn.accounts = new uint256[](1 + _draw() % 8);
        drawn.mark = uint64(_drawUpTo(1e13, 40));
        bool perpetual = _draw() % 2 == 0;
        int256 funding = perpetual ? int256(_draw() % 2e9) - 1e9 : int256(0);
        drawn.counted = int256(uint256(drawn.mark)) - funding;
        drawn.long = _draw() % 2 == 0;
        drawn.thin = _draw() % 2 == 0;
        _core.market(drawn.mark, funding, perpetual ? Kind.Perpetual : Kind.Put);
        for (uint256 i; i < drawn.accounts.length; ++i) _drawWinner(drawn, i);
        uint256 share = _draw() % 1_200;
        drawn.owed = 1 + drawn.profit * share / 1_000;
        drawn.unwanted = _draw() % 2 == 0 ? 0 : 1 + _draw() % drawn.size;
    }

    function _drawWinner(Case memory drawn, uint256 i) private {
        uint256 account = _draw() % 1_000 * 8 + i;
        uint256 size = 1 + _drawUpTo(1e12, 40);
        int256 signed = drawn.long ? -int256(size) : int256(size);
        int256 cost = signed * int256(_draw() % (2 * uint256(drawn.mark) + 2));
        // Thin profit on a great position makes one round of passes after another.
        int256 thin = int256(_drawUpTo(1e15, 40));
        if (drawn.thin) cost = signed * drawn.counted - thin;
        int256 other = int256(_drawUpTo(1e24, 60));
        other -= int256(_drawUpTo(1e22, 60));
        if (_draw() % 16 == 0) other = _core.UNKNOWN();
        int256 profit = signed * drawn.counted - cost;
        if (profit > 0) drawn.profit += uint256(profit);
        drawn.size += size;
        drawn.accounts[i] = account;
        _core.put(account, int64(signed), int128(cost), other, size);
    }

    function _play(Case memory drawn, Rule rule) private {
        vm.prank(address(0));
        _deleveraging.setPolicy(Policy(rule, 1, 0));
        if (drawn.unwanted == 0) {
            _core.owe(drawn.long, drawn.owed);
            _deleveraging.begin(0, drawn.long);
        } else {
            int256 size = drawn.long ? int256(drawn.unwanted) : -int256(drawn.unwanted);
            int256 cost = size * drawn.counted + int256(drawn.owed);
            _core.put(LOSER, int64(size), int128(cost), -int256(drawn.owed), 0);
            _deleveraging.beginClosing(LOSER, 0);
        }
        uint256 count = drawn.accounts.length;
        for (uint256 at; at < count;) {
            uint256 length = 1 + _draw() % (count - at);
            (uint256[] memory page, uint256[] memory hints) = (new uint256[](length), new uint256[](length));
            for (uint256 i; i < length; ++i) (page[i], hints[i]) = (drawn.accounts[at + i], _hint(drawn));
            _deleveraging.weigh(0, page, hints);
            at += length;
        }
        while (_deleveraging.roundOf(0) != 0) _deleveraging.charge(0, 1 + _draw() % 5);
    }

    /// @dev Any account or none: a bad hint costs gas, and changes nothing.
    function _hint(Case memory drawn) private returns (uint256) {
        uint256 at = _draw() % (drawn.accounts.length + 1);
        return at == drawn.accounts.length ? 0 : drawn.accounts[at] + 1;
    }
}
