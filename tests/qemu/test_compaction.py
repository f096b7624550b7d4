# SPDX-License-Identifier: GPL-2.0-only
"""Compaction: mm moves the balloon's pages, and the driver tells the host."""

import random
import time

import pytest

from common.guest import MIB
from common.machine import PC

MEMORY = 320            # MiB
SIZE = 224 * MIB        # what the guest is left with
LEFT = 24 * MIB         # of free memory, so that the guest can go on
BLOCK = 64 * 1024       # bytes. The balloon is spread in blocks of this size
HOG = 32                # MiB
ENOUGH = MIB            # bytes that have to be moved, of many more that could be
FILES = '/tmp/files'
HUGE = '/proc/sys/vm/nr_hugepages'
COMPACT = '/proc/sys/vm/compact_memory'


def check(guest, size, hog):
    """The balloon has exactly this size, and the hog's pages have their content."""
    guest.wait_actual(size)
    total = guest.meminfo()['MemTotal']
    assert total == guest.total - (guest.memory - size)
    hog.verify()


def moved(guest):
    """How much of the balloon mm has moved since boot, in bytes."""
    return guest.vmstat()['balloon_migrate'] * guest.page


@pytest.fixture
def spread(borrow):
    """A guest whose balloon is spread all over its memory, with holes in it, and a hog."""
    guest = borrow(memory=MEMORY)
    guest.load()
    # If the hog had huge pages, they would not be moved. Some machines have none.
    guest.sh('x=/sys/kernel/mm/transparent_hugepage/enabled; ! test -e $x || echo never >$x')
    # With large pages mm would keep another 32 MiB free as soon as memory is in pieces.
    guest.sh('echo 0 >/proc/sys/vm/watermark_boost_factor')
    # kcompactd might move the pages before a test looks.
    guest.sh('echo 0 >/proc/sys/vm/compaction_proactiveness')
    guest.sh(f'mkdir -p {FILES} && mount -t tmpfs -o size=90%,nr_inodes=0 files {FILES}')
    hog = guest.hog(HOG)
    # Fill all memory with files. Otherwise the balloon might be at one end of memory only, and
    # compaction moves pages to there and not from there.
    blocks = (guest.meminfo()['MemFree'] - LEFT) // BLOCK
    guest.sh(f"""awk 'BEGIN {{
        block = sprintf("%{BLOCK}s", "")
        for (i = 0; i < {blocks}; i++) {{
            file = "{FILES}/" i
            printf "%s", block >file
            close(file)
        }} }}'""")
    # Remove half of the files. The balloon fills these holes first, since its pages are small.
    # Not every second file: where mm finds no free page, it goes on to look at every 32nd page
    # only, and these would all be in the balloon, or all be free later.
    guest.sh(f'rm {FILES}/*[01457]')
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    guest.sh(f'umount {FILES}')
    check(guest, SIZE, hog)
    yield guest, hog

    # All pages come back, wherever they have been moved, and are used.
    guest.sh(f'! test -e {HUGE} || echo 0 >{HUGE}')
    guest.balloon(guest.memory)
    check(guest, guest.memory, hog)
    other = guest.hog(MEMORY - HOG - 112)
    other.verify()
    other.kill()
    guest.unload()
    assert guest.meminfo()['MemTotal'] == guest.total
    hog.verify()


@pytest.mark.anywhere
@pytest.mark.compacts
def test_compact_memory(spread, shows):
    guest, hog = spread
    before, rss = moved(guest), guest.rss()
    guest.sh(f'echo 1 >{COMPACT}')
    size = moved(guest) - before
    assert size > ENOUGH
    # When a page moves, the host gets another page instead of it. All memory has been used
    # before, so QEMU has one page less then, until the guest uses the first page again. On other
    # machines more pages move to where the balloon has been before.
    assert rss - guest.rss() > (size // 2 if guest.machine is PC else size // 4)
    check(guest, SIZE, hog)
    shows('pages migrate when memory is compacted', True)


def test_huge_pages(spread):
    guest, hog = spread
    before = moved(guest)
    for _ in range(8):
        # Ask for more huge pages than there can be. mm makes some of them, and gives up soon.
        # At first it may give up at once, if it has failed just before.
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
        guest.balloon(rng.randrange(SIZE, guest.memory, guest.page))
        time.sleep(rng.random() / 2)
    # Huge pages may be left, which the balloon cannot use.
    guest.sh(f'kill {loop}; while test -d /proc/{loop}; do sleep 0.1; done; '
             f'echo 0 >{HUGE}')
    assert moved(guest) - before > ENOUGH
    guest.balloon(SIZE)
    check(guest, SIZE, hog)
