# SPDX-License-Identifier: GPL-3.0-or-later
"""noVNC's page, served by sluice on the port of its WebSocket."""

import os
import statistics

import fronts
import harness
from cases_examples import NOVNC
from desktop import Desktop
from harness import case, equal, wait_until

RUNS = 5
RATIO = 3


def load(t, origin):
    """Loads the page and all its modules with an empty cache. Returns (milliseconds, files)."""
    t.browser.devtools("Network.clearBrowserCache")
    t.browser.go(origin + "/vnc.html")
    look = """const page = performance.getEntriesByType('navigation')[0];
        return page.loadEventEnd > 0 &&
            [page.loadEventEnd, performance.getEntriesByType('resource').length];"""
    return wait_until(lambda: t.browser.run(look), "the page's load event", 30)


@case(timeout=120)
def as_fast_as_nginx(t):
    """The page and its modules over https, beside nginx in the same run."""
    assert os.path.isdir(NOVNC), "apt-get install novnc"
    certificate, key = t.certificate()
    port = harness.free_port()
    fronts.nginx(t, fronts.http_block(t, """
        include /etc/nginx/mime.types;
        server {
            listen 127.0.0.1:%d ssl;
            ssl_certificate %s;
            ssl_certificate_key %s;
            root %s;
        }
    """ % (port, certificate, key, NOVNC)), port)
    p = t.start(t.config(r="backend = echo:")
                + "[files novnc]\npath = /*\nroot = %s\nindex = vnc.html\n" % NOVNC)
    origins = {"sluice": "https://127.0.0.1:%d" % p.ports["tls"][1],
               "nginx": "https://127.0.0.1:%d" % port}
    times = {name: [] for name in origins}
    counts = set()
    for _ in range(RUNS):
        for name, origin in origins.items():
            took, count = load(t, origin)
            times[name].append(took)
            counts.add(count)
    assert min(counts) >= 40, "files of the page: %r" % counts
    medians = {name: statistics.median(values) for name, values in times.items()}
    print("    %d files; medians in ms: %r" % (max(counts), medians))
    assert medians["sluice"] < RATIO * medians["nginx"], "%r" % times
    # noVNC asks for its version there, and does without it.
    equal({e["path"] for e in p.log.find("files.refused")}, {"/package.json"}, "refusals")
    t.browser.go("about:blank")


@case(timeout=120)
def a_desktop(t):
    """The page from one port of sluice shows the screen of a VNC server, with origins = same."""
    backend = "backend = tcp://127.0.0.1:%d\naccept = binary" % Desktop(t).port
    p = t.start(t.config(websockify=backend)
                + "[files novnc]\npath = /novnc/*\nroot = %s\nindex = vnc.html\n"
                  "headers = Content-Security-Policy: frame-ancestors 'none'\n" % NOVNC)
    t.browser.go("https://127.0.0.1:%d/novnc?autoconnect=1" % p.ports["tls"][1])
    look = """const canvas = document.querySelector('canvas');
        if (!canvas) return null;
        const middle = canvas.getContext('2d').getImageData(320, 200, 1, 1).data;
        return [location.pathname, canvas.width, canvas.height, middle[3]];"""
    wait_until(lambda: t.browser.run(look) == ["/novnc/", 640, 400, 255], "a screen", 30)
    t.browser.run("document.getElementById('noVNC_disconnect_button').click()")
    line = p.log.wait("session.end", 1, ending="client_close")[0]
    equal(line["route"], "websockify", "the route")
    t.browser.go("about:blank")
