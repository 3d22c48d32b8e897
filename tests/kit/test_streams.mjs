// SPDX-License-Identifier: GPL-3.0-or-later
/* A WebSocket as a pair of streams, and the first message. */
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {FakeSocket, kit, settle, world} from './world.mjs';

async function opened(options = {}) {
  const {clock} = world();
  const promise = kit.connect('ws://h/r', options);
  await settle();
  const socket = FakeSocket.last;
  await socket.opens('binary');
  return {clock, socket, connection: await promise};
}

/** Notes how a promise ends. */
function watch(promise) {
  const seen = {state: 'waits', value: undefined};
  promise.then(value => Object.assign(seen, {state: 'done', value}),
               value => Object.assign(seen, {state: 'failed', value}));
  return seen;
}

const bytes = (...values) => new Uint8Array(values).buffer;

test('messages are read in order, text and bytes', async () => {
  const {socket, connection} = await opened({protocols: ['binary']});
  assert.deepEqual([socket.protocols, connection.protocol, socket.binaryType],
                   [['binary'], 'binary', 'arraybuffer']);
  await socket.says('one');
  await socket.says(bytes(1, 2));
  await socket.says('');
  const reader = connection.readable.getReader();
  assert.deepEqual((await reader.read()).value, 'one');
  assert.deepEqual((await reader.read()).value, new Uint8Array([1, 2]));
  assert.deepEqual((await reader.read()).value, '');
  const late = watch(reader.read());
  await settle();
  assert.equal(late.state, 'waits');
  await socket.says('late');
  assert.deepEqual([late.state, late.value.value], ['done', 'late']);
});

test('many messages that wait keep their order', async () => {
  const {socket, connection} = await opened();
  for (let i = 0; i < 5000; i++) {
    socket.dispatchEvent(Object.assign(new Event('message'), {data: '' + i}));
  }
  const reader = connection.readable.getReader();
  for (let i = 0; i < 5000; i++) assert.equal((await reader.read()).value, '' + i);
});

test('an error comes behind the last byte', async () => {
  const {socket, connection} = await opened();
  await socket.says('last words');
  await socket.ends(1011, 'backend reset 0-7');
  const reader = connection.readable.getReader();
  assert.equal((await reader.read()).value, 'last words');
  await assert.rejects(reader.read(), error => error instanceof kit.ConnectionError &&
    error.ending.code === 1011 && error.ending.id === '0-7' && /broke/.test(error.message));
});

for (const [code, isEnd] of [[1000, true], [1001, false], [1006, false], [1012, false]]) {
  test('after ' + code + ' the readable ' + (isEnd ? 'ends' : 'fails'), async () => {
    const {socket, connection} = await opened();
    await socket.ends(code);
    const read = watch(connection.readable.getReader().read());
    await settle();
    assert.equal(read.state, isEnd ? 'done' : 'failed');
    const write = watch(connection.writable.getWriter().write('x'));
    await settle();
    assert.equal(write.state, 'failed');
    assert.equal((await connection.closed).code, code);
  });
}

test('a write waits until enough has drained', async () => {
  const {clock, socket, connection} = await opened({maxUnsent: 10});
  const writer = connection.writable.getWriter();
  const first = watch(writer.write('0123456789'));
  await settle();
  assert.equal(first.state, 'done'); // just as much as may wait
  const second = watch(writer.write('more')), third = watch(writer.write('even more'));
  await clock.pass(100);
  assert.deepEqual([second.state, third.state, socket.sent.length], ['waits', 'waits', 2]);
  assert.ok(writer.desiredSize <= 0);
  socket.bufferedAmount = 11;
  await clock.pass(100);
  assert.equal(second.state, 'waits');
  socket.bufferedAmount = 10;
  await clock.pass(16); // the longest pause between two looks
  assert.deepEqual([second.state, socket.sent.length], ['done', 3]);
  socket.bufferedAmount = 0;
  await clock.pass(16);
  assert.deepEqual([third.state, clock.waits()], ['done', []]);
});

test('what comes in is a reason to look, where timers are slow', async () => {
  const {clock, socket, connection} = await opened({maxUnsent: 0});
  const write = watch(connection.writable.getWriter().write('x'));
  await settle();
  socket.bufferedAmount = 0;
  await socket.says('echo');
  assert.deepEqual([write.state, clock.waits()], ['done', []]);
});

test('an end while a write waits fails the write', async () => {
  const {clock, socket, connection} = await opened({maxUnsent: 0});
  const write = watch(connection.writable.getWriter().write('x'));
  await settle();
  await socket.ends(1006);
  assert.deepEqual([write.state, write.value.ending.code, clock.waits()], ['failed', 1006, []]);
});

test('an end while nothing is written fails the next write', async () => {
  const {socket, connection} = await opened();
  const writer = connection.writable.getWriter();
  const closed = watch(writer.closed);
  await socket.ends(1012, 'restarting 0-1');
  assert.deepEqual([closed.state, closed.value.ending.code], ['failed', 1012]);
});

test('closing the writable sends what waits, then closes', async () => {
  const {clock, socket, connection} = await opened();
  const writer = connection.writable.getWriter();
  writer.write('last');
  const close = watch(writer.close());
  await clock.pass(50);
  assert.deepEqual([close.state, socket.closes], ['waits', []]);
  socket.bufferedAmount = 0;
  await clock.pass(16);
  assert.deepEqual(socket.closes, [[1000, '']]);
  await socket.ends(1000);
  assert.equal(close.state, 'done');
  assert.equal((await connection.readable.getReader().read()).done, true);
});

test('cancel and abort close', async () => {
  for (const act of [c => c.readable.cancel(), c => c.writable.abort('no more')]) {
    const {socket, connection} = await opened();
    await socket.says('unread');
    await act(connection);
    assert.deepEqual(socket.closes, [[1000, '']]);
    await socket.ends(1000);
  }
});

test('a page that does not read ends the connection, not itself', async () => {
  const {socket, connection} = await opened({maxUnread: 1000});
  const piece = 'x'.repeat(300);
  for (let i = 0; i < 2; i++) await socket.says(piece);
  assert.deepEqual(socket.closes, []);
  const reader = connection.readable.getReader();
  await reader.read();
  await socket.says(piece);
  assert.deepEqual(socket.closes, []); // what was read does not count
  await socket.says(piece);
  assert.equal(socket.closes[0][0], 4000);
  await socket.ends(4000);
  for (let i = 0; i < 3; i++) assert.equal((await reader.read()).value, piece);
  await assert.rejects(reader.read());
});

test('raw: no streams, and nothing listens but the page', async () => {
  const {socket, connection} = await opened({raw: true});
  assert.equal(connection.socket, socket);
  assert.equal(socket.binaryType, undefined);
  assert.throws(() => connection.readable, TypeError);
  assert.throws(() => connection.writable, TypeError);
  await socket.ends(1008, 'ended by the operator 0-2');
  assert.equal((await connection.closed).reason, 'ended by the operator');
});

test('the token is the first message', async () => {
  const asked = [];
  const ask = async () => { asked.push(FakeSocket.all.length); return 'secret'; };
  for (const token of ['secret', () => 'secret', ask]) {
    const {socket, connection} = await opened({token});
    await connection.writable.getWriter().write('hello');
    assert.deepEqual(socket.sent, ['secret', 'hello']);
  }
  assert.deepEqual(asked, [0]); // before the handshake, whose time runs
  const {socket} = await opened();
  assert.deepEqual(socket.sent, []);
});

test('a token that cannot be had is a try that failed', async () => {
  world();
  const cause = new Error('login is down');
  const failed = watch(kit.connect('ws://h/r', {token: async () => { throw cause; }}));
  await settle();
  assert.deepEqual([failed.state, failed.value.ending.again, failed.value.ending.cause,
                    FakeSocket.all.length], ['failed', 'later', cause, 0]);
});

test('connect fails when nobody answers, and says so to onClose', async () => {
  world();
  const ends = [];
  const failed = watch(kit.connect('ws://h/r', {onClose: e => ends.push(e.code)}));
  await settle();
  await FakeSocket.last.ends(1006);
  assert.deepEqual([failed.state, failed.value.ending.code, ends], ['failed', 1006, [1006]]);
});

test('a refusal opens, and onClose has its reason', async () => {
  const ends = [];
  const {socket} = await opened({onClose: e => ends.push(e)});
  await socket.ends(1008, 'origin not allowed 0-5');
  assert.deepEqual(ends.map(e => [e.code, e.reason, e.id, e.again]),
                   [[1008, 'origin not allowed', '0-5', 'no']]);
});

test('the signal ends connect and the connection', async () => {
  world();
  const aborted = {signal: AbortSignal.abort()};
  await assert.rejects(kit.connect('ws://h/r', aborted), {name: 'AbortError'});
  assert.equal(FakeSocket.all.length, 0);
  const abort = new AbortController();
  const failed = watch(kit.connect('ws://h/r', {signal: abort.signal}));
  await settle();
  abort.abort();
  await FakeSocket.last.ends(1006);
  assert.deepEqual([failed.state, failed.value.name], ['failed', 'AbortError']);
  const later = new AbortController();
  const {socket} = await opened({signal: later.signal});
  later.abort();
  assert.deepEqual(socket.closes, [[1000, '']]);
});

test('a path is one of the page\'s own host', async () => {
  for (const [page, url, full] of [
    ['https://h.example:8443/a/b?c', '/vnc', 'wss://h.example:8443/vnc'],
    ['http://h.example/', 'vnc?x=1', 'ws://h.example/vnc?x=1'],
    ['https://h.example/', 'https://o.example/vnc', 'wss://o.example/vnc'],
    ['https://h.example/', new URL('wss://o.example/vnc'), 'wss://o.example/vnc'],
  ]) {
    world();
    globalThis.location = {href: page};
    kit.connect(url).catch(() => {});
    await settle();
    delete globalThis.location;
    assert.equal(FakeSocket.last.url, full);
  }
});
