# SPDX-License-Identifier: GPL-2.0-only
"""Free page hinting: what the guest has free is not migrated."""

import pytest

from guest import MIB

BALLOON = {'free-page-hint': True}
FREED = 256             # MiB
# What a guest has less of after a while, for reasons of its own.
SLACK = 24 * MIB


def free_memory(guest):
    guest.sh('echo 1 >/proc/sys/vm/drop_caches')
    return guest.meminfo()['MemFree']


def dirty_and_free(guest):
    """Leave pages behind that are not zero, and so would be sent."""
    guest.hog(FREED).kill()


def begin_migration(source, target):
    """A migration that will not end in the time of a test."""
    source.qmp.cmd('migrate-set-parameters', **{'max-bandwidth': 4 * MIB})
    uri = f'unix:{target.migration_path}'
    target.qmp.cmd('migrate-incoming', uri=uri)
    source.qmp.cmd('migrate', uri=uri)


def cancel_migration(source, target):
    source.qmp.cmd('migrate_cancel')
    source.wait_for(lambda: source.qmp.cmd('query-migrate')['status'] ==
                    'cancelled', what='cancelled migration')
    target.wait_exit()


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
    sent = source.migrate_to(target)['ram']['normal'] * 4096
    hog.guest = target
    hog.verify()
    if hint:
        # The hog, the kernel, and what has not been free at the time.
        assert sent < (source.memory - FREED * MIB) * 1.2
        shows('free page hinting', True)
    else:
        assert sent > FREED * MIB

    target.wait_for(lambda: free_memory(target) > free - SLACK,
                    what='hinted pages to come back')
    assert target.meminfo()['MemTotal'] == total
    assert target.stats()['total-memory'] == total
    target.unload()
    # Whatever has been hinted is used once more.
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
        begin_migration(source, target)
        # The guest gives away most of what it has free.
        source.wait_for(lambda: source.meminfo()['MemFree'] < free / 2,
                        what='hinting')
        cancel_migration(source, target)
        source.wait_for(lambda: free_memory(source) > free - SLACK,
                        what='hinted pages to come back')
        assert source.stats()['free-memory'] > free - SLACK
        hog.verify()

    # A guest that needs them takes the pages while the host still has them.
    target = boot(balloon=BALLOON, incoming=source)
    begin_migration(source, target)
    source.wait_for(lambda: source.meminfo()['MemFree'] < free / 2,
                    what='hinting')
    source.hog(256).verify()
    hog.verify()
    # And the driver goes in the middle of it.
    source.unload()
    cancel_migration(source, target)
