#!/usr/bin/env node
// Reads standard-JSON from stdin, compiles it with npm's `solc`, and writes the output to stdout.
// Every source is in the input: the script resolves no imports. With --version it prints the compiler's, in
// the words that forge expects of a compiler (`forge --use`).
'use strict';

const solc = require('solc');

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler\nVersion: ${solc.version()}\n`);
} else {
  const chunks = [];
  process.stdin.on('data', (chunk) => chunks.push(chunk));
  process.stdin.on('end', () => {
    process.stdout.write(solc.compile(Buffer.concat(chunks).toString('utf8')));
  });
}
