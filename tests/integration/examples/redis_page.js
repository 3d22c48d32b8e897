// SPDX-License-Identifier: GPL-3.0-or-later
// A page that speaks RESP: node redis_page.js URL
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const {PageSocket, once, run} = require('./page.js');

function command(...words) {
  const parts = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

// Reads exact numbers of bytes, wherever messages begin and end.
class Reader {
  constructor(socket) {
    this.have = Buffer.alloc(0);
    socket.on('message', (data) => {
      this.have = Buffer.concat([this.have, data]);
      this.wake?.();
    });
  }

  async take(size) {
    while (this.have.length < size) {
      await new Promise((resolve) => { this.wake = resolve; });
    }
    const taken = this.have.subarray(0, size);
    this.have = this.have.subarray(size);
    return taken;
  }
}

async function connected(url) {
  const socket = new PageSocket(url + '/redis');
  const reader = new Reader(socket);
  await once(socket, 'open');
  return {socket, reader};
}

run(async (url) => {
  const {socket, reader} = await connected(url);
  const value = crypto.randomBytes(3 << 20);
  const set = command('SET', 'k', value);
  socket.send(set.subarray(0, 100));  // a part of a command
  socket.send(Buffer.alloc(0));       // nothing
  socket.send(Buffer.concat([set.subarray(100), command('GET', 'k'), command('PING')]));
  const want = Buffer.concat([Buffer.from(`+OK\r\n$${value.length}\r\n`), value,
                              Buffer.from('\r\n+PONG\r\n')]);
  assert.ok((await reader.take(want.length)).equals(want));
  const listener = await connected(url);
  listener.socket.send(command('SUBSCRIBE', 'news'));
  const joined = '*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n';
  assert.strictEqual((await listener.reader.take(joined.length)).toString(), joined);
  socket.send(command('PUBLISH', 'news', 'hello'));
  assert.strictEqual((await reader.take(4)).toString(), ':1\r\n');
  const news = command('message', 'news', 'hello');
  assert.ok((await listener.reader.take(news.length)).equals(news));
  for (const one of [socket, listener.socket]) {
    one.close(1000);
    assert.strictEqual(await once(one, 'close'), 1000);
  }
});
