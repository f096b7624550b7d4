# SPDX-License-Identifier: GPL-2.0-only
"""The guest reboots or is powered off while the driver is busy."""

import pytest

from common.guest import EVERYTHING, MIB, STOCK_WARNS

# 7.3 needs some 160 MiB for itself in a guest of 1024 MiB.
SMALL = 224 * MIB


def inflating(guest):
    """Load the driver and have it inflate. The target is far away."""
    guest.load()
    guest.balloon(SMALL)
    guest.wait_for(lambda: guest.actual() < guest.memory, what='inflation')


@pytest.mark.parametrize('how', ['reboot', 'poweroff'])
def test_while_inflating(boot, how, survives):
    guest = boot(memory=1024, reboot=how == 'reboot')
    inflating(guest)
    guest.send(f'{how} -f')
    if how == 'poweroff':
        assert guest.wait_exit() == 0
        survives('powered off while inflating', not guest.forgive(STOCK_WARNS))
        return
    guest.wait_ready()
    # The host still has the size from before the reboot. The driver starts with an empty balloon.
    guest.load()
    guest.wait_actual(SMALL)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    survives('rebooted while inflating', not guest.forgive(STOCK_WARNS))


def test_with_everything_in_use(boot):
    guest = boot(reboot=True, append='page_poison=1', balloon=EVERYTHING)
    guest.load()
    guest.balloon(SMALL)
    guest.wait_actual(SMALL)
    guest.poll_stats(1)
    guest.send('reboot -f')
    guest.wait_ready()
    guest.load()
    guest.wait_actual(SMALL)
    guest.stats()
