# SPDX-License-Identifier: GPL-2.0-only
"""Tests that run in parts, for hours, and may be told which of them to run."""

import hashlib
import pathlib
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
DRIVER = ('src', 'include', 'Kbuild', 'dkms.conf')


def pytest(results, *args):
    """Run tests, two at a time, and leave what came of them in a JUnit file."""
    return not subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-n', '2',
         '-o', 'junit_family=xunit1', f'--junitxml={results}', *args]).returncode


def of_driver():
    """Differs where the driver does."""
    files = subprocess.run(['git', '-C', TOP, 'ls-files', '-z', *DRIVER], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split('\0')
    return hashlib.sha256(b''.join((TOP / name).read_bytes() for name in files if name)).hexdigest()


def run_parts(results, parts, names):
    """Run the parts with these names, or all of them; returns the names of those that failed.

    results     directory. Each part is given a path in it, and leaves what it found
                under names that begin with that. What the other parts found earlier
                stays there, if that was with the same driver.
    parts       name -> what runs it, and says whether it passed
    """
    for name in names:
        if name not in parts:
            sys.exit(f'{sys.argv[0]}: no such part: {name}; there are: {" ".join(parts)}')
    driver = of_driver()
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
