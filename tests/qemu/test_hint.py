# SPDX-License-Identifier: GPL-2.0-only
"""Free page hinting: the guest's free pages are not migrated."""

import pytest

from common.guest import MIB

BALLOON = {'free-page-hint': True}
FREED = 256             # MiB
# By how much a guest's free memory may shrink without the balloon's doing.
SLACK = 24 * MIB
PAGE = 4096             # of the host


def free_memory(guest):
    guest.sh('echo 1 >/proc/sys/vm/drop_caches')
    return guest.meminfo()['MemFree']


def dirty_and_free(guest):
    """Leave free pages that are not zero. Without hinting these would be sent."""
    guest.hog(FREED).kill()


@pytest.mark.anywhere
@pytest.mark.hints
@pytest.mark.parametrize('hint', [True, False], ids=['hint', 'nohint'])
def test_migration(boot, hint, shows):
    source = boot(balloon={'free-page-hint': hint})
    source.load()
    hinting = 'VIRTIO_BALLOON_F_FREE_PAGE_HINT' in source.features()
    assert hinting == hint
    hog = source.hog(96)
    dirty_and_free(source)
    free = free_memory(source)
    total = source.meminfo()['MemTotal']

    target = boot(balloon={'free-page-hint': hint}, incoming=source)
    sent = source.migrate_to(target)['ram']['normal'] * PAGE
    hog.guest = target
    hog.verify()
    shows(f'a migration with{"" if hint else "out"} hints copies, of 512 MiB', f'{sent // MIB} MiB')
    if not hint:
        assert sent > FREED * MIB
    elif source.lab.hint() < source.memory:
        # What is sent is the hog, the kernel, and what was not free at the time, or not as a block.
        large = 2 * source.lab.hint() if source.lab.hint() > 4 * MIB else 0
        assert sent < (source.memory - FREED * MIB) * 1.2 + large
        shows('free page hinting', True)
    else:
        # No block is free, so hints save nothing.
        shows('free page hinting', False)
        assert sent > FREED * MIB

    target.wait_for(lambda: free_memory(target) > free - SLACK,
                    what='hinted pages to come back')
    assert target.meminfo()['MemTotal'] == total
    assert target.stats()['total-memory'] == total
    target.unload()
    # Use the pages again that were hinted.
    target.hog(256).verify()
    hog.verify()


def test_cancelled_migration(boot):
    source = boot(balloon=BALLOON)
    source.load()
    hog = source.hog(96)
    dirty_and_free(source)
    free = free_memory(source)

    for cancelled in 1, 2:
        target = boot(balloon=BALLOON, incoming=source)
        source.begin_migration(target)
        # The guest hints most of its free pages.
        source.wait_for(lambda: source.meminfo()['MemFree'] < free / 2,
                        what='hinting')
        source.cancel_migration(target)
        source.wait_for(lambda: free_memory(source) > free - SLACK,
                        what='hinted pages to come back')
        assert source.stats()['free-memory'] > free - SLACK
        hog.verify()

    # A guest that needs memory takes hinted pages back before the host is done with them.
    target = boot(balloon=BALLOON, incoming=source)
    source.begin_migration(target)
    source.wait_for(lambda: source.meminfo()['MemFree'] < free / 2,
                    what='hinting')
    source.hog(256).verify()
    hog.verify()
    # The driver is unloaded while the host migrates.
    source.unload()
    source.cancel_migration(target)
