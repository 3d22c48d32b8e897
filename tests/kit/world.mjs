// SPDX-License-Identifier: GPL-3.0-or-later
/* The world of the kit's tests: a WebSocket, timers and a clock that the test drives.
 * tests/kit/run says where the kit is, under a name that node takes for a module. */

export const kit = await import(process.env.KIT);

const turn = globalThis.setImmediate;

/** Lets everything happen that waits for no timer and no socket. */
export async function settle() {
  for (let i = 0; i < 10; i++) await new Promise(resolve => turn(resolve));
}

/** Timers that ring when the test says so. */
export class Clock {
  constructor() {
    this.ms = 0;
    this.timers = [];
    this.number = 0;
  }

  install() {
    globalThis.setTimeout = (ring, ms) => {
      this.timers.push({id: ++this.number, at: this.ms + ms, ring});
      return this.number;
    };
    globalThis.clearTimeout = id => { this.timers = this.timers.filter(t => t.id !== id); };
  }

  /** @returns {number[]} how far away the timers are */
  waits() { return this.timers.map(t => t.at - this.ms); }

  async pass(ms) {
    await settle();
    const end = this.ms + ms;
    for (;;) {
      const due = this.timers.filter(t => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.ms = due.at;
      this.timers = this.timers.filter(t => t !== due);
      due.ring();
      await settle();
    }
    this.ms = end;
  }
}

/** What a browser's WebSocket does, as far as the kit looks at it. */
export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** @type {FakeSocket[]} */
  static all = [];

  constructor(url, protocols) {
    super();
    if (protocols.some(p => /[ ,]/.test(p))) throw new SyntaxError('not a token');
    Object.assign(this, {url, protocols, readyState: 0, protocol: '', bufferedAmount: 0,
                         sent: [], closes: []});
    FakeSocket.all.push(this);
  }

  static get last() { return FakeSocket.all.at(-1); }

  send(data) {
    if (this.readyState === 0) throw new Error('InvalidStateError');
    this.sent.push(data);
    this.bufferedAmount += data.length ?? data.byteLength;
  }

  close(code, reason) {
    this.closes.push([code, reason]);
    this.readyState = 2;
  }

  async opens(protocol = '') {
    this.readyState = 1;
    this.protocol = protocol;
    this.dispatchEvent(new Event('open'));
    await settle();
  }

  async says(data) {
    this.dispatchEvent(Object.assign(new Event('message'), {data}));
    await settle();
  }

  async ends(code, reason = '', wasClean = code !== 1006) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), {code, reason, wasClean}));
    await settle();
  }
}

/** A new world for a test: timers, sockets, and options whose clock and random the test has. */
export function world(random = () => 0.5) {
  const clock = new Clock();
  clock.install();
  FakeSocket.all = [];
  globalThis.WebSocket = FakeSocket;
  return {clock, backoff: {random, now: () => clock.ms}};
}

/** Runs the rounds of `connections` as a page does, and notes what happens. */
export function follow(line) {
  const seen = {rounds: [], isOver: false, error: null};
  (async () => {
    try {
      for await (const connection of line) seen.rounds.push(connection);
    } catch (error) {
      seen.error = error;
    }
    seen.isOver = true;
  })();
  return seen;
}
