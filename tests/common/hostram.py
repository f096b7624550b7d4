# SPDX-License-Identifier: GPL-2.0-only
"""What the host sees of a guest's memory: huge pages, their splits, the work of QEMU.

The splits and hugetlbfs are the whole machine's. So what else runs on the machine is in these
figures, too."""

import contextlib
import fcntl
import os
import pathlib
import re
import signal
import sys

from common.guest import MIB

PROC = pathlib.Path('/proc')
THP = pathlib.Path('/sys/kernel/mm/transparent_hugepage/enabled')
POOL = PROC / 'sys/vm/nr_hugepages'
HUGE = 2 * MIB              # the size of the host's huge pages, of either kind
MAPPED_HUGE = ('AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped')


class HostError(Exception):
    """The host does not provide what is to be measured."""


def _fields(path):
    """Name -> number, of a file of /proc that has one of each in a line. Sizes are in kB."""
    try:
        text = path.read_text()
    except OSError as e:
        raise HostError(f'this host has no {path}: {e.strerror}') from e
    return {name: int(value) for name, value in re.findall(r'^(\w+):?\s+(\d+)', text, re.M)}


def _field(path, name):
    fields = _fields(path)
    if name not in fields:
        raise HostError(f'this host has no {name} in {path}')
    return fields[name]


def put_back_when_ended():
    """Have SIGTERM end this program as an exception does: what it has changed is put back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


# --- transparent huge pages --------------------------------------------------

def check_transparent():
    """Fail unless the host gives huge pages to a process that asks for them, as QEMU does."""
    try:
        modes = THP.read_text()
    except OSError as e:
        raise HostError(f'this host has no transparent huge pages: {e}') from e
    if '[never]' in modes:
        raise HostError(f'this host gives no transparent huge pages: {THP} is "{modes.strip()}"; '
                        f'write "madvise" to it')


def huge(pid):
    """How many bytes of a process's memory are mapped in huge pages."""
    fields = _fields(PROC / str(pid) / 'smaps_rollup')
    found = [fields[name] for name in MAPPED_HUGE if name in fields]
    if not found:
        raise HostError(f'this host does not say how much of a process is in huge pages: none of '
                        f'{", ".join(MAPPED_HUGE)} is in smaps_rollup')
    return sum(found) * 1024


def splits():
    """How many mappings of huge pages the host has split so far, into mappings of 4 KiB."""
    return _field(PROC / 'vmstat', 'thp_split_pmd')


# --- the work of QEMU --------------------------------------------------------

def main_thread_seconds(pid):
    """CPU time of a process's main thread, in seconds: it does the devices' work in QEMU.

    The file of the same name in the process's own directory has the time of all threads."""
    stat = (PROC / str(pid) / 'task' / str(pid) / 'stat').read_text()
    # The name stands in parentheses, and may contain any character.
    fields = stat.rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


# --- hugetlbfs ---------------------------------------------------------------

def free_hugetlb():
    """How many pages of hugetlbfs hold nothing. They may be promised to somebody."""
    return _field(PROC / 'meminfo', 'HugePages_Free')


@contextlib.contextmanager
def _pool_locked():
    """The file with the number of pages, and nobody else changes it meanwhile."""
    try:
        file = POOL.open('r+', buffering=1)
    except OSError as e:
        raise HostError(f'pages of hugetlbfs are to be had by root only, and not on every host: '
                        f'{e}') from e
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)    # until the file is closed
        yield


def _grow(pages):
    """Change the number of pages by this many. Return the number before and after."""
    before = int(POOL.read_text())
    POOL.write_text(f'{max(0, before + pages)}\n')
    return before, int(POOL.read_text())


@contextlib.contextmanager
def pool(pages):
    """Have the host put aside so many more pages of hugetlbfs, 2 MiB each, for a while.

    Several users may do so at the same time. Each adds its pages, and later takes as many
    away."""
    size = _field(PROC / 'meminfo', 'Hugepagesize') * 1024
    if size != HUGE:
        raise HostError(f'pages of hugetlbfs are of {size >> 10} KiB on this host, '
                        f'not of {HUGE >> 10}')
    with _pool_locked():
        before, after = _grow(pages)
        if after < before + pages:
            _grow(before - after)
            raise HostError(f'the host has memory for {max(0, after - before)} of {pages} pages '
                            f'of hugetlbfs')
    try:
        yield
    finally:
        with _pool_locked():
            _grow(-pages)
