# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of memory pressure that take more than a process that wants too much."""

import contextlib

from guest import MIB, Process

HELD = 64       # MiB that cannot be reclaimed
READ = 3        # MiB read at a time


def _reader(guest, disk, size):
    """A shell that reads the rest of the disk, slowly, over and over."""
    return Process(guest, 'reader',
                   f'while :; do i={HELD}; while [ $i -lt {size} ]; do '
                   f'dd if={disk} of=/dev/null bs=1M skip=$i count={READ} 2>/dev/null; '
                   f'i=$((i + {READ})); sleep 0.3; done; done')


@contextlib.contextmanager
def almost_full(guest, disk, size, timeout):
    """A guest with a disk of this many MiB where kswapd scans much and reclaims little.

    What is read slowly is all that can be reclaimed, and kswapd finds it behind the pages
    that are held, each time anew. Nobody has to wait: while kswapd goes through what is
    held, the reader takes less than a band between two watermarks; and yet about one a
    second, so that most reports have their share.
    """
    # The LRU of generations puts aside what it could not reclaim; the other tries again.
    guest.sh('x=/sys/kernel/mm/lru_gen/enabled; ! test -e $x || echo n >$x')
    # Bands of 8 MiB in 256.
    guest.sh('echo 340 >/proc/sys/vm/watermark_scale_factor')
    holder = Process(guest, 'holder', f'exec holder {HELD} {disk}')
    holder.expect('filled', timeout)
    guest.sh('echo 1 >/proc/sys/vm/drop_caches')
    high = sum(int(line.split()[1]) for line in
               guest.sh('grep "  high " /proc/zoneinfo').splitlines()) * 4096
    hog = guest.hog((guest.meminfo()['MemFree'] - high) // MIB - READ, timeout=timeout)
    reader = _reader(guest, disk, size)
    try:
        yield
    finally:
        for process in reader, holder, hog:
            process.kill()
