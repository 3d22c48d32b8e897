#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the ClientHello of real programs, as they send it over loopback.

    tests/unit/hellos/record.py           all programs of the table that are installed
    tests/unit/hellos/record.py NAME...   these

Writes NAME.hex beside this file: the TLS records, headers included. test_tls_hellos.c reads them;
the table `expected` says what each leads to, so add a line there for a new name. A program goes
into PROGRAMS as a command; {port} is where it must connect, by the name localhost.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 40

JAVA = """
import java.net.*; import java.net.http.*;
public class Hello { public static void main(String[] a) throws Exception {
  HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(
    URI.create("wss://localhost:" + a[0] + "/"), new WebSocket.Listener() {}).get(); } }
"""
GO = """
package main
import ("crypto/tls"; "os")
func main() { tls.Dial("tcp", "localhost:" + os.Args[1], nil) }
"""
PROGRAMS = {
    "openssl": ["openssl", "s_client", "-connect", "localhost:{port}"],
    "openssl-tls1.2": ["openssl", "s_client", "-tls1_2", "-connect", "localhost:{port}"],
    "openssl-tls1.1": ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
                       "localhost:{port}"],
    "openssl-cbc": ["openssl", "s_client", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA",
                    "-connect", "localhost:{port}"],
    "openssl-p521": ["openssl", "s_client", "-groups", "P-521", "-connect", "localhost:{port}"],
    "openssl-h2": ["openssl", "s_client", "-alpn", "h2", "-connect", "localhost:{port}"],
    "curl": ["curl", "-s", "https://localhost:{port}/"],
    "wget": ["wget", "-q", "-t", "1", "-O", "/dev/null", "https://localhost:{port}/"],
    "gnutls": ["gnutls-cli", "-p", "{port}", "localhost"],
    "python": ["python3", "-c", "import http.client as h; "
               "h.HTTPSConnection('localhost', {port}).request('GET', '/')"],
    "node": ["node", "-e", "require('https').get('https://localhost:{port}/').on('error',e=>0)"],
    "java-17": ["/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "{dir}/Hello.java", "{port}"],
    "java-25": ["/usr/lib/jvm/temurin-25-jdk-amd64/bin/java", "{dir}/Hello.java", "{port}"],
    "go": ["go", "run", "{dir}/hello.go", "{port}"],
    "chromium": ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--user-data-dir={dir}/profile", "--virtual-time-budget=3000",
                 "https://localhost:{port}/"],
    "firefox": ["firefox-esr", "--headless", "--profile", "{dir}", "https://localhost:{port}/"],
    "php": ["php", "-r", "@file_get_contents('https://localhost:{port}/');"],
    "ruby": ["ruby", "-rnet/http", "-e", "Net::HTTP.get(URI('https://localhost:{port}/'))"],
    "perl": ["perl", "-MIO::Socket::SSL", "-e", "IO::Socket::SSL->new('localhost:{port}')"],
}


def is_whole(data):
    """True when the records hold a whole handshake message."""
    message = b""
    while len(data) >= 5:
        length = int.from_bytes(data[3:5], "big")
        message += data[5:5 + length]
        data = data[5 + length:]
    return len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big")


def take_hello(listener, out):
    """Takes connections until one brings a whole ClientHello."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        data = b""
        peer.settimeout(PATIENCE_S)
        with peer:
            while not is_whole(data) and (not data or data[0] == 22):
                try:
                    more = peer.recv(65536)
                except OSError:
                    break
                if not more:
                    break
                data += more
        if is_whole(data):
            out.append(data)
            return


def record(name, command):
    """Returns the records, or None when the program sent none."""
    with (tempfile.TemporaryDirectory() as directory,
          socket.create_server(("127.0.0.1", 0)) as server):
        for file, text in (("Hello.java", JAVA), ("hello.go", GO)):
            with open(os.path.join(directory, file), "w", encoding="ascii") as out:
                out.write(text)
        found = []
        thread = threading.Thread(target=take_hello, args=(server, found))
        thread.start()
        words = {"{port}": str(server.getsockname()[1]), "{dir}": directory}
        for key, value in words.items():
            command = [word.replace(key, value) for word in command]
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        thread.join(PATIENCE_S)
        server.close()
        program.terminate()
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
    return found[0] if found else None


def main():
    for name in sys.argv[1:] or PROGRAMS:
        command = PROGRAMS[name]
        if not shutil.which(command[0]):
            print("%s: not installed" % name)
            continue
        data = record(name, command)
        if data is None:
            print("%s: no ClientHello came" % name)
            continue
        text = data.hex()
        with open(os.path.join(HERE, name + ".hex"), "w", encoding="ascii") as file:
            file.write("".join(text[i:i + 96] + "\n" for i in range(0, len(text), 96)))
        print("%s: %d bytes" % (name, len(data)))


if __name__ == "__main__":
    main()
