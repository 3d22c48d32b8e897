// SPDX-License-Identifier: GPL-3.0-or-later
// Node's `ws` with permessage-deflate: node deflate_client.js URL CA.pem
// Prints one line for each connection whose messages all came back and ends with "done".
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const WebSocket = require('ws');

const [url, authority] = process.argv.slice(2);
const ca = fs.readFileSync(authority);

const messages = [
  'hello', '', Buffer.alloc(0), 'na\u00efve \u20ac \u{1f600} '.repeat(1000), Buffer.alloc(100000),
  crypto.randomBytes(65536), crypto.randomBytes(1 << 20), 'again and again '.repeat(100000),
];

function once(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, (...values) => resolve(values));
    socket.once('error', reject);
  });
}

async function echoes(path, perMessageDeflate, extensions) {
  const origin = url.replace('wss:', 'https:');
  const socket = new WebSocket(url + path, {ca, origin, perMessageDeflate, maxPayload: 1 << 26});
  await once(socket, 'open');
  assert.strictEqual(socket.extensions, extensions);
  for (const data of [...messages, ...messages]) {
    const answer = once(socket, 'message');
    socket.send(data);
    const [got, isBinary] = await answer;
    assert.strictEqual(isBinary, Buffer.isBuffer(data));
    assert.ok(Buffer.from(data).equals(got), 'the echo differs');
  }
  const answer = once(socket, 'message');
  socket.send('one '.repeat(500), {fin: false});
  socket.send('two '.repeat(500), {fin: false});
  socket.send('three', {fin: true});
  const [whole] = await answer;
  assert.strictEqual(whole.toString(), 'one '.repeat(500) + 'two '.repeat(500) + 'three');
  const end = once(socket, 'close');
  socket.close(1000);
  assert.strictEqual((await end)[0], 1000);
  console.log(`${path} ${JSON.stringify(perMessageDeflate)}`);
}

const on = 'permessage-deflate';

(async () => {
  await echoes('/echo', true, on);
  await echoes('/echo', {threshold: 0}, on);
  await echoes('/large', {threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 10}, on);
  await echoes('/anew', {threshold: 0}, on);
  await echoes('/echo', {
    threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true}, on);
  await echoes('/off', true, '');
  console.log('done');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
