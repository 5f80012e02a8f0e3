// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for the router that Synthetix' deployment tool generates: what a proxy forwards to, and what forwards
// by selector to the modules. The generated one has the table in its code; this one in the proxy's storage.

import {OwnableStorage} from "@synthetixio/core-contracts/contracts/ownership/OwnableStorage.sol";

contract RouterStandIn {
    bytes32 private constant _TABLE = keccak256("keeper.stand-in.router");

    error UnknownSelector(bytes4 selector);

    struct Table {
        mapping(bytes4 => address) modules;
    }

    function route(bytes4[] calldata selectors, address module) external {
        OwnableStorage.onlyOwner();
        for (uint256 i = 0; i < selectors.length; i++) _table().modules[selectors[i]] = module;
    }

    fallback() external payable {
        address module = _table().modules[msg.sig];
        if (module == address(0)) revert UnknownSelector(msg.sig);
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), module, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 {
                revert(0, returndatasize())
            }
            default {
                return(0, returndatasize())
            }
        }
    }

    function _table() private pure returns (Table storage table) {
        bytes32 slot = _TABLE;
        assembly {
            table.slot := slot
        }
    }
}
