// SPDX-License-Identifier: GPL-3.0-or-later
// What Node's HTTP server (llhttp) and the ws module make of request heads; check.c has the input.
// Prints for each head: OUTCOME STATUS HOST TARGET CODE. OUTCOME is `upgrade`, `request`, `refused`
// or `waits`; STATUS what was answered (0 = nothing); CODE is llhttp's reason.
'use strict';

const { Duplex } = require('stream');
const http = require('http');
const WebSocket = require('ws');

const server = http.createServer({ maxHeaderSize: 32768 });
const sockets = new WebSocket.Server({ noServer: true, perMessageDeflate: true });
const hex = (text) => Buffer.from(text || '', 'latin1').toString('hex') || '-';

server.maxHeadersCount = 0;
server.on('request', (request, response) => {
  request.socket.heard.outcome = request.socket.heard.outcome || 'request';
  note(request);
  response.writeHead(426, { 'Content-Length': 0, Connection: 'close' });
  response.end();
});
server.on('connect', (request, socket) => {
  socket.heard.outcome = 'request';
  note(request);
  socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n');
});
server.on('upgrade', (request, socket) => {
  socket.heard.outcome = 'upgrade';
  note(request);
  sockets.handleUpgrade(request, socket, Buffer.alloc(0), (client) => {
    client.on('error', () => {});
    client.terminate();
  });
});
server.on('clientError', (error, socket) => {
  const heard = socket.heard;
  if (!heard.outcome) {
    heard.outcome = error.code === 'HPE_INVALID_EOF_STATE' ? 'waits' : 'refused';
    heard.code = error.code;
  }
  socket.destroy();
});

function note(request) {
  const heard = request.socket.heard;
  heard.host = heard.host || hex(request.headers.host);
  heard.target = heard.target || hex(request.url);
}

function ask(head, cut) {
  return new Promise((resolve) => {
    const heard = { outcome: '', code: '-', said: '' };
    const socket = new Duplex({
      allowHalfOpen: true,
      read() {},
      write(chunk, encoding, done) {
        heard.said += chunk.toString('latin1');
        done();
      },
    });
    socket.heard = heard;
    for (const name of ['setTimeout', 'setNoDelay', 'setKeepAlive', 'ref', 'unref']) {
      socket[name] = () => socket;
    }
    socket.on('error', () => {});
    socket.on('close', () => {
      const answer = /^HTTP\/1\.1 (\d+)/.exec(heard.said);
      // Node answers some heads (no Host, Expect) without an event.
      const outcome = heard.outcome || (answer ? 'refused' : 'waits');
      resolve([outcome, answer ? answer[1] : 0, heard.host || '-', heard.target || '-',
        heard.code].join(' '));
    });
    server.emit('connection', socket);
    if (cut > 0) {
      socket.push(head.subarray(0, cut));
    }
    if (cut < head.length) {
      socket.push(head.subarray(cut));
    }
    socket.push(null);
    // An orderly end of what nobody closes.
    setTimeout(() => socket.destroy(), 3000).unref();
  });
}

async function main() {
  const parts = [];
  for await (const part of process.stdin) {
    parts.push(part);
  }
  const input = Buffer.concat(parts);
  const asked = [];
  const lines = [];
  for (let at = 0; at < input.length;) {
    const length = input.readUInt32LE(at);
    const cut = input.readUInt32LE(at + 4);
    asked.push(ask(input.subarray(at + 8, at + 8 + length), cut));
    at += 8 + length;
    if (asked.length === 200 || at >= input.length) {
      lines.push(...await Promise.all(asked.splice(0)));
    }
  }
  process.stdout.write(lines.join('\n') + '\n', () => process.exit(0));
}

main();
