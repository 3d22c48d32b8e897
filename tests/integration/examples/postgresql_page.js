// SPDX-License-Identifier: GPL-3.0-or-later
// pg over a WebSocket: node postgresql_page.js URL
'use strict';

const assert = require('assert');
const {Duplex} = require('stream');
const pg = require('pg');
const {PageSocket, run} = require('./page.js');

// The socket that pg wants, made of a WebSocket.
class SocketStream extends Duplex {
  constructor(url) {
    super();
    this.url = url;
  }

  connect() {
    this.socket = new PageSocket(this.url);
    this.socket.on('open', () => this.emit('connect'));
    this.socket.on('message', (data) => this.push(data));
    this.socket.on('error', (error) => this.destroy(error));
    this.socket.on('close', () => {
      this.push(null);
      this.destroy();
    });
    return this;
  }

  setNoDelay() {}
  ref() {}
  unref() {}
  _read() {}
  _write(chunk, _, done) { this.socket.send(chunk, done); }
  _final(done) {
    this.socket.close(1000);
    done();
  }
}

run(async (url) => {
  const client = new pg.Client({stream: () => new SocketStream(url + '/sql'), user: 'page',
                                password: 'a password', database: 'postgres'});
  await client.connect();
  const {rows} = await client.query('SELECT $1::int + 1 AS sum, $2::text AS text',
                                    [41, 'caf\u00e9 \u{1F600}']);
  assert.deepStrictEqual(rows, [{sum: 42, text: 'caf\u00e9 \u{1F600}'}]);
  const many = await client.query(
    "SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 5000) n");
  assert.strictEqual(many.rows.length, 5000);
  many.rows.forEach((row, i) => assert.deepStrictEqual(row, {n: i + 1, x: 'x'.repeat(1000)}));
  const big = Buffer.alloc(3 << 20, 'abc');
  const size = await client.query('SELECT octet_length($1::bytea) AS size', [big]);
  assert.strictEqual(size.rows[0].size, big.length);
  await assert.rejects(client.query('SELECT 1 / 0'), /division by zero/);
  await client.query('LISTEN news');
  const news = new Promise((resolve) => client.once('notification', resolve));
  await client.query("NOTIFY news, 'hello'");
  assert.strictEqual((await news).payload, 'hello');
  await client.end();
});
