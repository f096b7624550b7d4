# SPDX-License-Identifier: GPL-2.0-only
"""Memory pressure that takes more than one process that wants too much."""

import contextlib

from common.guest import MIB, Process

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
    """Have kswapd scan much and reclaim little, in a guest with a disk of this many MiB.

    Only the pages that are read from the disk can be reclaimed, and they are read slowly.
    Each time, kswapd finds them behind the pages that are held. No allocation has to wait:
    while kswapd goes through the held pages, the reader takes less memory than there is
    between two watermarks. But it takes about that much each second, so that most reports
    of the statistics show some of it.
    """
    # The multi-generational LRU puts aside the pages that it could not reclaim. The classic
    # LRU scans them again.
    guest.sh('x=/sys/kernel/mm/lru_gen/enabled; ! test -e $x || echo n >$x')
    # There are then 8 MiB between two watermarks, in a guest of 256 MiB.
    guest.sh('echo 340 >/proc/sys/vm/watermark_scale_factor')
    holder = Process(guest, 'holder', f'exec holder {HELD} {disk}')
    holder.expect('filled', timeout)
    guest.sh('echo 1 >/proc/sys/vm/drop_caches')
    high = sum(int(line.split()[1]) for line in
               guest.sh('grep "  high " /proc/zoneinfo').splitlines()) * guest.page
    hog = guest.hog((guest.meminfo()['MemFree'] - high) // MIB - READ, timeout=timeout)
    reader = _reader(guest, disk, size)
    try:
        yield
    finally:
        for process in reader, holder, hog:
            process.kill()
