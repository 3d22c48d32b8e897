# SPDX-License-Identifier: GPL-3.0-or-later
"""config/SECURING.md: each of its configurations is good as it stands, each step keeps out whom its
table says, and its links lead somewhere."""

import base64
import os
import re

from clientcerts import World
from harness import case, equal
from provider import digest, jwk, jwks, token, write_secret
from services import ROOT
from wsclient import Client, Ended, Wire
from zoo import PEM, pem, revocations

FOLDER = os.path.join(ROOT, "config")
PAGE = "https://app.example.com"
PASSWORD = "Tr0ub4dor-and-3-sesame"
HASH = "alice:$6$rounds=1000$saltsalt$elk2LfWqD9.cJ.h.qUMniwqlQs1fcr5UFwbXi.pLYkvNJDRmRkwbL8p2DGo" \
    "xUW7w7x1N3hZOa7DEdZraigxxI.\n"


def text_of(name="SECURING.md"):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def blocks(text):
    return re.findall(r"```ini\n(.*?)```", text, re.S)


def write_files(t):
    """Makes every file that the page names. Returns the world of the clients' certificates."""
    w = World(t)
    certificate, key = t.certificate()
    for name, path in (("fullchain.pem", certificate), ("privkey.pem", key)):
        with open(path, encoding="ascii") as file:
            write_secret(t, name, file.read())
    for name, content in (("jwks.json", jwks(jwk("ES256"), jwk("EdDSA"))),
                          ("revoked", "# nobody\n"),
                          ("tokens", "arm:%s\n" % digest("sesame")), ("htpasswd", HASH),
                          ("clients-ca.pem", pem(w.root).decode()),
                          ("clients-ca.crl",
                           revocations(w.root).public_bytes(PEM).decode())):
        write_secret(t, name, content)
    return w


def here(t, block):
    """The configuration with the files of this case; the page's user may not exist here."""
    assert "user = sluice\n" in block, block
    return block.replace("/etc/sluice/", t.path("")).replace("user = sluice\n", "user = nobody\n")


@case()
def each_is_good(t):
    """Neither an error nor a warning."""
    write_files(t)
    found = blocks(text_of())
    assert len(found) >= 8, "only %d configurations" % len(found)
    for block in found:
        code, _, stderr, _ = t.check(here(t, block))
        equal((code, stderr), (0, ""), "the check of " + block)


@case()
def links(t):
    """Each anchor is a heading of the file that it names."""
    for name, target, anchor in [("SECURING.md", *link) for link in re.findall(
            r"\]\(((?:\.\./)?[A-Z]*(?:\.md)?)#([a-z0-9-]+)\)", text_of())]:
        headings = re.findall(r"^#+ (.*)$", text_of(target or name), re.M)
        slugs = [re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings]
        assert anchor in slugs, "%s#%s" % (target, anchor)


def live(t, block):
    """The step on loopback: 127.0.0.1 is its own network, and 127.0.0.2 is none of it."""
    text = here(t, block).replace("user = nobody\n", "workers = 1\ndrain_timeout = 1s\n")
    for pattern, value in ((r"^address = .*", "address = 127.0.0.1:0"),
                           (r"^allow = .*", "allow = 127.0.0.1"),
                           (r"^backend = .*", "backend = echo:")):
        text = re.sub(pattern, value, text, flags=re.M)
    return t.start(text)


def comes_in(t, p, context, source="127.0.0.1", origin=PAGE, headers=()):
    wire = Wire(p.ports["public"], source=(source, 0))
    t.cleanup(wire.close)
    try:
        wire.begin_tls(context)
        c = Client(wire).open("/desk", origin=origin, headers=headers)
        c.text(b"hello")
        return c.recv_frame().payload == b"hello"
    except (OSError, Ended):
        return False
    finally:
        wire.reset()


def table():
    """What the page says: who comes in after each step."""
    rows = re.findall(r"^\| (an? .*?|your page.*?) \|(.*)\|$", text_of().split("## Step 1")[0],
                      re.M)
    return [(name, [cell.strip() for cell in cells.split("|")]) for name, cells in rows]


@case()
def who_comes_in(t):
    w = write_files(t)
    signed = token("ES256", iss="https://login.example.com", aud="sluice")
    cookie = [("Cookie", "__Host-session=" + signed)]
    machine = w.context(w.client("desk7", names=("d7.desks.example.com",)))
    bare = w.context(None)
    callers = [dict(context=machine, headers=cookie, origin="https://evil.example"),
               dict(context=bare, source="127.0.0.2"),
               dict(context=bare),
               dict(context=bare, headers=cookie),
               dict(context=machine, headers=cookie)]
    rows = table()
    equal(len(rows), len(callers), "rows of the table")
    steps = [blocks(part)[0] for part in re.split(r"^## Step ", text_of(), flags=re.M)[1:]]
    equal(len(steps), 4, "steps")
    for number, step in enumerate(steps):
        p = live(t, step)
        for (name, cells), caller in zip(rows, callers):
            equal("in" if comes_in(t, p, **caller) else "out", cells[number],
                  "step %d: %s" % (number + 1, name))
        p.stop()


def serve(t, title, listen, **values):
    """The configuration behind this word of the page, with the test's own addresses. Returns
    (program, a function that dials the route)."""
    block = blocks(text_of().split(title)[1])[0]
    for name, value in {"address": "127.0.0.1:0", "backend": "echo:", **values}.items():
        block, count = re.subn("^%s = .*" % name, "%s = %s" % (name, value), block, flags=re.M)
        equal(count, 1, "lines with " + name)
    p = t.start(here(t, block).replace("user = nobody\n", "workers = 1\ndrain_timeout = 1s\n"))

    def dial(**request):
        wire = Wire(p.ports[listen], context=t.context if listen != "behind" else None)
        t.cleanup(wire.close)
        return Client(wire).open("/desk", **{"origin": PAGE, **request})
    return p, dial


def is_in(c, *first):
    """Sends these messages and wants an echo of one that follows; or finds the Close."""
    for message in first:
        c.text(message)
    c.text("hello")
    got = c.recv_frame().payload
    c.wire.close()
    return got == b"hello"


@case()
def the_other_configurations(t):
    """The first message, passwords, a proxy in front, a private address."""
    write_files(t)
    _, dial = serve(t, "**The first message.**", "public")
    equal([is_in(dial(), token) for token in ("sesame", "wrong")], [True, False], "first message")
    _, dial = serve(t, "**Passwords**", "public")
    basic = [[("Authorization", "Basic " + base64.b64encode(("alice:" + word).encode()).decode())]
             for word in (PASSWORD, "wrong")]
    equal([is_in(dial(headers=one)) for one in basic], [True, False], "password")
    equal(is_in(dial(headers=basic[0], origin=None)), True, "a program's password")
    p, dial = serve(t, "## A proxy in front", "behind", trusted_proxies="127.0.0.1")
    told = [[("X-Forwarded-For", address)] for address in (
        "192.168.7.7", "198.51.100.7", "192.168.7.7, 198.51.100.7")]
    equal([is_in(dial(headers=one)) for one in told], [True, False, False], "behind a proxy")
    p.log.wait("session.end", 2, client="198.51.100.7:0", ending="source")
    p, dial = serve(t, "## A page of a public site", "home")
    equal(is_in(dial()), True, "home")
    c = Client(Wire(p.ports["home"], context=t.context))
    c.send_raw(("GET /desk HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\n\r\n" % (c.host, PAGE)).encode())
    equal(c.read_response().get("Access-Control-Allow-Origin"), PAGE, "the answer")
    c.wire.close()
