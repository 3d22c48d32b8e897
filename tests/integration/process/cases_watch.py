# SPDX-License-Identifier: GPL-3.0-or-later
"""The master looks at the content of the files that keys name, through symbolic links."""

import os
import shutil
import time

from harness import case, equal, wait_until
from processes import ECHO, both_started, echo
from reloads import certificates, reload, results, wait_result
from wsclient import Client, Wire

TWO = "workers = 2"


def links(t, name):
    """A directory as the kubelet makes it: tls.crt -> ..data/tls.crt, ..data -> a directory."""
    made = t.path("made-%d" % links.count)
    links.count += 1
    os.mkdir(made)
    for source, target in zip(t.certificate(name), ("tls.crt", "tls.key")):
        shutil.copy(source, os.path.join(made, target))
    os.chmod(os.path.join(made, "tls.key"), 0o600)
    os.symlink(made, t.path("..new"))
    os.rename(t.path("..new"), t.path("..data"))


links.count = 0


def watched(t):
    links(t, "ec")
    for name in ("tls.crt", "tls.key"):
        os.symlink("..data/" + name, t.path(name))
    tls = "tls_certificate = %s\ntls_key = %s" % (t.path("tls.crt"), t.path("tls.key"))
    return both_started(t.gateway(server=TWO + "\nwatch = 200ms", tls=tls, r=ECHO))


@case()
def a_directory_is_swapped(t):
    p = watched(t)
    held = Client(Wire(p.ports["tls"], context=t.context)).open("/r")
    workers = p.workers()
    for number, name in enumerate(("other", "ec", "rsa"), 1):
        links(t, name)
        line = wait_result(p, number)
        equal((line["event"], line["cause"]), ("reload.done", "watch"), "the reload")
        equal(certificates(p), {name}, "certificates")
        echo(held)
    time.sleep(0.7)
    equal(len(results(p)), 3, "reloads")
    equal(p.workers(), workers, "workers")
    held.end_cleanly()
    p.stop()


@case()
def a_pair_is_half_written(t):
    """The old pair stays, the log says so once, and the whole pair counts when it is there."""
    p = watched(t)
    folder = os.readlink(t.path("..data"))
    shutil.copy(t.certificate("rsa")[0], os.path.join(folder, "tls.crt"))
    line = wait_result(p, 1)
    equal((line["event"], line["cause"]), ("reload.failed", "watch"), "the reload")
    assert "tls.crt" in p.log.find("config.error")[-1]["detail"]
    equal(certificates(p), {"ec"}, "certificates")
    time.sleep(1)
    equal(len(results(p)), 1, "lines about it")
    shutil.copy(t.certificate("rsa")[1], os.path.join(folder, "tls.key"))
    equal(wait_result(p, 2)["event"], "reload.done", "the reload")
    equal(certificates(p), {"rsa"}, "certificates")
    os.unlink(os.path.join(folder, "tls.key"))
    equal(wait_result(p, 3)["event"], "reload.failed", "the reload without a key")
    equal(certificates(p), {"rsa"}, "certificates")
    shutil.copy(t.certificate("rsa")[1], os.path.join(folder, "tls.key"))
    os.chmod(os.path.join(folder, "tls.key"), 0o600)
    equal(wait_result(p, 4)["event"], "reload.done", "the files are as before")
    equal(certificates(p), {"rsa"}, "certificates")
    os.unlink(os.path.join(folder, "tls.key"))
    equal(wait_result(p, 5)["event"], "reload.failed", "the same again")
    t.write(os.path.join(folder, "tls.key"), "no key")
    time.sleep(0.3)  # sluice has looked once, and says nothing about it before it looks again
    shutil.copy(t.certificate("rsa")[1], os.path.join(folder, "tls.key"))
    wait_until(lambda: results(p)[-1]["event"] == "reload.done", "the good files to be told")


@case()
def no_watch(t):
    links(t, "ec")
    tls = "tls_certificate = %s\ntls_key = %s" % (t.path("..data/tls.crt"),
                                                  t.path("..data/tls.key"))
    p = both_started(t.gateway(server=TWO + "\nwatch = 0", tls=tls, r=ECHO))
    links(t, "rsa")
    time.sleep(0.7)
    equal(results(p), [], "reloads")
    reload(p)
    equal(certificates(p), {"rsa"}, "certificates")
