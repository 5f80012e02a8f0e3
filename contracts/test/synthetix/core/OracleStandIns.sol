// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// Stand-ins for what surrounds the oracle manager and is in no npm package: the wrapper by which prices of Pyth are
// asked for and brought (ERC-7412), a Pyth that checks a signature, and the node that says what a keeper's gas costs.

import {DecimalMath} from "@synthetixio/core-contracts/contracts/utils/DecimalMath.sol";
import {IERC165} from "@synthetixio/core-contracts/contracts/interfaces/IERC165.sol";
import {IExternalNode, NodeDefinition, NodeOutput} from "@synthetixio/oracle-manager/contracts/interfaces/external/IExternalNode.sol";
import {AbstractPyth} from "@synthetixio/oracle-manager/contracts/mocks/pyth/AbstractPyth.sol";
import {PythErrors} from "@synthetixio/oracle-manager/contracts/mocks/pyth/PythErrors.sol";
import {PythStructs} from "@synthetixio/oracle-manager/contracts/mocks/pyth/PythStructs.sol";

/// Pyth as the oracle manager's package declares it (whose mock takes what anybody sends), behind one signer. An update
/// is a feed and the time of its price before, as the mock takes it, followed by the signature (r, s, v) over the hash
/// of both.
contract SignedPythStandIn is AbstractPyth {
    uint256 private constant _SIGNED = 320;

    address public immutable signer;
    uint256 private immutable _fee;
    mapping(bytes32 => PythStructs.PriceFeed) private _feeds;

    constructor(address signer_, uint256 fee) {
        signer = signer_;
        _fee = fee;
    }

    function updatePriceFeeds(bytes[] calldata updates) public payable override {
        _charge(updates);
        for (uint256 i = 0; i < updates.length; i++) {
            (PythStructs.PriceFeed memory feed, ) = _verified(updates[i]);
            if (feed.price.publishTime <= _feeds[feed.id].price.publishTime) continue;
            uint64 before = uint64(_feeds[feed.id].price.publishTime);
            _feeds[feed.id] = feed;
            emit PriceFeedUpdate(feed.id, before, feed.price.price, feed.price.conf);
        }
    }

    function parsePriceFeedUpdates(
        bytes[] calldata updates,
        bytes32[] calldata priceIds,
        uint64 minPublishTime,
        uint64 maxPublishTime
    ) external payable override returns (PythStructs.PriceFeed[] memory) {
        return _parse(updates, priceIds, minPublishTime, maxPublishTime, false);
    }

    function parsePriceFeedUpdatesUnique(
        bytes[] calldata updates,
        bytes32[] calldata priceIds,
        uint64 minPublishTime,
        uint64 maxPublishTime
    ) external payable override returns (PythStructs.PriceFeed[] memory) {
        return _parse(updates, priceIds, minPublishTime, maxPublishTime, true);
    }

    function queryPriceFeed(bytes32 id) public view override returns (PythStructs.PriceFeed memory) {
        if (!priceFeedExists(id)) revert PythErrors.PriceFeedNotFound();
        return _feeds[id];
    }

    function priceFeedExists(bytes32 id) public view override returns (bool) {
        return _feeds[id].id != 0;
    }

    function getUpdateFee(bytes[] calldata updates) public view override returns (uint256) {
        return _fee * updates.length;
    }

    function getValidTimePeriod() public pure override returns (uint256) {
        return 60;
    }

    function _parse(
        bytes[] calldata updates,
        bytes32[] calldata priceIds,
        uint64 minPublishTime,
        uint64 maxPublishTime,
        bool first
    ) private returns (PythStructs.PriceFeed[] memory found) {
        _charge(updates);
        found = new PythStructs.PriceFeed[](priceIds.length);
        for (uint256 j = 0; j < updates.length; j++) {
            (PythStructs.PriceFeed memory feed, uint64 before) = _verified(updates[j]);
            uint256 time = feed.price.publishTime;
            if (time < minPublishTime || time > maxPublishTime || (first && before >= minPublishTime)) continue;
            for (uint256 i = 0; i < priceIds.length; i++) {
                if (feed.id == priceIds[i] && found[i].id == 0) found[i] = feed;
            }
        }
        for (uint256 i = 0; i < priceIds.length; i++) {
            if (found[i].id == 0) revert PythErrors.PriceFeedNotFoundWithinRange();
        }
    }

    function _charge(bytes[] calldata updates) private view {
        if (msg.value < getUpdateFee(updates)) revert PythErrors.InsufficientFee();
    }

    function _verified(bytes calldata update) private view returns (PythStructs.PriceFeed memory, uint64) {
        if (update.length != _SIGNED + 96) revert PythErrors.InvalidUpdateData();
        (bytes32 r, bytes32 s, uint8 v) = abi.decode(update[_SIGNED:], (bytes32, bytes32, uint8));
        address found = ecrecover(keccak256(update[:_SIGNED]), v, r, s);
        if (found != signer) revert PythErrors.InvalidUpdateDataSource();
        return abi.decode(update[:_SIGNED], (PythStructs.PriceFeed, uint64));
    }
}

/// The wrapper through which orders settle: a price at a time must have been brought, or it says which is wanted.
contract PythWrapperStandIn {
    using DecimalMath for int64;

    error OracleDataRequired(address oracleContract, bytes oracleQuery);
    error FeeRequired(uint256 feeAmount);
    error NotSupported(uint8 updateType);

    AbstractPyth public immutable pyth;
    mapping(bytes32 => mapping(uint64 => PythStructs.Price)) private _benchmarks;

    constructor(AbstractPyth pyth_) {
        pyth = pyth_;
    }

    function oracleId() external pure returns (bytes32) {
        return "PYTH";
    }

    function pythAddress() external view returns (address) {
        return address(pyth);
    }

    function getBenchmarkPrice(bytes32 priceId, uint64 requestedTime) external view returns (int256) {
        PythStructs.Price memory found = _benchmarks[priceId][requestedTime];
        if (found.price > 0) return _scaled(found);
        revert OracleDataRequired(address(this), abi.encode(uint8(2), requestedTime, [priceId]));
    }

    function getLatestPrice(bytes32 priceId, uint256 stalenessTolerance) external view returns (int256) {
        PythStructs.Price memory found = pyth.getPriceUnsafe(priceId);
        if (block.timestamp <= stalenessTolerance + found.publishTime) return _scaled(found);
        revert OracleDataRequired(address(this), abi.encode(uint8(1), uint64(stalenessTolerance), [priceId]));
    }

    function fulfillOracleQuery(bytes calldata signedOffchainData) external payable {
        (uint8 kind, uint64 time, bytes32[] memory ids, bytes[] memory updates) = abi.decode(
            signedOffchainData,
            (uint8, uint64, bytes32[], bytes[])
        );
        uint256 fee = pyth.getUpdateFee(updates);
        if (msg.value < fee) revert FeeRequired(fee);
        if (kind == 1) {
            uint64[] memory times = new uint64[](ids.length);
            for (uint256 i = 0; i < ids.length; i++) times[i] = uint64(block.timestamp) - time;
            pyth.updatePriceFeedsIfNecessary{value: msg.value}(updates, ids, times);
        } else if (kind == 2) {
            PythStructs.PriceFeed[] memory found = pyth.parsePriceFeedUpdatesUnique{value: msg.value}(
                updates,
                ids,
                time,
                type(uint64).max
            );
            for (uint256 i = 0; i < found.length; i++) _benchmarks[ids[i]][time] = found[i].price;
        } else {
            revert NotSupported(kind);
        }
    }

    function _scaled(PythStructs.Price memory found) private pure returns (int256) {
        int256 factor = 18 + int256(found.expo);
        return factor > 0 ? found.price.upscale(uint256(factor)) : found.price.downscale(uint256(-factor));
    }
}

/// What a keeper's work costs in dollars: gas of its kind (flagging by the feed) at the block's base fee, at the price
/// that the first parent gives.
contract KeeperCostStandIn is IExternalNode {
    function process(
        NodeOutput.Data[] memory parents,
        bytes memory parameters,
        bytes32[] memory runtimeKeys,
        bytes32[] memory runtimeValues
    ) external view returns (NodeOutput.Data memory) {
        (, uint256 settle, uint256 flag, uint256 liquidate) = abi.decode(
            parameters,
            (address, uint256, uint256, uint256)
        );
        uint256 kind;
        uint256 feeds;
        for (uint256 i = 0; i < runtimeKeys.length; i++) {
            if (runtimeKeys[i] == "executionKind") kind = uint256(runtimeValues[i]);
            if (runtimeKeys[i] == "numberOfUpdatedFeeds") feeds = uint256(runtimeValues[i]);
        }
        uint256 units = kind == 0 ? settle : kind == 1 ? flag * feeds : liquidate;
        int256 cost = (int256(units * block.basefee) * parents[0].price) / 1e18;
        return NodeOutput.Data(cost, block.timestamp, 0, 0);
    }

    function isValid(NodeDefinition.Data memory node) external pure returns (bool) {
        return node.parents.length == 1 && node.parameters.length == 128;
    }

    function supportsInterface(bytes4 id) external pure override(IERC165) returns (bool) {
        return id == type(IExternalNode).interfaceId || id == this.supportsInterface.selector;
    }
}
