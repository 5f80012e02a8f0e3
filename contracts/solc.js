// Reads standard-JSON from stdin, compiles it with npm's `solc`, and writes the output to stdout.
// Every source is in the input: the script resolves no imports. With --version it prints the compiler's.
'use strict';

const solc = require('solc');

if (process.argv.includes('--version')) {
  process.stdout.write(solc.version());
} else {
  const chunks = [];
  process.stdin.on('data', (chunk) => chunks.push(chunk));
  process.stdin.on('end', () => {
    process.stdout.write(solc.compile(Buffer.concat(chunks).toString('utf8')));
  });
}
