# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers for the page the cases drive: each one is an origin of its own."""

import http.server
import os
import ssl
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):
        body = self.server.body if self.path == "/" else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # the browser gave up a connection it had opened in advance


class Site:
    """Serves page.html on a free port of 127.0.0.1 until close()."""

    def __init__(self, certificate=None, key=None):
        self.server = Server(("127.0.0.1", 0), Handler)
        with open(os.path.join(HERE, "page.html"), "rb") as file:
            self.server.body = file.read()
        scheme = "http"
        if certificate:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.origin = "%s://127.0.0.1:%d" % (scheme, self.server.server_port)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Probe:
    """A WebSocket in the page; see page.html."""

    def __init__(self, page, url, protocols):
        self.page = page
        self.id = page.call("dial", url, protocols)

    def do(self, name, *arguments):
        """Calls the page's function of that name for this socket."""
        return self.page.call(name, self.id, *arguments)

    def opened(self):
        """Waits until the handshake has ended, one way or the other."""
        return self.do("opened")

    def closed(self):
        """Waits for the close event: code, reason, wasClean, and what came before it."""
        return self.do("closed")


class Page:
    """The page, loaded from a site."""

    def __init__(self, browser, site):
        self.browser = browser
        browser.go(site.origin + "/")

    def call(self, name, *arguments):
        return self.browser.run("const [name, ...rest] = args; return tests[name](...rest);",
                                name, *arguments)

    def dial(self, url, *protocols):
        return Probe(self, url, list(protocols))
