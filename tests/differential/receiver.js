// SPDX-License-Identifier: GPL-3.0-or-later
// Node's `ws` for the differential test. It reads and prints what decode.c does. When a stream ends
// without an error or a Close, it prints `tail`, completes the open frame with zeroes and the open
// message with an empty last fragment, and prints what `ws` says then; or `endless` when that would
// take too much.
'use strict';

const fs = require('fs');
const path = require('path');

const library = path.join(path.dirname(require.resolve('ws')), 'lib');
const {kStatusCode} = require(path.join(library, 'constants.js'));
const PerMessageDeflate = require(path.join(library, 'permessage-deflate.js'));
const Receiver = require(path.join(library, 'receiver.js'));

const MOST_FILLING = 65536;
const EMPTY_END = Buffer.from([0x80, 0x80, 0, 0, 0, 0]);

function hex(data) {
  return data.length ? data.toString('hex') : '-';
}

// Returns how many bytes the receiver waits for: two of a header, a length, a key, the payload.
function missing(receiver) {
  const have = receiver._bufferedBytes;
  if (receiver._state === 0) {
    return have ? 2 - have : 0;
  }
  return [0, 2, 8, 4, receiver._payloadLength][receiver._state] - have;
}

class Stream {
  constructor(isDeflate, clientBits, isNoTakeover, out) {
    this.out = out;
    this.isOver = false;
    const extensions = {};
    if (isDeflate) {
      this.deflate = new PerMessageDeflate({}, true, 0);
      this.deflate.params = {client_max_window_bits: clientBits};
      if (isNoTakeover) {
        this.deflate.params.client_no_context_takeover = true;
      }
      extensions['permessage-deflate'] = this.deflate;
    }
    this.receiver = new Receiver(
      {isServer: true, extensions, maxPayload: 0, allowSynchronousEvents: true});
    this.receiver.on('error', () => {});
    this.receiver.on('message', (data, isBinary) => {
      out.push(`${isBinary ? 'binary' : 'text'} ${hex(data)}`);
    });
    this.receiver.on('ping', (data) => out.push(`ping ${hex(data)}`));
    this.receiver.on('pong', (data) => out.push(`pong ${hex(data)}`));
    this.receiver.on('conclude', (code, reason) => {
      this.isOver = true;
      out.push(`close ${code} ${hex(reason)}`);
    });
  }

  write(data) {
    return new Promise((resolve) => {
      this.receiver.write(data, (error) => {
        if (error && !this.isOver) {
          this.isOver = true;
          this.out.push(`error ${error[kStatusCode]} ${error.message}`);
        }
        resolve();
      });
    });
  }

  async complete() {
    this.out.push('tail');
    for (let need = missing(this.receiver); need > 0 && !this.isOver;
      need = missing(this.receiver)) {
      if (need > MOST_FILLING) {
        this.out.push('endless');
        return;
      }
      await this.write(Buffer.alloc(need));
    }
    if (!this.isOver && this.receiver._fragmented) {
      await this.write(EMPTY_END);
    }
  }

  done() {
    if (this.deflate) {
      this.deflate.cleanup();
    }
  }
}

(async () => {
  const input = fs.readFileSync(0);
  const out = [];
  let at = 0;
  const number = () => input.readUInt32LE((at += 4) - 4);
  while (at < input.length) {
    const stream = new Stream(input[at] !== 0, input[at + 1], input[at + 2] !== 0, out);
    at += 4;
    for (let count = number(); count > 0; count--) {
      const size = number();
      // ws unmasks in place, so it gets a copy.
      const chunk = Buffer.from(input.subarray(at, at + size));
      at += size;
      if (size > 0 && !stream.isOver) {
        await stream.write(chunk);
      }
    }
    if (!stream.isOver) {
      await stream.complete();
    }
    stream.done();
    out.push('end');
  }
  process.stdout.write(out.join('\n') + '\n');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
