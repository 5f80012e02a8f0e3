// SPDX-License-Identifier: MIT
pragma solidity >=0.8.11 <0.9.0;

// A stand-in for core-contracts' file of this name, which its published version lacks: no forwarder is trusted.

library ERC2771Context {
    // solhint-disable-next-line private-vars-leading-underscore
    function _msgSender() internal view returns (address) {
        return msg.sender;
    }
}
