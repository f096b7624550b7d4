# SPDX-License-Identifier: GPL-2.0-only
"""Free page reporting: the host has back what the guest does not use."""

from guest import MIB

USED = 320              # MiB


def give_and_take(guest):
    """Use memory, free it, and see the host have it."""
    hog = guest.hog(USED)
    full = guest.rss()
    hog.kill()
    guest.wait_for(lambda: guest.rss() < full - (USED - 64) * MIB,
                   what='free pages to reach the host')


def test_report(boot, shows):
    guest = boot(balloon={'free-page-reporting': True})
    guest.load()
    assert 'VIRTIO_BALLOON_F_REPORTING' in guest.features()
    hog = guest.hog(64)
    give_and_take(guest)
    give_and_take(guest)
    hog.verify()

    # Reports and the balloon at the same time.
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
    """What the above sees is not something that happens anyway."""
    guest = boot()
    guest.load()
    assert 'VIRTIO_BALLOON_F_REPORTING' not in guest.features()
    guest.hog(USED).kill()
    full = guest.rss()
    guest.sh('sleep 5')
    assert guest.rss() > full - 32 * MIB
