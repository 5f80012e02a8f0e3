// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// What the perps and spot markets ask of the core; a stand-in for the core's file of this name.

import {INodeModule} from "@synthetixio/oracle-manager/contracts/interfaces/INodeModule.sol";

interface IUtilsModule {
    function getOracleManager() external view returns (INodeModule);
}
