# SPDX-License-Identifier: GPL-2.0-only
"""Compaction: mm moves pages of the balloon, and the host learns of it."""

import random
import time

import pytest

from guest import MIB

STEPS = 96
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
    """Inflate so that the balloon has holes all over. Returns the new size."""
    for i in range(STEPS):
        size -= MIB
        guest.balloon(size)
        guest.wait_actual(size)
        guest.sh(f'head -c 1048576 /dev/zero >{FILES}/{i}')
    guest.sh(f'rm {FILES}/*')
    return size


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
    hog = guest.hog(96)
    size = fragment(guest, guest.memory)
    print('frag', time.time() - t)
    check(guest, size, hog)
    print(guest.sh('cat /proc/buddyinfo /proc/meminfo; grep -E "balloon|compact" /proc/vmstat'))

    before = moved(guest)
    compact(guest)
    print(moved(guest) - before, time.time() - t)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))
    check(guest, size, hog)
    nr = huge_pages(guest, 512)
    print(moved(guest) - before, time.time() - t, nr)
    print(guest.sh('cat /proc/buddyinfo; grep -E "balloon|compact" /proc/vmstat'))
    check(guest, size, hog)
    huge_pages(guest, 0)
    end(guest, hog)
    print(moved(guest) - before, time.time() - t)
    assert 0
