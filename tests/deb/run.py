#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the Debian package on each release of Debian and tries it there: `make deb-test`.

    tests/deb/run.py FOLDER TARBALL VERSION [SUITE...]

For each suite, bookworm and trixie, debootstrap makes a root file system below FOLDER (kept for the
next run). The package is made in it, of the tarball alone. Then it is installed in a chroot where
no systemd runs, and in a system that is booted with systemd-nspawn: started, upgraded under
sessions, restarted, removed and purged. Needs root. The last line is `N passed, M failed`.
"""
import sys
import traceback
from pathlib import Path

from machine import APT, Failed, Machine, make_base, make_root, need_root, run, wait_until

SUITES = ("bookworm", "trixie")
SESSIONS = 20
# What the package asks for, and make, which starts its build.
TO_BUILD = ("gcc libc6-dev make libev-dev libinih-dev libc-ares-dev libseccomp-dev libjansson-dev "
            "libcrypt-dev zlib1g-dev dpkg-dev autoconf automake libtool debian-archive-keyring "
            "build-essential debhelper fakeroot lintian")
TO_RUN = "systemd systemd-sysv dbus python3 openssl"
TLS_POLICY = """
[listen tls]
address = 127.0.0.1:443
tls_certificate = /etc/sluice/fullchain.pem
tls_key = /etc/sluice/privkey.pem
"""
KEY = ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
       "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 "
       "-keyout /etc/sluice/privkey.pem -out /etc/sluice/fullchain.pem 2>&1; "
       "chgrp sluice /etc/sluice/privkey.pem; chmod 640 /etc/sluice/privkey.pem; "
       "chmod 644 /etc/sluice/fullchain.pem")
counts = {"passed": 0, "failed": 0}


def expect(is_so, text):
    if not is_so:
        raise Failed(text)


def equal(found, wanted, what):
    expect(found == wanted, "%s: %r instead of %r" % (what, found, wanted))


class Suite:
    """One release of Debian: its root file systems, and its package."""

    def __init__(self, name, folder, tarball, version):
        self.name, self.folder, self.version = name, folder, version
        self.tarball, self.package = tarball, None

    def root(self, kind):
        return self.folder / ("%s-%s" % (kind, self.name))

    def prepare(self):
        make_base(self.folder, self.name)
        for kind, packages in (("build", TO_BUILD), ("ready", TO_RUN)):
            make_root(self.folder, self.name, kind, packages)

    def build(self):
        """Makes the package of the tarball; wolfSSL stays for the next run."""
        machine = Machine(self.root("build"))
        source = "/root/sluice-" + self.version
        machine.sh("mkdir -p %s && cd %s && find . -mindepth 1 -maxdepth 2 ! -name build "
                   "! -path './build/wolfssl*' -exec rm -rf {} +" % (source, source))
        run("tar", "-x", "-f", str(self.tarball), "-C", str(machine.path("/root")))
        machine.sh("cd %s && make dist deb" % source)
        equal(machine.path("%s/build/%s" % (source, self.tarball.name)).read_bytes(),
              self.tarball.read_bytes(), "the tarball of the tarball")
        built = list(machine.path(source + "/build/deb").glob("sluice_*_*.deb"))
        equal(len(built), 1, "packages")
        self.package = built[0]

    def lintian(self):
        machine = Machine(self.root("build"))
        found = machine.sh("lintian --allow-root --fail-on error,warning --display-info "
                           "/root/sluice-%s/build/deb/*.changes 2>&1" % self.version).stdout
        print("     " + (found.strip().replace("\n", "\n     ") or "nothing found"))


def repacked(machine, package, version, change):
    """A package like this one with another version, changed by a script inside its folder."""
    name = "/root/sluice_%s.deb" % version
    machine.path("/root/now.deb").write_bytes(package.read_bytes())
    machine.sh("cd /root && rm -rf p && dpkg-deb -R now.deb p && cd p && "
               "sed -i 's/^Version: .*/Version: %s/' DEBIAN/control && %s && "
               "dpkg-deb --root-owner-group -b . %s" % (version, change, name))
    return name


# Where no systemd runs

def install_in_chroot(suite, machine):
    machine.path("/root/sluice.deb").write_bytes(suite.package.read_bytes())
    machine.sh("apt-get update && " + APT + "/root/sluice.deb")
    expect(":/usr/sbin/nologin" in machine.said("getent passwd sluice"), "no user")
    for name in ("/usr/bin/sluice", "/usr/lib/systemd/system/sluice.service",
                 "/usr/lib/systemd/system/sluice.socket", "/usr/share/man/man8/sluice.8.gz",
                 "/usr/share/man/man5/sluice.ini.5.gz", "/etc/sluice/sluice.ini",
                 "/usr/share/doc/sluice/copyright", "/usr/share/doc/sluice/examples/sluice.ini",
                 "/usr/share/doc/sluice/config/PAGE_KIT.md.gz",
                 "/usr/share/doc/sluice/config/examples"):
        machine.sh("dpkg -L sluice | grep -qx " + name)
    equal(machine.said("bash -c '. /usr/share/bash-completion/completions/sluice; "
                       "complete -p sluice'"), "complete -F _sluice sluice", "completion")


def start_in_chroot(_, machine):
    """The command of the unit, as the unit's user, with the policy of the package."""
    command = machine.said("sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/sluice.service")
    user = "setpriv --reuid sluice --regid sluice --clear-groups --no-new-privs "
    machine.sh("mount -t proc -o hidepid=2 proc /proc")
    try:
        machine.sh(user + command + " --check")
        machine.sh("%s %s >/root/log 2>&1 & pid=$!; "
                   "for i in $(seq 100); do sluice --health >/dev/null 2>&1 && break; sleep 0.1; "
                   "done; sluice --health; status=$?; kill $pid; wait $pid && exit $status"
                   % (user, command))
    finally:
        machine.sh("umount /proc")


def purge_in_chroot(_, machine):
    machine.sh("dpkg --purge sluice")
    check_traces(machine)


def check_traces(machine):
    """Nothing but the user is left, and what others write about packages."""
    found = machine.said("find / -xdev \\( -path /proc -o -path /sys -o -path /root -o -path /tmp "
                         "-o -path /var/cache -o -path /var/log \\) -prune -o "
                         "-name '*sluice*' -print")
    equal(found, "", "left after the purge")
    machine.sh("getent passwd sluice")
    expect(not machine.is_true("dpkg -s sluice"), "dpkg knows the package")


# Where systemd runs

def installed(suite, machine):
    """A fresh installation is not started and not enabled; it starts when somebody says so."""
    machine.path("/root/sluice.deb").write_bytes(suite.package.read_bytes())
    machine.sh("dpkg -i /root/sluice.deb")
    equal(machine.sh("systemctl is-active sluice", may_fail=True).stdout.strip(), "inactive",
          "state")
    equal(machine.sh("systemctl is-enabled sluice", may_fail=True).stdout.strip(), "disabled",
          "enabled")
    machine.sh("sluice --check && systemctl enable --now sluice && sluice --health")


def rights(_, machine):
    """The master is no root and may only bind ports; its workers may nothing."""
    master = machine.main_pid()
    status = machine.said("cat /proc/%s/status" % master)
    uid = machine.said("id -u sluice")
    expect("\nUid:\t" + "\t".join([uid] * 4) in status, "the master's user: " + status)
    expect("\nCapEff:\t0000000000000400\n" in status, "the master's rights: " + status)
    workers = machine.said("cat /proc/%s/task/%s/children" % (master, master)).split()
    expect(workers, "no workers")
    for pid in workers:
        status = machine.said("cat /proc/%s/status" % pid)
        expect("\nCapEff:\t0000000000000000\n" in status, "a worker's rights: " + status)
        expect("\nSeccomp:\t2\n" in status, "a worker's sandbox: " + status)
    said = machine.said("journalctl -q -u sluice")
    expect("level=error" not in said, "the log: " + said)
    machine.sh("systemd-analyze security --no-pager --threshold=19 sluice.service")


def policy(_, machine):
    """A changed policy: TLS at port 443, with a key that only the group reads."""
    machine.sh(KEY)
    with open(machine.path("/etc/sluice/sluice.ini"), "a") as file:
        file.write(TLS_POLICY)
    machine.sh("sluice --check && systemctl reload sluice")
    callers = machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem")
    check_callers(callers.end())


def check_callers(report, at_least=1):
    equal((report["held"], report["lost"], report["refused"]), (SESSIONS, [], []),
          "sessions, lost ones, refused calls")
    expect(report["calls"] >= at_least, "only %d calls" % report["calls"])


def upgraded(suite, machine):
    """A higher version takes over under sessions; a changed conffile stays."""
    package = repacked(machine, suite.package, "99.1",
                       "echo '; of another version' >>etc/sluice/sluice.ini")
    before = machine.main_pid()
    callers = machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem")
    said = machine.sh("dpkg --force-confdef --force-confold -i " + package).stdout
    expect("the new version has taken over" in said, said)
    expect(machine.main_pid() != before, "the old master is the main process")
    equal(machine.said("systemctl is-active sluice"), "active", "state")
    check_callers(callers.end(), 10)
    text = machine.path("/etc/sluice/sluice.ini").read_text()
    expect(text.endswith(TLS_POLICY), "the conffile has been replaced")
    expect("of another version" in machine.path("/etc/sluice/sluice.ini.dpkg-dist").read_text(),
           "the new conffile is not beside the old one")
    wait_until(lambda: not machine.is_true("test -d /proc/%s" % before), "end of the old master")


def refused_upgrade(suite, machine):
    """A version that does not run: the package is installed, and the old one goes on."""
    package = repacked(machine, suite.package, "99.2",
                       "printf '#!/bin/sh\\nexit 1\\n' >usr/bin/sluice")
    before = machine.main_pid()
    callers = machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem")
    said = machine.sh("dpkg --force-confdef --force-confold -i " + package).stdout
    expect("the old version goes on" in said, said)
    equal(machine.main_pid(), before, "main process")
    check_callers(callers.end())
    # And the good one again, which is now a downgrade.
    said = machine.sh("dpkg --force-confold -i /root/sluice_99.1.deb").stdout
    expect("the new version has taken over" in said, said)


def restarted(_, machine):
    """A restart, and a master that is killed, refuse no caller: systemd keeps the sockets."""
    callers = machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem")
    machine.sh("systemctl restart sluice && sluice --health")
    before = machine.main_pid()
    machine.sh("systemctl kill --kill-who=main --signal=KILL sluice")
    wait_until(lambda: machine.main_pid() not in ("0", before), "new master")
    wait_until(lambda: machine.is_true("sluice --health"), "ready sluice")
    # Sessions end; who calls waits for the next sluice, or has come to one that ends.
    report = callers.end()
    equal([text for text in report["refused"] if "refused" in text], [], "refused callers")
    equal(len(report["lost"]), SESSIONS, "sessions that a restart ends")


def by_socket(_, machine):
    """sluice.socket starts it with the first caller."""
    machine.sh("systemctl stop sluice && mkdir -p /etc/systemd/system/sluice.socket.d && "
               "printf '[Socket]\\nListenStream=\\nListenStream=127.0.0.1:443\\n' "
               ">/etc/systemd/system/sluice.socket.d/test.conf && systemctl daemon-reload && "
               "systemctl start sluice.socket")
    equal(machine.sh("systemctl is-active sluice", may_fail=True).stdout.strip(), "inactive",
          "state")
    check_callers(machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem").end())
    equal(machine.said("systemctl is-active sluice"), "active", "state")
    machine.sh("systemctl stop sluice.socket sluice; rm -r /etc/systemd/system/sluice.socket.d; "
               "systemctl daemon-reload; systemctl start sluice")


def removed(_, machine):
    """Removed: stopped, and the configuration stays. Installed again: it is in force."""
    machine.sh("dpkg --remove sluice")
    expect(not machine.is_true("pgrep -x sluice || ls /proc/[0-9]*/exe -l | grep -q bin/sluice"),
           "sluice still runs")
    expect(machine.path("/etc/sluice/sluice.ini").read_text().endswith(TLS_POLICY),
           "the configuration has gone")
    expect(machine.path("/etc/sluice/privkey.pem").exists(), "the key has gone")
    machine.sh("dpkg --force-confold -i /root/sluice.deb && systemctl start sluice && "
               "sluice --health")
    check_callers(machine.callers(443, SESSIONS, "/etc/sluice/fullchain.pem").end())


def purged(_, machine):
    machine.sh("dpkg --purge sluice")
    check_traces(machine)
    expect(not machine.is_true("systemctl cat sluice.service"), "systemd knows the unit")


def check(suite, name, test, *arguments):
    try:
        test(*arguments)
    except (Failed, OSError) as error:
        counts["failed"] += 1
        print("FAIL %s %s: %s" % (suite.name, name, error), flush=True)
        if not isinstance(error, Failed):
            traceback.print_exc(file=sys.stdout)
        return False
    counts["passed"] += 1
    print("ok   %s %s" % (suite.name, name), flush=True)
    return True


def run_suite(suite):
    if not check(suite, "prepare", suite.prepare) or not check(suite, "build", suite.build):
        return
    check(suite, "lintian", suite.lintian)
    machine = Machine(suite.root("root"), suite.root("ready"))
    for test in (install_in_chroot, start_in_chroot, purge_in_chroot):
        check(suite, test.__name__, test, suite, machine)
    try:
        if check(suite, "boot", machine.boot, suite.folder / ("boot-%s.log" % suite.name)):
            for test in (installed, rights, policy, upgraded, refused_upgrade, restarted,
                         by_socket, removed, purged):
                check(suite, test.__name__, test, suite, machine)
    finally:
        machine.stop()


def main():
    need_root()
    folder, tarball, version = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3]
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[4:] or SUITES:
        run_suite(Suite(name, folder, tarball, version))
    print("%(passed)d passed, %(failed)d failed" % counts)
    sys.exit(1 if counts["failed"] else 0)


main()
