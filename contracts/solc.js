#!/usr/bin/env node
// Reads standard-JSON from stdin, compiles it with npm's `solc`, and writes the output to stdout.
// Every source is in the input: the script resolves no imports. With --version it prints the compiler's, in
// the words that forge expects of a compiler (`forge --use`). `--package NAME` takes another compiler than the
// project's own: a protocol is compiled by the version it is published for.
'use strict';

const at = process.argv.indexOf('--package');
const solc = require(at < 0 ? 'solc' : process.argv[at + 1]);

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler\nVersion: ${solc.version()}\n`);
} else {
  const chunks = [];
  process.stdin.on('data', (chunk) => chunks.push(chunk));
  process.stdin.on('end', () => {
    process.stdout.write(solc.compile(Buffer.concat(chunks).toString('utf8')));
  });
}
