"""The Debian packages that only tests need: installed when this runs as root, else named. `make test` runs it first.

A test that needs one that is missing fails; it says so itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NEEDED = {"sipp": "sip-tester"}


def main() -> None:
    """Install what is missing, or say how."""
    missing = sorted(package for program, package in NEEDED.items() if shutil.which(program) is None)
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
