// SPDX-License-Identifier: GPL-3.0-or-later
// Node's `ws` as a second reader of RFC 6455: node echo_client.js URL CA.pem
// Prints one line for each check that passed and ends with "done"; any failure ends it with 1.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const WebSocket = require('ws');

const [url, authority] = process.argv.slice(2);

function connect(path, options = {}) {
  const origin = url.replace('wss:', 'https:');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url + path, options.subprotocols || [], {
      ca: fs.readFileSync(authority), origin, ...options});
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

function message(socket) {
  return new Promise((resolve) => {
    socket.once('message', (data, isBinary) => resolve({data, isBinary}));
  });
}

function closed(socket) {
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => resolve({code, reason: reason.toString()}));
  });
}

async function echo(socket, data) {
  const answer = message(socket);
  socket.send(data);
  const {data: got, isBinary} = await answer;
  assert.strictEqual(isBinary, Buffer.isBuffer(data));
  assert.ok(Buffer.from(data).equals(got), 'the echo differs');
}

const checks = {
  async text() {
    const socket = await connect('/echo');
    await echo(socket, 'hello');
    await echo(socket, 'na\u00efve \u20ac \u{1f600}');
    await echo(socket, '');
    socket.close(1000);
    assert.strictEqual((await closed(socket)).code, 1000);
  },
  async binaryOfManySizes() {
    const socket = await connect('/echo');
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, 70000, 1 << 20]) {
      await echo(socket, crypto.randomBytes(size));
    }
    socket.terminate();
  },
  async big() {
    const socket = await connect('/echo', {maxPayload: 1 << 26});
    await echo(socket, crypto.randomBytes(1 << 24));
    socket.terminate();
  },
  async fragments() {
    const socket = await connect('/echo');
    const answer = message(socket);
    socket.send('one ', {fin: false});
    socket.send('two ', {fin: false});
    socket.send('three', {fin: true});
    const {data, isBinary} = await answer;
    assert.strictEqual(data.toString(), 'one two three');
    assert.strictEqual(isBinary, false);
    socket.terminate();
  },
  async ping() {
    const socket = await connect('/echo');
    const pong = new Promise((resolve) => socket.once('pong', resolve));
    socket.ping('are you there');
    assert.strictEqual((await pong).toString(), 'are you there');
    socket.terminate();
  },
  async closeCodes() {
    const ends = [[1000, ''], [1001, 'away'], [3000, ''], [4999, 'x'.repeat(123)]];
    for (const [code, reason] of ends) {
      const socket = await connect('/echo');
      socket.close(code, reason);
      assert.strictEqual((await closed(socket)).code, code);
    }
    const socket = await connect('/echo');
    socket.close();
    assert.strictEqual((await closed(socket)).code, 1005);
  },
  async noExtension() {
    const socket = await connect('/echo', {perMessageDeflate: true});
    assert.strictEqual(socket.extensions, '');
    await echo(socket, 'a'.repeat(10000));
    socket.terminate();
  },
  async subprotocol() {
    const socket = await connect('/binary', {subprotocols: ['other', 'binary']});
    assert.strictEqual(socket.protocol, 'binary');
    await echo(socket, Buffer.from('bytes'));
    const end = closed(socket);
    socket.send('text is not accepted here');
    assert.strictEqual((await end).code, 1003);
  },
  async refusals() {
    for (const [path, code] of [['/nowhere', 1008], ['/down', 1011], ['/binary', 1008]]) {
      const socket = await connect(path);
      const end = await closed(socket);
      assert.strictEqual(end.code, code);
      assert.ok(end.reason.length > 0);
    }
  },
  async manyAtOnce() {
    const sockets = await Promise.all(Array.from({length: 50}, () => connect('/echo')));
    await Promise.all(sockets.map((socket, i) => echo(socket, `session ${i}`)));
    sockets.forEach((socket) => socket.terminate());
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(name);
  }
  console.log('done');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
