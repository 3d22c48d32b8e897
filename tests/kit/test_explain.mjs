// SPDX-License-Identifier: GPL-3.0-or-later
/* Close codes in words, for every ending of the gateway's own table. */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';

import {kit} from './world.mjs';

const TABLE = readFileSync(new URL('../../proxy/proto/life_table.c', import.meta.url), 'utf8');
const ROWS = [...TABLE.matchAll(/ROW\(\s*"(\w+)",\s*\d+,\s*(\d+),\s*"([^"]*)"/g)]
  .map(([, word, code, reason]) => ({word, code: Number(code), reason}))
  .filter(row => row.code !== 0);

test('there are endings to explain', () => { assert.ok(ROWS.length > 20); });

for (const {word, code, reason} of ROWS) {
  test(word + ' (' + code + ') has words of its own', () => {
    const text = kit.explain(code, reason + ' 0-5');
    assert.match(text, /^[A-Z].*\. \(\d+, .* 0-5\)$/);
    assert.ok(text.endsWith(' (' + code + ', ' + reason + ' 0-5)'));
    // what the reason says does not need the id
    assert.equal(kit.explain(code, reason).split(' (')[0], text.split(' (')[0]);
  });
}

test('backend_code = 1014 has the same words', () => {
  assert.equal(kit.explain(1014, 'backend reset 1-2').split(' (')[0],
               kit.explain(1011, 'backend reset 1-2').split(' (')[0]);
});

test('a reason that tells more than the table falls back on the code', () => {
  assert.equal(kit.explain(1009, 'message longer than max_message 0-5'),
               'The page sent a message that is too large. ' +
               '(1009, message longer than max_message 0-5)');
});

test('codes without a reason, and codes that nobody knows', () => {
  assert.match(kit.explain(1006), /network.*\(1006\)$/);
  assert.match(kit.explain(1005), /without a code. \(1005\)$/);
  assert.match(kit.explain(4001, 'mine'), /^The page has ended .*\(4001, mine\)$/);
  assert.match(kit.explain(1999), /\(1999\)$/);
  for (const name of ['constructor', '__proto__', 'toString']) {
    assert.match(kit.explain(1008, name), /^The gateway does not allow this\. /);
  }
});
