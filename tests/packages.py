"""The Debian packages that only tests need: installed when this runs as root, else named. `make test` runs it first.

A test that needs one that is missing fails, and says so itself; without Go its tests are left out, which is said too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NEEDED = {"sipp": "sip-tester", "openssl": "openssl", "go": "golang-go golang-golang-x-mod-dev"}


def main() -> None:
    """Install what is missing, or say how."""
    lacking = [packages.split() for program, packages in NEEDED.items() if shutil.which(program) is None]
    missing = sorted(package for packages in lacking for package in packages)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        print(f"the tests need `{' '.join(missing)}`; run: sudo apt-get install {' '.join(missing)}", file=sys.stderr)
        return
    print(f"installing {' '.join(missing)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=quiet, stdout=subprocess.DEVNULL)
    subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
