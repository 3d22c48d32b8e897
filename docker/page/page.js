// SPDX-License-Identifier: GPL-3.0-or-later
// Two services in one page. connections() of the kit brings one connection after another, so that a
// new version of sluice or of a service costs the page no more than a moment.
import {connections} from "./sluice.js";

const LOG_LENGTH = 20000;

class Panel {
  constructor(id) {
    const section = document.getElementById(id);
    this.stateField = section.querySelector(".state");
    this.logField = section.querySelector(".log");
    this.writer = null;
    const form = section.querySelector("form");
    form.addEventListener("submit", event => {
      event.preventDefault();
      const line = form.elements.line.value.trim();
      if (line !== "" && this.writer !== null) {
        this.say(line);
        form.elements.line.value = "";
      }
    });
  }

  show(text) {
    this.logField.textContent = (this.logField.textContent + text + "\n").slice(-LOG_LENGTH);
    this.logField.scrollTop = this.logField.scrollHeight;
  }

  state(text) {
    this.stateField.textContent = text;
    this.stateField.classList.toggle("open", text === "open");
  }

  send(text) {
    this.writer.write(text).catch(() => {});      // the end of the connection says why
  }

  async run(path, options) {
    const onClose = ending => {
      this.writer = null;
      this.show(`-- ${ending.words}`);
      this.state(ending.waitMs === null ? "closed" : "connecting");
    };
    // A service that ends a session (1000) may be on its way to a new version: come back.
    const retry = ending => ending.code === 1000 ? "later" : ending.again;
    for await (const connection of connections(path, {...options, onClose, retry})) {
      this.writer = connection.writable.getWriter();
      this.state("open");
      this.begin();
      await connection.readable.pipeTo(new WritableStream({write: data => this.take(data)}))
        .catch(() => {});
    }
  }
}

// Redis: a command is an array of strings, and an answer may come in any parts (RESP 2).
class Redis extends Panel {
  begin() {
    this.rest = "";
    this.decoder = new TextDecoder();
    this.say("PING");
  }

  say(line) {
    const bytes = text => new TextEncoder().encode(text).length;
    const words = line.split(/\s+/);
    this.show(`> ${line}`);
    this.send(new TextEncoder().encode(`*${words.length}\r\n`
      + words.map(word => `$${bytes(word)}\r\n${word}\r\n`).join("")));
  }

  // Binary-safe would need bytes; for a demo the text is enough, and lengths are not looked at.
  take(data) {
    this.rest += this.decoder.decode(data, {stream: true});
    const lines = this.rest.split("\r\n");
    this.rest = lines.pop();
    for (const line of lines.filter(each => !/^[$*]\d+$/.test(each))) {
      this.show(line === "$-1" ? "(nothing)" : line.replace(/^[+:]/, "").replace(/^-/, "error: "));
    }
  }
}

// IRC: a message of the WebSocket is one line.
class Irc extends Panel {
  begin() {
    this.nick = `page${Math.floor(Math.random() * 10000)}`;
    this.send(`NICK ${this.nick}`);
    this.send("USER page 0 * :A page");
  }

  say(line) {
    this.send(`PRIVMSG #sluice :${line}`);
    this.show(`<${this.nick}> ${line}`);
  }

  take(line) {
    const [, from, command, rest] = line.match(/^(?::(\S+) )?(\S+) ?(.*)$/);
    const text = rest.replace(/^.*?:/, "");
    const who = (from ?? "").split("!")[0];
    if (command === "PING") {
      this.send(`PONG ${rest}`);
    } else if (command === "001") {
      this.send("JOIN #sluice");
      this.show(text);
    } else if (command === "PRIVMSG") {
      this.show(`<${who}> ${text}`);
    } else if (command === "JOIN" || command === "PART" || command === "QUIT") {
      this.show(`-- ${who} ${command === "JOIN" ? "is here" : "has left"}`);
    } else if (command === "372" || command === "332" || command === "ERROR") {
      this.show(text);
    }
  }
}

new Redis("redis").run("/redis");
new Irc("irc").run("/irc", {protocols: ["text.ircv3.net"]});
