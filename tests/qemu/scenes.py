# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of memory pressure that take more than a process that wants too much."""

import contextlib

from guest import MIB

HELD = 64       # MiB that cannot be reclaimed
READ = 3        # MiB read at a time


def _hold_pages(guest, disk):
    """Have a process keep the disk's first MiB in the page cache, whatever kswapd does."""
    guest.sh(f'holder {HELD} {disk} >/tmp/holder 2>&1 &')
    guest.wait_for(lambda: guest.sh('cat /tmp/holder'), what='holder')
    if guest.sh('cat /tmp/holder') != 'filled\n':
        guest.fail('holder is not filled')


def _read_on(guest, disk, size):
    """Have a shell read the rest of the disk, slowly, over and over; its process id."""
    return guest.sh(
        f"sh -c 'while :; do i={HELD}; while [ $i -lt {size} ]; do "
        f"dd if={disk} of=/dev/null bs=1M skip=$i count={READ} 2>/dev/null; "
        f"i=$((i + {READ})); sleep 0.3; done; done' >/dev/null 2>&1 & echo $!").strip()


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
    _hold_pages(guest, disk)
    guest.sh('echo 1 >/proc/sys/vm/drop_caches')
    high = sum(int(line.split()[1]) for line in
               guest.sh('grep "  high " /proc/zoneinfo').splitlines()) * 4096
    hog = guest.hog((guest.meminfo()['MemFree'] - high) // MIB - READ, timeout=timeout)
    reader = _read_on(guest, disk, size)
    try:
        yield
    finally:
        guest.sh(f'kill {reader}; killall holder')
        hog.kill()
