# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that give free pages a value, and a host that discards free pages."""

import pytest

from common.guest import MIB

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
        # Use nearly all memory and free it, so that it is reported.
        hog = guest.hog(USED)
        full, reports = guest.rss(), guest.traced('page_reporting_process')
        hog.kill()
        if kept:
            # QEMU does not discard pages whose value is not 0.
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
    # The kernel checks each page's value when the page is allocated.
    guest.hog(USED).verify()
    assert 'memory corruption' not in guest.log()
    guest.unload()


@pytest.mark.parametrize('append', ['page_poison=1', 'init_on_free=1'])
def test_host_without_poison(boot, append):
    """If the host cannot be told the value, no pages are reported to it."""
    guest = boot(append=append, balloon={**BALLOON, 'page-poison': False})
    guest.load()
    assert POISON not in guest.features()
    # Where free pages keep no value, they may be reported.
    assert (REPORTING in guest.features()) == (
        append == 'page_poison=1' and not guest.lab.poisons())
