# SPDX-License-Identifier: GPL-2.0-only
"""The machine goes down while the balloon is at work."""

import pytest

from guest import MIB

SMALL = 160 * MIB


def inflating(guest):
    """A guest whose balloon is on its way, and has a long way to go."""
    guest.load()
    guest.balloon(SMALL)
    guest.wait_for(lambda: guest.actual() < guest.memory, what='inflation')


def check_quiet(guest):
    """Returns whether the driver left the device alone once the bus had broken it.

    The stock one may not, from 6.12 on, and is complained of for it."""
    if guest.lab.driver == 'ours' or 'tell_host' not in guest.log():
        return True
    assert 'WARNING' in guest.log()
    guest.console.write_text('')
    return False


@pytest.mark.parametrize('how', ['reboot', 'poweroff'])
def test_while_inflating(boot, how, survives):
    guest = boot(memory=1024, reboot=how == 'reboot')
    inflating(guest)
    guest.send(f'{how} -f')
    if how == 'poweroff':
        assert guest.wait_exit() == 0
        survives('powered off while inflating', check_quiet(guest))
        return
    guest.wait_ready()
    # What the host remembers is of the guest that is gone: it starts anew.
    guest.load()
    guest.wait_actual(SMALL)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    survives('rebooted while inflating', check_quiet(guest))


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
