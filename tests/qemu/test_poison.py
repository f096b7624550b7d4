# SPDX-License-Identifier: GPL-2.0-only
"""Free pages that are expected to hold a value, and a host that discards them."""

import pytest

from guest import MIB

BALLOON = {'free-page-reporting': True, 'page-poison': True}
POISON, REPORTING = 'VIRTIO_BALLOON_F_PAGE_POISON', 'VIRTIO_BALLOON_F_REPORTING'
USED = 320              # MiB


@pytest.mark.parametrize('append', ['page_poison=1', 'init_on_free=1', ''])
def test_content_of_free_pages(boot, append):
    guest = boot(append=append, balloon=BALLOON)
    guest.load()
    kept = append == 'page_poison=1' and guest.lab.poisons()
    assert (POISON in guest.features()) == (kept or append == 'init_on_free=1')
    assert REPORTING in guest.features()

    guest.trace('page_reporting_process')
    for _ in range(2):
        # Dirty nearly all there is, free it, and have it reported.
        hog = guest.hog(USED)
        full, reports = guest.rss(), guest.traced('page_reporting_process')
        hog.kill()
        if kept:
            # QEMU keeps pages whose value is not 0.
            guest.wait_for(lambda: guest.traced('page_reporting_process') >
                           reports + 1, what='report')
            assert guest.rss() > full - USED * MIB // 2
        else:
            guest.wait_for(lambda: guest.rss() < full - USED * MIB // 2,
                           what='reported memory')
        guest.balloon(256 * MIB)
        guest.wait_actual(256 * MIB)
        guest.balloon(guest.memory)
        guest.wait_actual(guest.memory)
    # Each page is looked at when it is allocated.
    guest.hog(USED).verify()
    assert 'memory corruption' not in guest.log()
    guest.unload()


@pytest.mark.parametrize('append', ['page_poison=1', 'init_on_free=1'])
def test_host_without_poison(boot, append):
    """A host that cannot be told the value is told of no page either."""
    guest = boot(append=append, balloon={**BALLOON, 'page-poison': False})
    guest.load()
    assert POISON not in guest.features()
    # It may, where nothing is expected of a free page.
    assert (REPORTING in guest.features()) == (
        append == 'page_poison=1' and not guest.lab.poisons())
