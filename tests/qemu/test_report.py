# SPDX-License-Identifier: GPL-2.0-only
"""Free page reporting: the host gets back the memory that the guest does not use."""

import pytest

from common.guest import GuestError, MIB, TIMEOUT

USED = 320              # MiB


def give_and_take(guest, timeout=TIMEOUT):
    """Use memory and free it. The host gets it back."""
    hog = guest.hog(USED)
    full = guest.rss()
    hog.kill()
    guest.wait_for(lambda: guest.rss() < full - (USED - 64) * MIB,
                   timeout, what='free pages to reach the host')


@pytest.mark.anywhere
def test_report(boot, lab, shows):
    guest = boot(balloon={'free-page-reporting': True})
    guest.load()
    assert 'VIRTIO_BALLOON_F_REPORTING' in guest.features()
    hog = guest.hog(64)
    if lab.reports_too_large():
        shows('free page reporting', False)
        with pytest.raises(GuestError, match='no free pages to reach the host'):
            give_and_take(guest, 10)
        return
    give_and_take(guest)
    give_and_take(guest)
    hog.verify()

    # Resize the balloon while free pages are reported.
    other = guest.hog(128)
    guest.balloon(320 * MIB)
    guest.wait_actual(320 * MIB)
    other.kill()
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    give_and_take(guest)
    hog.verify()

    for _ in range(3):
        guest.unload()
        guest.load()
    give_and_take(guest)
    hog.verify()
    assert guest.stats()['total-memory'] == guest.meminfo()['MemTotal']
    guest.hog(128)
    guest.unload()
    hog.verify()
    shows('free page reporting', True)


def test_no_report(boot):
    """Without free page reporting the host does not get the memory back."""
    guest = boot()
    guest.load()
    assert 'VIRTIO_BALLOON_F_REPORTING' not in guest.features()
    guest.hog(USED).kill()
    full = guest.rss()
    guest.sh('sleep 5')
    assert guest.rss() > full - 32 * MIB
