# SPDX-License-Identifier: GPL-2.0-only
"""Facts about this project, each read from the one place that has it. It also runs our scripts."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# All that the driver is built from.
DRIVER = ('src', 'include', 'Kbuild', 'dkms.conf')
# All that tools/deb and tools/rpm use.
PACKAGED = (*DRIVER, 'COPYING', 'Makefile', 'README.md', 'debian', 'docs', 'rpm', 'tools')
BALLOONSTAT = pathlib.Path(os.environ.get('BALLOONSTAT',
                                          TOP / 'tools/balloonstat/build/balloonstat'))


def dkms_conf(name):
    """The value of a variable in dkms.conf."""
    return re.search(rf'^{name}="(.*)"$', (TOP / 'dkms.conf').read_text(), re.M)[1]


VERSION = dkms_conf('PACKAGE_VERSION')
# The range of kernels in words, as in '4.9 to 6.6', and its ends, as in (4, 9) and (6, 6).
KERNELS = dkms_conf('BALLOON_KERNELS')
FIRST_KERNEL, LAST_KERNEL = (tuple(map(int, kernel.split('.'))) for kernel in KERNELS.split(' to '))


def objects():
    """The objects that the module is made of, such as src/main.o, from Kbuild."""
    return re.findall(r'\bsrc/[\w/]+\.o\b', (TOP / 'Kbuild').read_text())


def files(*parts):
    """The files below these paths that git tracks, or would track."""
    found = subprocess.run(['git', '-C', TOP, 'ls-files', '-co', '--exclude-standard', '-z', *parts],
                           stdout=subprocess.PIPE, check=True, text=True).stdout.split('\0')
    # git also lists files that were deleted and not yet committed as such.
    return [name for name in found if name and (TOP / name).exists()]


def copy(directory, *parts):
    """Copy these files there, without anything that was built among them."""
    for name in files(*parts):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, directory / name)


def copy_packaged(directory, version=None):
    """Copy what a package is built from there. With version, it is the package of that version."""
    copy(directory, *PACKAGED)
    if version:
        conf = directory / 'dkms.conf'
        conf.write_text(conf.read_text().replace(f'"{VERSION}"', f'"{version}"'))


def command(script, *args):
    """The command that runs a script of ours by its interpreter.

    The script's mode bits may be lost, or its file system may be mounted noexec."""
    with open(script) as f:
        interpreter = f.readline().strip().removeprefix('#!')
    return [sys.executable if 'python' in interpreter else interpreter, script, *args]


def answer(script, *args):
    """Run a script of ours and return its answer: the last line that it prints.

    What it writes to stderr goes to the terminal."""
    said = subprocess.run(command(script, *args), check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    return said.rstrip('\n').rpartition('\n')[2]
