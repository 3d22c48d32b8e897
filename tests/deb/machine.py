# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian of its own for the test of the package: a folder with a root file system, which is
entered with chroot, or booted with systemd-nspawn, without a network."""
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C.UTF-8"}
# systemd of Debian 13 wants these words where the machine below has control groups of version 1.
BOOT_WORDS = ("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0")
APT = "apt-get -o Acquire::Retries=3 install -y --no-install-recommends "


class Failed(Exception):
    """What a command said that did not do what it should."""


def wait_until(is_so, what, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise Failed("no %s within %d s" % (what, seconds))
        time.sleep(0.1)


def run(*command, timeout=1800, may_fail=False, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, **options)
    if done.returncode and not may_fail:
        raise Failed("%s: exit code %d\n%s" % (shlex.join(map(str, command)), done.returncode,
                                               done.stdout[-3000:]))
    return done


def children(pid):
    return [int(child) for child in
            Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]


def mirror():
    """The first mirror of the machine's own sources, in either format of apt."""
    script = ("{ sed -n 's/^URIs:[[:space:]]*\\([^[:space:]]*\\).*/\\1/p' "
              "/etc/apt/sources.list.d/debian*.sources; "
              "sed -n 's/^deb[[:space:]]\\(\\[[^]]*\\][[:space:]]*\\)\\{0,1\\}"
              "\\([^[:space:]]*\\).*/\\2/p' /etc/apt/sources.list; } 2>/dev/null | "
              "grep -v security | head -n 1")
    return run("sh", "-c", script).stdout.strip()


def make_path(path, fill):
    """Fills a folder once: what is half done has another name."""
    if not path.exists():
        new = path.with_name(path.name + ".new")
        run("rm", "-rf", str(new))
        fill(new)
        new.rename(path)
    return path


def make_base(folder, suite):
    """The smallest system of this suite."""
    return make_path(folder / ("base-" + suite), lambda new: run(
        "debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(new), mirror()))


def make_root(folder, suite, kind, packages, before="true"):
    """A copy of the base with these packages; `before` is a command that runs first."""
    root = make_path(folder / ("%s-%s" % (kind, suite)), lambda new: run(
        "cp", "-a", str(make_base(folder, suite)), str(new)))
    has = root / ".packages"
    if not has.exists() or has.read_text() != packages:
        Machine(root).sh("%s && apt-get update && %s %s && apt-get clean" % (before, APT, packages))
        has.write_text(packages)
    return root


class Machine:
    """The root file system at `root`, a copy of `template`."""

    def __init__(self, root, template=None):
        self.root, self.nspawn, self.init, self.jobs = Path(root), None, None, []
        if template:
            run("rm", "-rf", root)
            run("cp", "-a", "--reflink=auto", template, root)

    def path(self, name):
        return self.root / name.lstrip("/")

    def sh(self, script, **options):
        """Runs a shell script: in the booted system, or in the chroot."""
        prefix = ("chroot", str(self.root))
        if self.init:
            prefix = ("nsenter", "-t", str(self.init), "--mount", "--uts", "--ipc", "--net",
                      "--pid", "--root", "--wd", "--")
        return run(*prefix, "sh", "-ec", script, env=PATH, **options)

    def said(self, script):
        return self.sh(script).stdout.strip()

    def is_true(self, script):
        return self.sh(script, may_fail=True).returncode == 0

    def boot(self, log):
        with open(log, "wb") as output:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "-D", str(self.root), "--private-network",
                 "--register=no", "--keep-unit", "--boot", *BOOT_WORDS],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        wait_until(lambda: children(self.nspawn.pid) or self.nspawn.poll() is not None,
                   "first process")
        if self.nspawn.poll() is not None:
            raise Failed("systemd-nspawn ends: " + Path(log).read_text()[-1000:])
        self.init = children(self.nspawn.pid)[0]
        wait_until(lambda: self.sh("systemctl is-system-running", may_fail=True).stdout.strip()
                   in ("running", "degraded"), "booted system", 120)

    def stop(self):
        for job in self.jobs:
            if job.poll() is None:
                job.kill()
                job.wait()
        if self.nspawn and self.nspawn.poll() is None:
            self.sh("systemctl poweroff", may_fail=True)
            try:
                self.nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self.nspawn.send_signal(signal.SIGKILL)
                self.nspawn.wait(10)
        self.nspawn = self.init = None

    def main_pid(self):
        return self.said("systemctl show --property=MainPID --value sluice.service")

    def callers(self, *arguments):
        """Starts callers.py inside, and waits until its sessions are open."""
        return Callers(self, *arguments)


class Callers:
    def __init__(self, machine, port, sessions, ca=None):
        self.machine = machine
        self.report = machine.path("/root/report.json")
        self.report.unlink(missing_ok=True)
        here = Path(__file__).parent / "callers.py"
        machine.path("/root/callers.py").write_bytes(here.read_bytes())
        self.job = subprocess.Popen(
            ["nsenter", "-t", str(machine.init), "--mount", "--net", "--root", "--wd", "--",
             "python3", "/root/callers.py", str(port), str(sessions), "/root/report.json",
             *([ca] if ca else [])], env=PATH, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        machine.jobs.append(self.job)
        wait_until(lambda: self.report.exists() or self.job.poll() is not None, "open session")
        if self.job.poll() is not None:
            raise Failed("callers.py: " + self.job.stdout.read()[-1000:])

    def end(self):
        """Stops them and returns what came of it."""
        self.job.terminate()
        said = self.job.communicate(timeout=120)[0]
        if self.job.returncode:
            raise Failed("callers.py: " + said[-1000:])
        return json.loads(self.report.read_text())


def need_root():
    if os.geteuid() != 0:
        sys.exit("deb-test: needs root")
