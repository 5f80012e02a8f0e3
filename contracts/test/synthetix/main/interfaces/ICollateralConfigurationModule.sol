// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for the core's file of this name, of which the perps market calls nothing.

interface ICollateralConfigurationModule {}
