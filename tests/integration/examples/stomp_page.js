// SPDX-License-Identifier: GPL-3.0-or-later
// stompjs as in a browser: node stomp_page.js URL
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const {Client} = require('@stomp/stompjs');
const {run} = require('./page.js');

run((url) => new Promise((resolve, reject) => {
  const text = 'caf\u00e9 \u{1F600} '.repeat(20000);
  const bytes = crypto.randomBytes(100000);
  const bodies = ['', 'hello', text, bytes];
  let at = 0;
  const client = new Client({
    brokerURL: url + '/stomp', connectHeaders: {login: 'guest', passcode: 'guest'},
    heartbeatIncoming: 1000, heartbeatOutgoing: 1000, reconnectDelay: 0});
  client.onStompError = (frame) => reject(new Error(frame.headers.message));
  client.onWebSocketError = reject;
  client.onWebSocketClose = (event) => reject(new Error(`${event.code} ${event.reason}`));
  client.onDisconnect = () => resolve();
  client.onConnect = () => {
    assert.strictEqual(client.webSocket.protocol, 'v12.stomp');
    client.subscribe('/topic/test', (message) => {
      const same = typeof bodies[at] === 'string' ? message.body === bodies[at]
        : bytes.equals(message.binaryBody);
      if (!same) {
        reject(new Error(`body ${at} differs`));
      }
      if (++at === bodies.length) {
        client.onWebSocketClose = () => {};
        client.deactivate();
      }
    });
    for (const body of bodies) {
      client.publish(typeof body === 'string' ? {destination: '/topic/test', body}
        : {destination: '/topic/test', binaryBody: body,
           headers: {'content-type': 'application/octet-stream'}});
    }
  };
  client.activate();
}));
