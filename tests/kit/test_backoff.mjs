// SPDX-License-Identifier: GPL-3.0-or-later
/* When the kit connects again. */
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {FakeSocket, follow, kit, settle, world} from './world.mjs';

test('the ceiling doubles, and ends', () => {
  const backoff = new kit.Backoff({random: () => 1, now: () => 0});
  const waits = Array.from({length: 9}, () => backoff.next('later'));
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  for (let i = 0; i < 2000; i++) backoff.next('later');
  assert.equal(backoff.next('later'), 30000);
});

test('the jitter is full: from nothing to the ceiling, evenly', () => {
  for (const [drawn, ms] of [[0, 0], [0.25, 125], [0.999, 500]]) {
    assert.equal(new kit.Backoff({random: () => drawn, now: () => 0}).next('later'), ms);
  }
  const tenths = new Array(10).fill(0);
  for (let i = 0; i < 20000; i++) {
    const ms = new kit.Backoff({now: () => 0}).next('later');
    tenths[Math.min(9, Math.floor(ms / 50))]++;
  }
  assert.ok(Math.min(...tenths) > 1500 && Math.max(...tenths) < 2500, String(tenths));
});

test('a spread is at once, but not all at once', () => {
  const backoff = new kit.Backoff({random: () => 1, now: () => 0});
  // The fourth in a row is no restart any more, but something that goes wrong.
  const waits = Array.from({length: 6}, () => backoff.next('spread'));
  assert.deepEqual(waits, [3000, 3000, 3000, 4000, 8000, 16000]);
  assert.equal(new kit.Backoff({random: () => 0, now: () => 0}).next('spread'), 0);
});

test('no is no', () => {
  assert.equal(new kit.Backoff().next('no'), null);
});

for (const [name, openMs, next] of [['does not reset', 4999, 4000], ['resets', 5000, 500]]) {
  test('open for ' + openMs + ' ms ' + name + ' the back-off', () => {
    let now = 0;
    const backoff = new kit.Backoff({random: () => 1, now: () => now});
    for (let i = 0; i < 3; i++) backoff.next('later');
    backoff.opened();
    now = openMs;
    assert.equal(backoff.next('later'), next);
  });
}

test('a time before an earlier end does not count as open', () => {
  let now = 0;
  const backoff = new kit.Backoff({random: () => 1, now: () => now});
  backoff.opened();
  now = 10;
  assert.equal(backoff.next('later'), 500);
  now = 60000; // nothing was open meanwhile
  assert.equal(backoff.next('later'), 1000);
});

test('refusals that open first do not reset it', async () => {
  const {clock, backoff} = world(() => 1);
  const waits = [];
  const seen = follow(kit.connections('ws://h/r', {backoff, onClose: e => waits.push(e.waitMs)}));
  for (let i = 0; i < 4; i++) {
    await settle();
    await FakeSocket.last.opens();
    await FakeSocket.last.ends(1011, 'backend unavailable 0-' + i);
    await clock.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000]);
  assert.equal(seen.rounds.length, 4);
});

test('it dials when the wait is over, and not before', async () => {
  const {clock, backoff} = world(() => 1);
  const line = kit.connections('ws://h/r', {backoff});
  follow(line);
  await settle();
  assert.equal(line.state, 'connecting');
  await FakeSocket.last.opens();
  assert.equal(line.state, 'open');
  await clock.pass(5000);
  await FakeSocket.last.ends(1006);
  assert.deepEqual([line.state, clock.waits()], ['waiting', [500]]);
  await clock.pass(499);
  assert.equal(FakeSocket.all.length, 1);
  await clock.pass(1);
  assert.deepEqual([line.state, FakeSocket.all.length], ['connecting', 2]);
});

test('retryNow ends the wait', async () => {
  const {clock, backoff} = world(() => 1);
  const line = kit.connections('ws://h/r', {backoff});
  follow(line);
  await settle();
  await FakeSocket.last.ends(1006);
  assert.deepEqual(clock.waits(), [500]);
  line.retryNow();
  await settle();
  assert.deepEqual([clock.waits(), FakeSocket.all.length], [[], 2]);
});

// What each code leads to: never, at once but spread, with a back-off.
const AFTER = [
  [1000, null], [1001, 3000], [1002, null], [1003, null], [1005, 500], [1006, 500], [1007, null],
  [1008, null], [1009, null], [1011, 500], [1012, 3000], [1013, 500], [1014, 500], [3999, 500],
];
for (const [code, wait] of AFTER) {
  test(code + (wait === null ? ' ends it' : ' waits up to ' + wait + ' ms'), async () => {
    const {clock, backoff} = world(() => 1);
    const ends = [];
    const seen = follow(kit.connections('ws://h/r', {backoff, onClose: e => ends.push(e)}));
    await settle();
    await FakeSocket.last.opens();
    await FakeSocket.last.ends(code, 'some reason 3-14');
    assert.deepEqual(ends.map(e => [e.code, e.reason, e.id, e.waitMs]),
                     [[code, 'some reason', '3-14', wait]]);
    assert.equal(seen.isOver, wait === null);
    await clock.pass(100000);
    assert.equal(FakeSocket.all.length, wait === null ? 1 : 2);
  });
}

test('retry has another opinion, but not after 1008', async () => {
  for (const [code, count] of [[1000, 2], [1008, 1]]) {
    const {clock, backoff} = world();
    const asked = [];
    const retry = ending => { asked.push(ending.code); return 'later'; };
    follow(kit.connections('ws://h/r', {backoff, retry}));
    await settle();
    await FakeSocket.last.opens();
    await FakeSocket.last.ends(code);
    await clock.pass(100000);
    assert.deepEqual([FakeSocket.all.length, asked.length], [count, count - 1]);
  }
});

test('close, the signal and break end the rounds', async () => {
  for (const way of ['close', 'signal']) {
    for (const when of ['connecting', 'open', 'waiting']) {
      const {clock, backoff} = world();
      const abort = new AbortController();
      const line = kit.connections('ws://h/r', {backoff, signal: abort.signal});
      const seen = follow(line);
      await settle();
      if (when !== 'connecting') await FakeSocket.last.opens();
      if (when === 'waiting') await FakeSocket.last.ends(1011);
      assert.equal(line.state, when);
      if (way === 'close') line.close();
      else abort.abort();
      await settle();
      const socket = FakeSocket.last;
      if (when !== 'waiting') {
        assert.equal(socket.readyState, FakeSocket.CLOSING);
        await socket.ends(when === 'open' ? 1000 : 1006);
      }
      await clock.pass(100000);
      assert.deepEqual([seen.isOver, seen.error, line.state, FakeSocket.all.length],
                       [true, null, 'ended', 1], way + ' while ' + when);
    }
  }
  world();
  const done = (async () => {
    for await (const connection of kit.connections('ws://h/r')) { void connection; break; }
  })();
  await settle();
  await FakeSocket.last.opens();
  await done;
  assert.deepEqual(FakeSocket.last.closes, [[1000, '']]);
});

test('what cannot be dialled is an error, not a try', async () => {
  world();
  const seen = follow(kit.connections('ws://h/r', {protocols: ['not a token']}));
  await settle();
  assert.ok(seen.error instanceof SyntaxError);
  assert.equal(FakeSocket.all.length, 0);
});
