# SPDX-License-Identifier: GPL-3.0-or-later
"""config/README.md as a stranger takes it: each configuration passes --check, and the commands and
the program of its pages about who one is do what the text says. (Pages: tests/browser.)"""

import asyncio
import base64
import os
import re
import shutil
import subprocess

from cases_securing import blocks, text_of, write_files
from clientcerts import World
from harness import Skip, case, equal
from provider import auth, digest, write_secret
from services import ROOT
from zoo import PEM, pem, revocations

TOKEN = "a-token-of-the-tests-0123456789"
LISTEN = ("[listen public]\naddress = 0.0.0.0:8443\ntls_certificate = /etc/sluice/fullchain.pem\n"
          "tls_key = /etc/sluice/privkey.pem\ntls_client_ca = /etc/sluice/robots-ca.pem\n"
          "tls_client_crl = /etc/sluice/robots-ca.crl\n")


def whole(block):
    """The block with what it leaves out: a listener, a route, a route for each [auth]."""
    if not block.startswith("["):
        block = "[listen x]\naddress = 127.0.0.1:1\n" + block
    if "[listen" not in block:
        block = LISTEN + block
    named = set(re.findall(r"^auth = (.*)$", block, re.M))
    for name in re.findall(r"^\[auth (.*)\]$", block, re.M):
        if name not in named:
            block += ("[route for-%s]\npath = /%s\nbackend = echo:\nauth = %s\n"
                      "auth_from = bearer\n" % ((name,) * 3))
    return block if "[route" in block else block + "[route x]\npath = /x\nbackend = echo:\n"


@case()
def configurations(t):
    """Neither an error nor a warning, whatever the block is about."""
    w = write_files(t)
    write_secret(t, "robots-ca.pem", pem(w.root).decode())
    write_secret(t, "internal-ca.pem", pem(w.root).decode())
    write_secret(t, "robots-ca.crl", revocations(w.root).public_bytes(PEM).decode())
    write_secret(t, "admin.token", TOKEN + "\n")
    write_secret(t, "secret", "s" * 32 + "\n")
    write_secret(t, "targets", "desk-7f3a: 10.0.0.5:5900\n")
    certificate, key = t.certificate()
    for name in ("example.com", "example.org"):
        for end, path in ((".pem", certificate), (".key", key)):
            with open(path, encoding="ascii") as file:
                write_secret(t, name + end, file.read())
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        found = blocks(text_of("README.md")) + blocks(text_of("RUNNING.md")) + blocks(file.read())
    assert len(found) >= 18, "only %d blocks" % len(found)
    for block in found:
        text = whole(block).replace("/etc/sluice/", t.path("")).replace(
            "user = sluice\n", "user = nobody\n")
        code, _, stderr, _ = t.check(text)
        equal((code, stderr), (0, ""), "the check of " + block)


def shell(command, **more):
    return subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more).stdout.decode()


def command(pattern):
    """A command that stands in the text, which this pattern finds."""
    found = re.search(pattern, text_of("README.md"))
    assert found, pattern
    return found.group(0).replace("\\|", "|")


def enter(p, path, headers):
    """Opens a session of a program."""
    c = p.client().open(path, origin=None, headers=headers)
    c.text(b"hello")
    equal(c.recv_message()[1], b"hello", "the echo")
    c.end_cleanly()


@case()
def commands(t):
    """Digest, password, fingerprint and secret, made as the text says, let their owners in."""
    for tool in ("htpasswd", "openssl"):
        if not shutil.which(tool):
            raise Skip("needs " + tool)
    w = World(t)
    line = shell(command(r"printf %s TOKEN \\\| sha256sum").replace("TOKEN", TOKEN)).split()[0]
    tokens = write_secret(t, "tokens", "alice:%s\n" % line)
    made = command(r"htpasswd -cB .*chmod 0600 \S+").replace("/etc/sluice/", t.path(""))
    shell(made.replace("-cB", "-cBb").replace(" alice", " alice sesame"))
    machine = w.client("d7")
    path = t.write("machine.pem", machine[0].public_bytes(PEM))
    shown = shell(command(r"openssl x509 -fingerprint[^`]*").replace("FILE", path))
    secret = shell(command(r"openssl rand -hex 32"))
    assert len(secret.strip()) == 64, secret
    echo = "origins = none\nbackend = echo:\n"
    p = t.start(t.config(
        tls="tls_client = optional\ntls_client_ca = " + t.write("ca.pem", pem(w.root)),
        token=echo + "auth = box\nauth_from = bearer", password=echo + "auth = people",
        machine=echo + "auth = machine") + auth("box", "type = tokens", "file = " + tokens) + auth(
            "people", "type = basic", "file = " + t.path("htpasswd")) + auth(
                "machine", "type = certificate", "names = fingerprint:"
                + shown.strip().partition("=")[2])
        + "[admin]\naddress = 127.0.0.1:0\ntoken_file = %s\n" % write_secret(t, "admin", secret))
    enter(p, "/token", [("Authorization", "Bearer " + TOKEN)])
    enter(p, "/password", [
        ("Authorization", "Basic " + base64.b64encode(b"alice:sesame").decode())])
    c = p.client("tls", context=w.context(machine)).open("/machine", origin=None)
    c.end_cleanly()


@case()
def program(t):
    """Python's websockets, by the line that stands under `bearer`."""
    import websockets
    tokens = write_secret(t, "tokens", "alice:%s\n" % digest(TOKEN))
    p = t.start(t.config(r="origins = none\nbackend = echo:\nauth = box\nauth_from = bearer")
                + auth("box", "type = tokens", "file = " + tokens))
    line = re.search(r"```python\n(.*?)```", text_of("README.md"), re.S).group(1)
    assert "wss://gateway.example.com/vnc" in line, line
    line = line.replace("wss://gateway.example.com/vnc", "wss://localhost:%d/r" % p.ports["tls"][1])
    if int(websockets.version.version.split(".")[0]) < 14:
        line = line.replace("additional_headers", "extra_headers")
    line = line.replace(", a", ", ssl=context, a").replace(", e", ", ssl=context, e")
    space = {"websockets": websockets, "TOKEN": TOKEN, "context": t.context}
    exec("async def run():\n    " + line.strip()
         + "\n        await socket.send('hello')\n        return await socket.recv()", space)
    equal(asyncio.run(space["run"]()), "hello", "the echo")
    p.one_end("client_close", identity="alice")
