// SPDX-License-Identifier: GPL-3.0-or-later
// What a browser has and node has not: a WebSocket that says from which page it comes.
'use strict';

const WebSocket = require('ws');

class PageSocket extends WebSocket {
  constructor(url, subprotocols = [], options = {}) {
    super(url, subprotocols, {origin: process.env.PAGE_ORIGIN, ...options});
  }
}

// Runs the page to its end; whatever it throws is the test's failure.
function run(page) {
  page(...process.argv.slice(2)).then(() => {
    console.log('done');
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
}

// Resolves with the event's first argument.
function once(emitter, name) {
  return new Promise((resolve) => emitter.once(name, resolve));
}

globalThis.WebSocket = PageSocket;
module.exports = {PageSocket, once, run};
