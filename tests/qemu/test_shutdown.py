# SPDX-License-Identifier: GPL-2.0-only
"""The machine goes down while the balloon is at work."""

import pytest

from guest import MIB, STOCK_WARNS

# What 7.3 needs for itself is some 160 MiB in a guest of 1024.
SMALL = 224 * MIB


def inflating(guest):
    """A guest whose balloon is on its way, and has a long way to go."""
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
    # What the host remembers is of the guest that is gone: it starts anew.
    guest.load()
    guest.wait_actual(SMALL)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    survives('rebooted while inflating', not guest.forgive(STOCK_WARNS))


def test_with_everything_in_use(boot):
    guest = boot(reboot=True, append='page_poison=1',
                 balloon={'deflate-on-oom': True, 'free-page-hint': True,
                          'free-page-reporting': True, 'page-poison': True})
    guest.load()
    guest.balloon(SMALL)
    guest.wait_actual(SMALL)
    guest.poll_stats(1)
    guest.send('reboot -f')
    guest.wait_ready()
    guest.load()
    guest.wait_actual(SMALL)
    guest.stats()
