// SPDX-License-Identifier: GPL-3.0-or-later
/* sluice.js: the kit for a page that speaks through sluice.
 *
 * For: a WebSocket as a pair of web streams; another one when it has ended, at a time that spares
 * the gateway; the first message that says who the page is; and close codes in words.
 * Not for: making up for lost bytes. Each connection is a new one for the service, too: what a page
 * says again after a reconnect, only the page can know.
 *
 *   import {connections} from '/sluice.js';
 *   for await (const connection of connections('/vnc', {protocols: ['binary']})) {
 *     await connection.readable.pipeTo(somewhere).catch(() => {});
 *   }
 *
 * What no page can do: hold back a sender. The API of WebSockets has no way to stop reading, and
 * browsers hand over what comes as it comes. (WebSocketStream could; only Chromium has it.) So what
 * the page does not read waits in its own memory, up to `maxUnread`; then the kit ends the
 * connection, which costs less than the page. A service that is faster than its page needs a rate
 * in the gateway (rate_down) or words of its own by which the page asks for more.
 * Sending is another matter: `bufferedAmount` says what has not left yet, and each write waits for
 * it to drain. It is polled, because no event tells. Browsers slow the timers of hidden pages down
 * to one a second and less, so a hidden page sends `maxUnsent` in that time, unless something comes
 * in: then the kit looks as well. */

/** What to do after an end: not again; again soon, but not all pages at once; or with a back-off.
 * @typedef {'no' | 'spread' | 'later'} Again */

/** How a connection ended.
 * @typedef {object} Ending
 * @property {number} code of the Close; 1006: there was none
 * @property {string} reason without the session's id
 * @property {string} id of the session, by which the gateway's log has it; may be empty
 * @property {boolean} wasClean the browser's own view
 * @property {Again} again
 * @property {string} words what explain() says
 * @property {number | null} waitMs until the next try of connections(); null: there is none
 * @property {unknown} cause what the page's own `token` failed with; else undefined */

/** @typedef {string | ArrayBuffer | ArrayBufferView<ArrayBuffer>} Sent */
/** @typedef {string | Uint8Array<ArrayBuffer>} Came */

/** @typedef {object} BackoffOptions
 * @property {number} [firstMs] the longest first wait (500); it doubles with each try
 * @property {number} [longestMs] and ends here (30,000)
 * @property {number} [stableMs] open for so long: the next end is a new matter (5,000)
 * @property {number} [spreadMs] over which pages come back that all ended at once (3,000)
 * @property {() => number} [random] from 0 to below 1
 * @property {() => number} [now] milliseconds */

/** @typedef {object} Options
 * @property {string[]} [protocols] subprotocols to offer
 * @property {string | (() => string | Promise<string>)} [token] the first message, for a route with
 *   auth_from = first_message. A function is asked before each connection
 * @property {AbortSignal} [signal] ends it all
 * @property {boolean} [raw] no streams: the page, or a library, listens to `socket` itself
 * @property {number} [maxUnsent] bytes of bufferedAmount above which a write waits (1 MiB)
 * @property {number} [maxUnread] bytes that may wait to be read (64 MiB)
 * @property {(ending: Ending) => void} [onClose] hears of each end, and of tries that failed
 * @property {(ending: Ending) => Again} [retry] another opinion than `ending.again`. After 1008
 *   nobody asks for it
 * @property {BackoffOptions} [backoff] */

/** The codes, and the reasons that sluice gives with them. tests/lint/close_codes compares them
 * with the gateway's own table and with config/CLOSE_CODES.md.
 * @type {Record<number, {again: Again, words: string, reasons?: Record<string, string>}>} */
const CODES = {
  1000: {
    again: 'no', words: 'The connection was ended in order.',
    reasons: {'backend closed': 'The service has ended the connection in order.'},
  },
  1001: {
    again: 'spread', words: 'The gateway has ended the connection.',
    reasons: {
      'idle': 'The connection was ended because nothing was said for a while.',
      'max age': 'The connection was as old as one may become here.',
      'shutting down': 'The gateway is being stopped.',
    },
  },
  1002: {
    again: 'no', words: 'The gateway could not understand this browser.',
    reasons: {
      'protocol error': 'The gateway got a frame that breaks the protocol.',
      'bad close frame': 'The gateway got a Close that breaks the protocol.',
    },
  },
  1003: {
    again: 'no', words: 'The gateway does not take messages of this kind.',
    reasons: {
      'message type not accepted':
        'The gateway takes only text, or only binary messages here, and the page sent the other.',
    },
  },
  1005: {again: 'later', words: 'The connection was ended without a code.'},
  1006: {
    again: 'later',
    words: 'The connection broke, or could not be made: the network, or nobody answers there.',
  },
  1007: {
    again: 'no', words: 'The gateway could not read what the page sent.',
    reasons: {'text is not UTF-8': 'The gateway could not read the text that the page sent.'},
  },
  1008: {
    again: 'no', words: 'The gateway does not allow this.',
    reasons: {
      'no such route': 'There is nothing at this address.',
      'origin not allowed': 'Pages of this site may not connect here.',
      'no acceptable subprotocol': 'The page and the gateway have no subprotocol in common.',
      'address not allowed': 'Nobody may connect here from this network.',
      'not authorised': 'The gateway does not know who you are. Log in again.',
      'target not allowed': 'The page asked for a target that is not there, or not for it.',
      'message does not fit the framing': 'The page sent a message that the service cannot take.',
      'rate exceeded': 'The page sent more in a short time than it may.',
      'authorisation expired': 'Your login has expired. Log in again.',
      'authorisation revoked': 'Your access has been taken back.',
      'ended by the operator': 'Somebody who runs the gateway has ended the connection.',
    },
  },
  1009: {
    again: 'no', words: 'The page sent a message that is too large.',
    reasons: {'message too big': 'The page sent a message that is too large.'},
  },
  1011: {
    again: 'later', words: 'Something is wrong behind the gateway.',
    reasons: {
      'backend unavailable': 'The service cannot be reached at the moment.',
      'backend reset': 'The service broke the connection off.',
      'backend stalled': 'The service has stopped taking what the page sends.',
      'backend data does not fit': 'The service sent what the gateway cannot pass on.',
      'internal error': 'The gateway has run out of something.',
    },
  },
  1012: {
    again: 'spread', words: 'The gateway is restarting.',
    reasons: {'restarting': 'The gateway is restarting, or has a new configuration.'},
  },
  1013: {
    again: 'later', words: 'The gateway has no room at the moment.',
    reasons: {
      'try again later': 'The gateway has no room at the moment.',
      'too many sessions from this address':
        'There are too many connections from your address or of your account.',
    },
  },
  1014: {again: 'later', words: 'Something is wrong behind the gateway.'},
};
CODES[1014].reasons = CODES[1011].reasons; // backend_code = 1014

/** @param {number} code @returns {Again} */
function againAfter(code) { return CODES[code] ? CODES[code].again : 'later'; }

/** Takes the session's id from the end of a reason. @param {string} reason */
function split(reason) {
  const [, text, id] = reason.match(/^(.*) (\d+-\d+)$/) ?? [, reason, ''];
  return {text: String(text), id: String(id)};
}

/** Says in words for people what a close code means, and ends with what helps whoever looks into
 * it: code, reason and the session's id.
 * @param {number} code @param {string} [reason] as the event has it */
export function explain(code, reason = '') {
  const row = CODES[code], reasons = row?.reasons ?? {}, {text} = split(reason);
  const words = Object.hasOwn(reasons, text) ? reasons[text] : row?.words ??
    (code >= 4000 ? 'The page has ended the connection.' : 'The connection was ended.');
  return words + ' (' + code + (reason && ', ' + reason) + ')';
}

/** @param {{code: number, reason: string, wasClean: boolean}} event @param {unknown} [cause]
 * @returns {Ending} */
function endingOf(event, cause) {
  const {text, id} = split(event.reason);
  return {code: event.code, reason: text, id, wasClean: event.wasClean, cause, waitMs: null,
          again: againAfter(event.code), words: explain(event.code, event.reason)};
}

/** What connect(), reads and writes fail with. */
export class ConnectionError extends Error {
  /** @param {Ending} ending */
  constructor(ending) {
    super(ending.words);
    this.name = 'ConnectionError';
    this.ending = ending;
  }
}

/** When to connect again: a random time up to a ceiling, which doubles with each try (full jitter:
 * a crowd of pages comes back evenly). */
export class Backoff {
  /** @param {BackoffOptions} [options] */
  constructor({firstMs = 500, longestMs = 30000, stableMs = 5000, spreadMs = 3000,
               random = Math.random, now = () => performance.now()} = {}) {
    this.firstMs = firstMs;
    this.longestMs = longestMs;
    this.stableMs = stableMs;
    this.spreadMs = spreadMs;
    this.random = random;
    this.now = now;
    this.tries = 0; // since a connection that lasted
    /** @type {number | null} */
    this.openedAt = null;
  }

  opened() { this.openedAt = this.now(); }

  /** A connection ended, or could not be made. A refusal opens, too, so that its Close can be read:
   * only what lasts begins the count anew.
   * @param {Again} again @returns {number | null} milliseconds to wait; null: no more */
  next(again) {
    if (this.openedAt !== null && this.now() - this.openedAt >= this.stableMs) this.tries = 0;
    this.openedAt = null;
    if (again === 'no') return null;
    const grown = Math.min(this.longestMs, this.firstMs * 2 ** this.tries++);
    const ceiling = again === 'spread' ? Math.max(grown, this.spreadMs) : grown;
    return Math.round(this.random() * ceiling);
  }
}

/** @param {Came | Sent} data */
function sizeOf(data) { return typeof data === 'string' ? data.length : data.byteLength; }

/** What came and was not read yet. It ends after the last byte, not before it. */
class Inbox {
  /** @type {Came[]} */ #queue = [];
  /** @type {(() => void) | null} */ #wake = null;
  /** @type {((controller: ReadableStreamDefaultController<Came>) => void) | null} */ #end = null;
  #head = 0;
  unread = 0;

  /** @param {() => void} onCancel */
  constructor(onCancel) {
    // Its own queue is empty, so that an error overtakes nothing.
    this.readable = new ReadableStream({
      pull: controller => this.#pull(controller),
      cancel: () => { this.#drop(); onCancel(); },
    }, {highWaterMark: 0});
  }

  /** @param {Came} data */
  put(data) {
    if (this.#end) return;
    this.#queue.push(data);
    this.unread += sizeOf(data) + 64; // an empty message takes memory, too
    this.#wake?.();
  }

  /** @param {Error | null} error */
  end(error) {
    if (this.#end) return;
    this.#end = controller => error ? controller.error(error) : controller.close();
    this.#wake?.();
  }

  #drop() {
    this.#queue = [];
    this.#head = this.unread = 0;
    this.#end ??= () => {};
  }

  /** @param {ReadableStreamDefaultController<Came>} controller */
  async #pull(controller) {
    while (this.#head === this.#queue.length) {
      if (this.#end) return this.#end(controller);
      await new Promise(resolve => { this.#wake = () => resolve(undefined); });
      this.#wake = null;
    }
    const data = this.#queue[this.#head];
    this.#queue[this.#head++] = '';
    if (this.#head > 1000 && 2 * this.#head > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.unread -= sizeOf(data) + 64;
    controller.enqueue(data);
  }
}

/** One WebSocket that is open, as a pair of streams: text as strings, bytes as Uint8Array.
 *
 * `readable` ends in order after Close 1000 or the page's own close(); after any other end it fails
 * with a ConnectionError, behind the last byte that came. Closing `writable` sends what waits and
 * closes the WebSocket: a browser hands over nothing that comes later, so pipe with preventClose
 * where the service has the last word. */
export class Connection {
  /** @type {Inbox | null} */ #inbox = null;
  /** @type {WritableStream<Sent> | null} */ #writable = null;
  /** @type {WritableStreamDefaultController | null} */ #controller = null;
  /** @type {Ending | null} */ #ending = null;
  /** @type {(() => void) | null} */ #look = null; // at bufferedAmount, while a write waits
  #isClosing = false;

  /** @param {WebSocket} socket @param {Options} options */
  constructor(socket, {raw = false, maxUnsent = 1 << 20, maxUnread = 64 << 20} = {}) {
    this.socket = socket;
    this.protocol = socket.protocol;
    /** @type {Promise<Ending>} It never fails. */
    this.closed = new Promise(resolve => {
      socket.addEventListener('close', event => {
        this.#ending = endingOf(event);
        if (!raw) this.#finish(this.#ending);
        resolve(this.#ending);
      });
    });
    if (raw) return;
    socket.binaryType = 'arraybuffer';
    const inbox = this.#inbox = new Inbox(() => this.close());
    socket.addEventListener('message', event => {
      inbox.put(typeof event.data === 'string' ? event.data : new Uint8Array(event.data));
      this.#look?.();
      if (inbox.unread > maxUnread) this.close(4000, 'the page reads too slowly');
    });
    this.#writable = new WritableStream({
      start: controller => { this.#controller = controller; },
      write: data => { this.#send(data); return this.#drained(maxUnsent); },
      close: async () => { await this.#drained(0); this.close(); await this.closed; },
      abort: () => this.close(),
    });
  }

  get readable() {
    if (!this.#inbox) throw new TypeError('a raw connection has no streams');
    return this.#inbox.readable;
  }

  get writable() {
    if (!this.#writable) throw new TypeError('a raw connection has no streams');
    return this.#writable;
  }

  /** @param {number} [code] 1000, or 3000 to 4999 @param {string} [reason] */
  close(code = 1000, reason = '') {
    this.#isClosing = code === 1000;
    if (this.socket.readyState <= WebSocket.OPEN) this.socket.close(code, reason);
  }

  /** @param {Ending} ending */
  #finish(ending) {
    const error = new ConnectionError(ending);
    this.#inbox?.end(ending.code === 1000 || this.#isClosing ? null : error);
    if (!this.#isClosing) this.#controller?.error(error);
    this.#look?.();
  }

  /** @param {Sent} data */
  #send(data) {
    if (this.#ending) throw new ConnectionError(this.#ending);
    this.socket.send(data);
  }

  /** Waits until no more than that many bytes have not left. @param {number} most
   * @returns {Promise<void>} */
  #drained(most) {
    return new Promise((resolve, reject) => {
      let timer = 0, waitMs = 1;
      const done = (/** @type {() => void} */ settle) => {
        this.#look = null;
        settle();
      };
      this.#look = () => {
        clearTimeout(timer);
        const ending = this.#ending;
        if (this.socket.bufferedAmount <= most) return done(resolve);
        if (ending) return done(() => reject(new ConnectionError(ending)));
        timer = setTimeout(() => this.#look?.(), waitMs);
        waitMs = Math.min(16, 2 * waitMs);
      };
      this.#look();
    });
  }
}

/** @param {string | URL} url may be a path: then of the page's own host */
function absolute(url) {
  const found = new URL(url, globalThis.location?.href);
  found.protocol = found.protocol.replace('http', 'ws');
  return found.href;
}

/** @param {Options['token']} token */
async function tokenFrom(token) {
  try {
    return typeof token === 'function' ? await token() : token;
  } catch (error) {
    throw new ConnectionError(endingOf({code: 1006, reason: '', wasClean: false}, error));
  }
}

/** Opens one connection. Fails with a ConnectionError when it cannot be made, and with the signal's
 * reason. A refusal opens all the same and ends at once: `closed` says why.
 *
 * For a library that wants a WebSocket, as noVNC does, ask for `raw` and give it `socket`, before
 * anything else is awaited; `closed` or `onClose` have the code and the reason.
 * @param {string | URL} url @param {Options} [options] @returns {Promise<Connection>} */
export async function connect(url, options = {}) {
  const {signal} = options;
  signal?.throwIfAborted();
  const token = await tokenFrom(options.token);
  signal?.throwIfAborted();
  const socket = new WebSocket(absolute(url), options.protocols ?? []);
  return new Promise((resolve, reject) => {
    /** @type {Connection | null} */
    let connection = null;
    const stop = () => {
      if (connection) connection.close();
      else socket.close();
    };
    signal?.addEventListener('abort', stop);
    socket.addEventListener('open', () => {
      if (token !== undefined) socket.send(token);
      resolve(connection = new Connection(socket, options));
    });
    socket.addEventListener('close', async event => {
      signal?.removeEventListener('abort', stop);
      const ending = connection ? await connection.closed : endingOf(event);
      if (!connection) reject(signal?.aborted ? signal.reason : new ConnectionError(ending));
      options.onClose?.(ending);
    });
  });
}

/** One connection after another, as an asynchronous iterable: each round has one, and the next
 * round begins when it has ended and the wait is over. The rounds end behind an end that allows no
 * other try, with close(), with the signal, and with `break`. */
export class Connections {
  #abort = new AbortController();
  /** @type {(() => void) | null} */ #wake = null;
  /** @type {'idle' | 'connecting' | 'open' | 'waiting' | 'ended'} */ state = 'idle';

  /** @param {string | URL} url @param {Options} [options] */
  constructor(url, options = {}) {
    this.url = url;
    this.options = options;
    this.backoff = new Backoff(options.backoff);
    options.signal?.addEventListener('abort', () => this.close());
    if (options.signal?.aborted) this.close();
  }

  close() {
    this.#abort.abort();
    this.#wake?.();
  }

  /** Ends the wait for the next try, for example when the browser is online again. */
  retryNow() { this.#wake?.(); }

  async *[Symbol.asyncIterator]() {
    const {signal} = this.#abort;
    const options = {...this.options, signal, onClose: undefined};
    try {
      while (!signal.aborted) {
        let ending;
        this.state = 'connecting';
        try {
          const connection = await connect(this.url, options);
          this.backoff.opened();
          this.state = 'open';
          yield connection;
          ending = await connection.closed;
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof ConnectionError)) throw error;
          ending = error.ending;
        }
        ending.waitMs = signal.aborted ? null : this.#waitAfter(ending);
        this.state = ending.waitMs === null ? 'ended' : 'waiting';
        this.options.onClose?.(ending);
        if (ending.waitMs === null) return;
        await this.#wait(ending.waitMs);
      }
    } finally {
      this.state = 'ended';
      this.close();
    }
  }

  /** @param {Ending} ending */
  #waitAfter(ending) {
    const isFinal = ending.code === 1008 || !this.options.retry;
    return this.backoff.next(isFinal ? ending.again : this.options.retry?.(ending) ?? 'no');
  }

  /** @param {number} ms @returns {Promise<void>} */
  #wait(ms) {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      if (this.#abort.signal.aborted) this.#wake();
    });
  }
}

/** @param {string | URL} url @param {Options} [options] */
export function connections(url, options) { return new Connections(url, options); }
