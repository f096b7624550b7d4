# SPDX-License-Identifier: GPL-2.0-only
"""Compaction: mm moves the balloon's pages, and the host is told."""

import random
import time

import pytest

from guest import MIB

MEMORY = 320            # MiB
SIZE = 224 * MIB        # what the guest is left with
LEFT = 24 * MIB         # of what is free at first, for the guest to go on
BLOCK = 64 * 1024       # how finely the balloon is spread
HOG = 32                # MiB
ENOUGH = 256            # pages, of thousands
FILES = '/tmp/files'
HUGE = '/proc/sys/vm/nr_hugepages'
COMPACT = '/proc/sys/vm/compact_memory'


def check(guest, size, hog):
    """The balloon is as large as wanted, to the page, and no page is two's."""
    guest.wait_actual(size)
    total = guest.meminfo()['MemTotal']
    assert total == guest.total - (guest.memory - size)
    hog.verify()


def moved(guest):
    """Pages of the balloon that mm has moved since boot."""
    return guest.vmstat()['balloon_migrate']


@pytest.fixture
def spread(borrow):
    """A guest whose balloon is all over its memory, with holes in between,
    and a hog in it."""
    guest = borrow(memory=MEMORY)
    guest.load()
    # A huge page of the hog would not be moved.
    guest.sh('echo never >/sys/kernel/mm/transparent_hugepage/enabled')
    # kcompactd would do what the tests are to see, before they look.
    guest.sh('echo 0 >/proc/sys/vm/compaction_proactiveness')
    guest.sh(f'mkdir -p {FILES} && mount -t tmpfs -o size=90% files {FILES}')
    hog = guest.hog(HOG)
    # All of it, or the balloon might be at one end alone, where compaction
    # moves pages to and not from.
    blocks = (guest.meminfo()['MemFree'] - LEFT) // BLOCK
    guest.sh(f"""awk 'BEGIN {{
        block = sprintf("%{BLOCK}s", "")
        for (i = 0; i < {blocks}; i++) {{
            file = "{FILES}/" i
            printf "%s", block >file
            close(file)
        }} }}'""")
    # The balloon goes into the holes first, being made of small pages.
    guest.sh(f'rm {FILES}/*[02468]')
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    guest.sh(f'umount {FILES}')
    check(guest, SIZE, hog)
    yield guest, hog

    # All that was taken comes back, from wherever it is by now, and is used.
    guest.sh(f'echo 0 >{HUGE}')
    guest.balloon(guest.memory)
    check(guest, guest.memory, hog)
    other = guest.hog(MEMORY - HOG - 112)
    other.verify()
    other.kill()
    guest.unload()
    assert guest.meminfo()['MemTotal'] == guest.total
    hog.verify()


def test_compact_memory(spread, shows):
    guest, hog = spread
    before, rss = moved(guest), guest.rss()
    guest.sh(f'echo 1 >{COMPACT}')
    pages = moved(guest) - before
    assert pages > ENOUGH
    # All memory has been used: with each page that goes to the host in place
    # of another, the host provides one less, until the other is used too. What
    # QEMU itself needs grows by some MiB meanwhile.
    assert rss - guest.rss() > pages * 4096 // 2
    check(guest, SIZE, hog)
    shows('pages migrate when memory is compacted', True)


def test_huge_pages(spread):
    guest, hog = spread
    before = moved(guest)
    for _ in range(8):
        # As many as there are: mm makes some, and gives up before long; at
        # first perhaps without a try, having failed a moment ago.
        guest.sh(f'echo 0 >{HUGE}; echo {MEMORY} >{HUGE}')
        if moved(guest) - before > ENOUGH:
            break
    assert moved(guest) - before > ENOUGH
    assert guest.meminfo()['HugePages_Free'] > 0
    check(guest, SIZE, hog)


def test_while_resizing(spread):
    guest, hog = spread
    before = moved(guest)
    loop = guest.sh(f'while true; do echo 8 >{HUGE}; echo 1 >{COMPACT}; '
                    f'echo 0 >{HUGE}; echo 1 >{COMPACT}; done & echo $!').strip()
    rng = random.Random(3)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        guest.balloon(rng.randrange(SIZE, guest.memory, 4096))
        time.sleep(rng.random() / 2)
    # It may end with huge pages left, which the balloon could not have.
    guest.sh(f'kill {loop}; while test -d /proc/{loop}; do sleep 0.1; done; '
             f'echo 0 >{HUGE}')
    assert moved(guest) - before > ENOUGH
    guest.balloon(SIZE)
    check(guest, SIZE, hog)
