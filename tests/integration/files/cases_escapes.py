# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody gets anything but the regular files below a root."""

import os
import socket

import sites
from harness import Skip, case, equal
from sites import PAGE, ask

PATHS = ["/../secret.txt", "/../../secret.txt", "/app/../../secret.txt", "/%2e%2e/secret.txt",
         "/%2E%2E/secret.txt", "/.%2e/secret.txt", "/%2e./secret.txt", "/..%2fsecret.txt",
         "/%2e%2e%2fsecret.txt", "/app%2f..%2f..%2fsecret.txt", "/..%5csecret.txt",
         "/..\\secret.txt", "/app/..\\..\\secret.txt", "/%252e%252e/secret.txt",
         "/..%252fsecret.txt", "/..%c0%afsecret.txt", "/%c0%ae%c0%ae/secret.txt",
         "/..;/secret.txt", "/app/..", "/..", "/%2e%2e", "//etc/passwd", "///etc/passwd",
         "/%2fetc/passwd", "/%2Fetc%2Fpasswd", "/etc/passwd", "/index.html%00.js",
         "/%00", "/index.html%0a", "/index.html/",
         "/index.html/x", "/index.html/..",
         "/./index.html", "/app/./ui.js", "/app//ui.js", "/.hidden", "/.git/config",
         "/%2ehidden", "/%2egit/config",
         "/.", "/app/.", "/%", "/%2", "/%zz", "/a%20b.txt%", "/" + "a" * 300, "/" + "a/" * 600,
         "/link-out", "/link-absolute", "/link-up", "/link-dir/secret.txt", "/link-loop",
         "/link-proc", "/link-absolute-inside", "/fifo", "/socket", "/app/pipe"]


def secrets(t):
    """A root whose directory has a secret beside it, and links of every kind."""
    base = sites.folder(t)
    sites.put(base, "secret.txt", b"SECRET")
    root = os.path.join(base, "root")
    os.rename(sites.site(t), root)
    for name, target in [("link-out", "../secret.txt"), ("link-absolute", base + "/secret.txt"),
                         ("link-up", "app/../../secret.txt"), ("link-dir", ".."),
                         ("link-loop", "link-loop"), ("link-proc", "/proc/self/environ"),
                         ("link-absolute-inside", root + "/index.html"),
                         ("link-inside", "index.html"), ("app/link-back", "../index.html")]:
        os.symlink(target, os.path.join(root, name))
    os.mkfifo(os.path.join(root, "fifo"), 0o666)
    os.mkfifo(os.path.join(root, "app", "pipe"), 0o666)
    listener = socket.socket(socket.AF_UNIX)
    t.cleanup(listener.close)
    listener.bind(os.path.join(root, "socket"))
    return root


@case(rows=[("sandbox", "on"), ("no_sandbox", "off")])
def no_way_out(t, sandbox):
    """All of these are 404 on the same connection, and a line in the log."""
    root = secrets(t)
    p = sites.start(t, root, server="sandbox = " + sandbox)
    for listen in ("plain", "tls"):
        c = p.client(listen)
        for path in PATHS:
            got = ask(c, path)
            equal((got.status, got.body), (404, b"404 Not Found\n"), path)
        for path in ("/link-inside", "/app/link-back", "/"):
            equal(ask(c, path).body, PAGE, path)
    refused = p.log.wait("files.refused", 2 * len(PATHS), status="404")
    equal(len(refused), 2 * len(PATHS), "lines")
    details = {e["path"]: e.get("detail") for e in refused}
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..\\secret.txt", "/..%2fsecret.txt"):
        equal(details[path], "the path tries to leave its root", path)
    for path in ("/link-out", "/link-absolute", "/link-dir/secret.txt"):
        equal(details[path], "a symbolic link leads out of the root", path)
    equal(details["/fifo"], "it is no regular file", "/fifo")
    equal(details["/.git/config"], "hidden file or dot segment in the path", "/.git/config")
    assert "SECRET" not in p.log.text()


@case()
def a_device(t):
    """A device that anybody may read is no file either."""
    root = sites.site(t)
    try:
        os.mknod(os.path.join(root, "zero"), 0o20666, os.makedev(1, 5))
    except PermissionError:
        raise Skip("needs the right to make a device") from None
    p = sites.start(t, root)
    equal(ask(p.client("plain"), "/zero").status, 404, "status")
    p.log.wait("files.refused", 1, detail="it is no regular file")


@case()
def a_writer_of_a_pipe_is_left_alone(t):
    """Nobody opens a pipe, so whoever waits to write to it goes on waiting."""
    root = secrets(t)
    p = sites.start(t, root)
    equal(ask(p.client("plain"), "/fifo").status, 404, "status")
    try:
        os.close(os.open(os.path.join(root, "fifo"), os.O_WRONLY | os.O_NONBLOCK))
        raise AssertionError("somebody reads the pipe")
    except OSError:
        pass


@case()
def what_the_user_may_not_read(t):
    """It is not found, and the log says why."""
    if os.geteuid() != 0:
        raise Skip("needs root, so that the workers are somebody else")
    root = sites.site(t)
    os.chmod(os.path.join(root, "index.html"), 0o600)
    p = sites.start(t, root)
    equal(ask(p.client("plain"), "/").status, 404, "status")
    p.log.wait("files.refused", 1, detail="the worker's user, or its sandbox, may not read it")
    os.chmod(root, 0o700)
    q = sites.start(t, root + "/app")
    equal(ask(q.client("plain"), "/ui.js").status, 404, "a root that cannot be opened")
    q.log.wait("files.root", 1, msg="Permission denied")
    q.log.wait("files.refused", 1, detail="its root could not be opened")
