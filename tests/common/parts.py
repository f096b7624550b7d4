# SPDX-License-Identifier: GPL-2.0-only
"""Tests that come in parts and may take hours. One can name the parts that are to run."""

import hashlib
import shutil
import subprocess
import sys

from common.project import DRIVER, TOP, files

GUEST_TESTS = TOP / 'tests/qemu'
# For kernels with the sources of one that all guest tests run on, but another preemption,
# other locks or options. What these may change is in these files.
VARIANT_TESTS = [GUEST_TESTS / f'test_{name}.py' for name in ('smoke', 'stats', 'size', 'oom')]


def pytest(results, *args):
    """Run tests, two at a time, and write their results to a JUnit file.

    Returns whether all of them passed."""
    return not subprocess.run(
        [sys.executable, '-m', 'pytest', '-n', '2', '-o', 'junit_family=xunit1',
         f'--junitxml={results}', *args]).returncode


def checksum_of_driver():
    return hashlib.sha256(b''.join((TOP / name).read_bytes()
                                   for name in sorted(files(*DRIVER)))).hexdigest()


def run_parts(results, parts, names):
    """Run the parts with these names, or all of them. Return the names of those that failed.

    results     a directory. Each part is given a path in it, and its results are files
                whose paths begin with that. Earlier results of other parts stay there if
                the driver has not changed since.
    parts       name -> a function that runs it and returns whether it passed
    """
    for name in names:
        if name not in parts:
            sys.exit(f'{sys.argv[0]}: there is no part {name}; there are: {" ".join(parts)}')
    driver = checksum_of_driver()
    stamp = results / 'driver'
    if not names or not stamp.exists() or stamp.read_text() != driver:
        shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True, exist_ok=True)
    stamp.write_text(driver)

    failed = []
    for name in names or parts:
        for old in results.glob(f'{name}.*'):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        print(f'== {name}', flush=True)
        try:
            passed = parts[name](results / name)
        except subprocess.CalledProcessError as error:
            print(error)
            passed = False
        if not passed:
            failed.append(name)
            print(f'== {name}: FAILED', flush=True)
    return failed
