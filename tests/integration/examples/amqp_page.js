// SPDX-License-Identifier: GPL-3.0-or-later
// amqp-client.js as in a browser: node amqp_page.js URL
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const {AMQPWebSocketClient} = require('@cloudamqp/amqp-client');
const {run} = require('./page.js');

const SIZES = [0, 1, 5000, 1 << 20];  // an empty body, one frame, many of them

run(async (url) => {
  const client = new AMQPWebSocketClient(url + '/amqp', '/', 'guest', 'guest', 'page', 8192, 10);
  const connection = await client.connect();
  const channel = await connection.channel();
  const queue = await channel.queueDeclare('', {autoDelete: true});
  const got = [];
  const sent = SIZES.map((size) => crypto.randomBytes(size));
  await new Promise((resolve, reject) => {
    client.onerror = reject;
    channel.basicConsume(queue.name, {noAck: false}, (message) => {
      channel.basicAck(message.deliveryTag);
      got.push(Buffer.from(message.body || []));
      if (got.length === sent.length) {
        resolve();
      }
    }).then(async () => {
      await channel.confirmSelect();
      for (const body of sent) {
        await channel.basicPublish('', queue.name, body, {deliveryMode: 2});
      }
    }).catch(reject);
  });
  got.forEach((body, i) => assert.ok(body.equals(sent[i]), `body ${i} differs`));
  await connection.close();
});
