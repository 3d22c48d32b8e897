# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares an image's list of parts with the image: check_sbom.py ROOT SBOM VERSION [unpacked]

Each library that the program loads must be in the list, with the version that dpkg (or status.d)
knows; so must be the program, and the wolfSSL whose version the program tells. The base of an
`unpacked` image has no list of packages, so only those of status.d are compared."""
import json
import pathlib
import re
import subprocess
import sys


def installed(root):
    """Returns {package: version} of what is in the image."""
    files = [root / "var/lib/dpkg/status", *(root / "var/lib/dpkg/status.d").iterdir()]
    found = {}
    for path in filter(pathlib.Path.exists, files):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            fields = dict(re.findall(r"^(\w[\w-]*): (.*)$", paragraph, re.M))
            if "Package" in fields:
                found[fields["Package"]] = fields["Version"]
    return found


def main():
    root, sbom, version = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(sbom, encoding="utf-8") as file:
        document = json.load(file)
    listed = {package["name"]: package["versionInfo"] for package in document["packages"]}
    faults = []
    if listed.pop("sluice", None) != version:
        faults.append("the program's version is not %s" % version)
    wolfssl = listed.pop("wolfssl", "")
    strings = subprocess.run(["strings", str(root / "usr/bin/sluice")], capture_output=True,
                             text=True, check=True).stdout
    if not wolfssl or wolfssl.split("-")[0] not in strings:
        faults.append("the program has no wolfSSL %s" % wolfssl)
    packages = installed(root)
    unknown = listed if sys.argv[4:] == ["unpacked"] else {}
    for name, its_version in listed.items():
        if packages.get(name, unknown.get(name)) != its_version:
            faults.append("%s is %s, not %s" % (name, packages.get(name), its_version))
    for name in ("libc6", "libev4", "libinih1", "libseccomp2", "libjansson4"):
        if not any(each.startswith(name) for each in listed):
            faults.append("%s is not in the list" % name)
    for text in faults:
        print(text)
    print("%d parts" % len(document["packages"]))
    return 1 if faults else 0


sys.exit(main())
