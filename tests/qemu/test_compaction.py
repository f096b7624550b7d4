# SPDX-License-Identifier: GPL-2.0-only
"""Compaction: mm moves pages of the balloon, and the host learns of it."""

import random
import time

import pytest

from guest import MIB

FILLED = 256 * MIB
BLOCK = 64 * 1024
FILES = '/tmp/files'


def total(guest):
    return guest.meminfo()['MemTotal']


def moved(guest):
    return guest.vmstat()['balloon_migrate']


def check(guest, size, hog):
    """The balloon is as large as it was, on both sides, and only the balloon."""
    guest.wait_actual(size)
    assert total(guest) == guest.total - (guest.memory - size)
    hog.verify()


def begin(guest):
    """Have nothing in the guest's memory that cannot be moved."""
    # A huge page of the hog would stay where it is.
    guest.sh('echo never >/sys/kernel/mm/transparent_hugepage/enabled')
    guest.sh(f'mkdir -p {FILES} && mount -t tmpfs -o size=80% files {FILES}')
    guest.load()


def end(guest, hog):
    """All that was taken comes back, from wherever it is by now."""
    guest.balloon(guest.memory)
    check(guest, guest.memory, hog)
    # Now every page there is gets touched.
    other = guest.hog(256)
    other.verify()
    other.kill()
    guest.unload()
    assert total(guest) == guest.total
    hog.verify()
    hog.kill()
    guest.sh(f'umount {FILES}')


def fragment(guest, size):
    """Inflate into holes all over, and make other holes between them."""
    guest.sh(f'head -c {FILLED} /dev/zero | '
             f'split -a 4 -b {BLOCK} - {FILES}/')
    guest.sh(f'rm {FILES}/*[acegikmoqsuwy]')
    guest.balloon(size)
    guest.wait_actual(size)
    guest.sh(f'rm {FILES}/*')


def compact(guest):
    guest.sh('echo 1 >/proc/sys/vm/compact_memory')


def huge_pages(guest, nr):
    """Ask for so many huge pages; returns how many there are."""
    guest.sh(f'echo {nr} >/proc/sys/vm/nr_hugepages')
    return guest.meminfo()['HugePages_Total']


def test_compaction(borrow):
    guest = borrow()
    t = time.time()
    begin(guest)
    hog = guest.hog(64)
    size = 384 * MIB
    print('begin', time.time() - t)
    fragment(guest, size)
    print('frag', time.time() - t)
    check(guest, size, hog)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))

    before, rss = moved(guest), guest.rss()
    compact(guest)
    print(moved(guest) - before, time.time() - t, (rss - guest.rss())/4096)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))
    check(guest, size, hog)
    nr = huge_pages(guest, 512)
    print(moved(guest) - before, time.time() - t, nr)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))
    check(guest, size, hog)
    huge_pages(guest, 0)
    before = moved(guest)
    loop = guest.sh('cd /proc/sys/vm; while true; do echo 32 >nr_hugepages; echo 1 >compact_memory; '
                    'echo 0 >nr_hugepages; echo 1 >compact_memory; done & echo $!').strip()
    rng = random.Random(3)
    end_ = time.monotonic() + 5
    n = 0
    while time.monotonic() < end_:
        guest.balloon(rng.randrange(256 * MIB, guest.memory, 4096))
        time.sleep(rng.random() / 2)
        n += 1
    guest.sh(f'kill {loop}')
    guest.balloon(size)
    print(moved(guest) - before, time.time() - t, n)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))
    check(guest, size, hog)
    huge_pages(guest, 0)
    end(guest, hog)
    print(moved(guest) - before, time.time() - t)
    assert 0
