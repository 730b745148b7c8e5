// A large file that only few commands need: the package holds it compressed, beside a copy of this one.
'use strict';
const { readFileSync } = require('node:fs');
const { compileFunction } = require('node:vm');
const { brotliDecompressSync } = require('node:zlib');

const file = `${__filename}.br`;
const source = brotliDecompressSync(readFileSync(file)).toString('utf8');
compileFunction(source, ['module', 'exports', 'require'], { filename: file })(
  module,
  module.exports,
  require,
);
