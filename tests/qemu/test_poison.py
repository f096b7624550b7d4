# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that writes to the pages it frees, and a host that discards them."""

import time

import pytest

from guest import MIB

BALLOON = {'page-poison': True, 'free-page-reporting': True}
POISON, REPORTING = 'VIRTIO_BALLOON_F_PAGE_POISON', 'VIRTIO_BALLOON_F_REPORTING'


def touch_everything(guest):
    hog = guest.hog(64)
    guest.hog(300).kill()
    # mm reports after 2 s.
    time.sleep(3)
    guest.hog(300).kill()
    guest.balloon(192 * MIB)
    guest.wait_actual(192 * MIB)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    time.sleep(3)
    guest.hog(300).verify()
    hog.verify()
    assert 'memory corruption' not in guest.log()


@pytest.mark.parametrize('option', ['page_poison=1', 'init_on_free=1'])
def test_poison(boot, option):
    guest = boot(balloon=BALLOON, append=option)
    guest.load()
    assert guest.features() >= {POISON, REPORTING}
    touch_everything(guest)
    guest.unload()


@pytest.mark.parametrize('option', ['page_poison=1', 'init_on_free=1'])
def test_host_without_poison(boot, option):
    """A host that cannot be told the value is told of no page either."""
    guest = boot(balloon={**BALLOON, 'page-poison': False}, append=option)
    guest.load()
    assert not guest.features() & {POISON, REPORTING}
    if option == 'page_poison=1':
        touch_everything(guest)


def test_kernel_without_poison(boot):
    guest = boot(balloon=BALLOON)
    guest.load()
    features = guest.features()
    assert POISON not in features
    assert REPORTING in features
    hog = guest.hog(320)
    full = guest.rss()
    hog.kill()
    guest.wait_for(lambda: guest.rss() < full - 256 * MIB,
                   what='free pages to reach the host')
