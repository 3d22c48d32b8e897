// SPDX-License-Identifier: GPL-3.0-or-later
// MQTT.js: node mqtt_page.js URL
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const mqtt = require('mqtt');
const {once, run} = require('./page.js');

const BIG = (1 << 20) + (1 << 19);

async function connected(url, protocolVersion) {
  const client = mqtt.connect(url, {
    protocolVersion, protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT', reconnectPeriod: 0,
    wsOptions: {origin: process.env.PAGE_ORIGIN}});
  client.on('error', (error) => { throw error; });
  await once(client, 'connect');
  return client;
}

async function exchange(url, protocolVersion) {
  const topic = 'test/' + protocolVersion;
  const [reader, writer] = await Promise.all([
    connected(url, protocolVersion), connected(url, protocolVersion)]);
  const got = [];
  const all = new Promise((resolve) => {
    reader.on('message', (_, payload, packet) => {
      got.push([packet.qos, payload]);
      if (got.length === 6) {
        resolve();
      }
    });
  });
  await reader.subscribeAsync(topic, {qos: 2});
  const sent = [];
  for (const size of [5, BIG]) {
    for (const qos of [0, 1, 2]) {
      sent.push([qos, crypto.randomBytes(size)]);
      await writer.publishAsync(topic, sent[sent.length - 1][1], {qos});
    }
  }
  await all;
  // A broker keeps the order within one QoS only.
  for (const [qos, payload] of sent) {
    const same = got.filter((one) => one[0] === qos && one[1].equals(payload));
    assert.strictEqual(same.length, 1, `QoS ${qos}, ${payload.length} bytes`);
  }
  await Promise.all([reader.endAsync(), writer.endAsync()]);
}

run(async (url) => {
  for (const version of [3, 4, 5]) {
    await exchange(url + '/mqtt', version);
  }
});
