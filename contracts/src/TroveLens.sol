// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title TroveLens
/// @notice Reads a trove system of the Liquity family and its troves as they are stored, and, for comparison, a trove's
/// amounts and ratio as the TroveManager computes them. Names differ in the family: of two, the one that is answered
/// counts. It is never deployed: the caller lays its code over an unused address in an `eth_call`. Nothing is `view`,
/// as Liquity's own price feed writes while it answers.
contract TroveLens {
    struct State {
        address borrowerOperations;
        address activePool;
        address sortedTroves;
        address debtToken;
        /// Meaningless unless `priced`: the feed may be stale.
        uint256 price;
        bool priced;
        uint256 mcr;
        uint256 ccr;
        uint256 gasCompensation;
        uint256 gasDivisor;
        uint256 minNetDebt;
        /// Of the whole system at this block, interest included.
        uint256 collateral;
        uint256 debt;
        uint256 stabilityPool;
        uint256 stakes;
        uint256 troves;
        /// What each unit of stake has been given since the beginning, 18 decimals.
        uint256 stakeCollateral;
        uint256 stakePrincipal;
        uint256 stakeInterest;
        /// Whether troves bear interest (Mezo) or not (Liquity v1).
        bool interest;
    }

    uint256 private constant WAD = 1e18;
    uint256 private constant RECORD = 192;
    uint256 private constant ACTIVE = 1;
    /// @dev What a feed with a fallback takes, with room.
    uint256 private constant PRICE_GAS = 3_000_000;

    /// @notice The system at this block.
    function market(address manager) external returns (State memory state) {
        state.borrowerOperations = _at(manager, "borrowerOperations()", "borrowerOperationsAddress()");
        state.activePool = _at(manager, "activePool()", "");
        state.sortedTroves = _at(manager, "sortedTroves()", "");
        state.debtToken = _at(manager, "musdToken()", "lusdToken()");
        (state.priced, state.price) = _price(manager);
        state.mcr = _must(manager, "MCR()", "");
        state.ccr = _must(manager, "CCR()", "");
        state.gasCompensation = _must(manager, "MUSD_GAS_COMPENSATION()", "LUSD_GAS_COMPENSATION()");
        state.gasDivisor = _must(manager, "PERCENT_DIVISOR()", "");
        state.minNetDebt = _must(state.borrowerOperations, "minNetDebt()", "MIN_NET_DEBT()");
        state.collateral = _must(manager, "getEntireSystemColl()", "");
        state.debt = _must(manager, "getEntireSystemDebt()", "");
        address pool = _at(manager, "stabilityPool()", "");
        state.stabilityPool = _must(pool, "getTotalMUSDDeposits()", "getTotalLUSDDeposits()");
        state.stakes = _must(manager, "totalStakes()", "");
        state.troves = _must(manager, "getTroveOwnersCount()", "");
        state.stakeCollateral = _must(manager, "L_Collateral()", "L_ETH()");
        state.stakePrincipal = _must(manager, "L_Principal()", "L_LUSDDebt()");
        (state.interest, state.stakeInterest) = _read(manager, "L_Interest()");
    }

    /// @notice For each 20 bytes of `packed`, six words: collateral and principal (16 bytes each); interest owed and
    /// stake (16 bytes each); interest's last update, its rate in basis points and the status (24, 4 and 4 bytes); and
    /// what a unit of stake had been given of collateral, principal and interest when the trove was last changed.
    function accounts(address manager, bytes calldata packed) external view returns (bytes memory records) {
        uint256 count = packed.length / 20;
        records = new bytes(RECORD * count);
        for (uint256 i; i < count; ++i) {
            uint256[6] memory words = _record(manager, address(bytes20(packed[20 * i:20 * i + 20])));
            for (uint256 j; j < 6; ++j) {
                uint256 word = words[j];
                uint256 at = 32 + RECORD * i + 32 * j;
                assembly ("memory-safe") {
                    mstore(add(records, at), word)
                }
            }
        }
    }

    /// @notice A trove's collateral and its value, its debt, the least ratio and its own, at this block. All zero
    /// unless the trove is active. Reverts where there is no price.
    function valued(address manager, address account)
        external
        returns (uint256 collateral, uint256 worth, uint256 debt, uint256 mcr, uint256 ratio)
    {
        mcr = _must(manager, "MCR()", "");
        if (_record(manager, account)[2] & type(uint32).max != ACTIVE) return (0, 0, 0, mcr, 0);
        (bool priced, uint256 price) = _price(manager);
        require(priced, "no price");
        bytes memory answer = _ask(manager, abi.encodeWithSignature("getEntireDebtAndColl(address)", account));
        if (answer.length == 192) {
            uint256 interest;
            (collateral, debt, interest) = abi.decode(answer, (uint256, uint256, uint256));
            debt += interest;
        } else {
            (debt, collateral) = abi.decode(answer, (uint256, uint256));
        }
        worth = collateral * price / WAD;
        answer = _ask(manager, abi.encodeWithSignature("getCurrentICR(address,uint256)", account, price));
        ratio = abi.decode(answer, (uint256));
    }

    /// @notice What the collateral's price hangs on.
    function sourceOf(address manager) external view returns (address) {
        address feed = _at(manager, "priceFeed()", "");
        (bool named, uint256 oracle) = _read(feed, "oracle()");
        if (!named) (named, oracle) = _read(feed, "priceAggregator()");
        return named ? address(uint160(oracle)) : feed;
    }

    /// @notice The collateral is the chain's own coin, which has no contract to name it.
    function symbol() external pure returns (string memory) {
        return "native";
    }

    function _record(address manager, address account) private view returns (uint256[6] memory words) {
        bytes memory trove = _ask(manager, abi.encodeWithSignature("Troves(address)", account));
        bytes memory before = _ask(manager, abi.encodeWithSignature("rewardSnapshots(address)", account));
        if (trove.length == 160) {
            (uint256 owed, uint256 held, uint256 share, uint256 was) =
                abi.decode(trove, (uint256, uint256, uint256, uint256));
            (words[0], words[1], words[2]) = (held << 128 | owed, share, was);
            (words[3], words[4]) = abi.decode(before, (uint256, uint256));
            return words;
        }
        (
            uint256 coll,
            uint256 principal,
            uint256 interest,
            uint256 stake,
            uint256 status,
            uint256 rate,
            uint256 updated
        ) = abi.decode(trove, (uint256, uint256, uint256, uint256, uint256, uint256, uint256));
        words[0] = coll << 128 | principal;
        words[1] = interest << 128 | stake;
        words[2] = updated << 64 | rate << 32 | status;
        (words[3], words[4], words[5]) = abi.decode(before, (uint256, uint256, uint256));
    }

    function _price(address manager) private returns (bool, uint256) {
        address feed = _at(manager, "priceFeed()", "");
        (bool ok, bytes memory answer) = feed.call{gas: PRICE_GAS}(abi.encodeWithSignature("fetchPrice()"));
        if (!ok || answer.length < 32) return (false, 0);
        uint256 price = abi.decode(answer, (uint256));
        return (price != 0, price);
    }

    function _at(address target, string memory name, string memory other) private view returns (address) {
        return address(uint160(_must(target, name, other)));
    }

    function _must(address target, string memory name, string memory other) private view returns (uint256 value) {
        bool ok;
        (ok, value) = _read(target, name);
        if (!ok && bytes(other).length != 0) (ok, value) = _read(target, other);
        require(ok, name);
    }

    function _read(address target, string memory name) private view returns (bool, uint256) {
        (bool ok, bytes memory answer) = target.staticcall(abi.encodeWithSignature(name));
        if (!ok || answer.length != 32) return (false, 0);
        return (true, abi.decode(answer, (uint256)));
    }

    function _ask(address target, bytes memory data) private view returns (bytes memory) {
        (bool ok, bytes memory answer) = target.staticcall(data);
        require(ok, "not a trove system");
        return answer;
    }
}
