# SPDX-License-Identifier: GPL-2.0-only
"""Installs the driver inside a running guest: it is compiled there, and swapped without a reboot."""

import re

import pytest

from common.guest import MIB
from common.project import VERSION
from system import CLONE
from test_install import NAME, STATISTICS, check_ours, complaints, stock

SIZE = 800 * MIB


@pytest.fixture(scope='module', params=[
    pytest.param('debian-12', marks=pytest.mark.xdist_group('inside'))])
def name(request):
    return request.param


def test_swap(state, system):
    guest = state.boot()
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    total = guest.meminfo()['MemTotal']
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    system.stock = guest.sh(stock(system.release))
    before = set(guest.stats())

    output = guest.sh(f'make -C {CLONE} install', timeout=900)
    assert not complaints(output), output
    # make install does not load it.
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert 'not the one that is loaded' in guest.sh(f'make -s -C {CLONE} status')

    hog = guest.hog(64)
    guest.sh(f'make -C {CLONE} activate')
    check_ours(guest, system.release)
    guest.wait_actual(SIZE)
    assert guest.meminfo()['MemTotal'] == total - (guest.memory - SIZE)
    assert before < set(guest.stats()) == STATISTICS
    hog.verify()
    guest.check_log()


def test_upgrade(guest):
    """A second kernel is installed while the guest runs."""
    output = guest.sh('apt-get -y install --no-install-recommends /srv/upgrade/*.deb',
                      timeout=1200)
    upgrade = guest.sh('ls /lib/modules | grep cloud').strip()
    assert re.search(rf'{VERSION}, {re.escape(upgrade)}.*: installed',
                     guest.sh('dkms status')), output
    assert guest.sh('dpkg --audit') == ''


def test_swap_back(guest, system):
    output = guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    assert not complaints(output), output
    guest.sh(f'make -C {CLONE} activate')
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.sh(stock(system.release)) == system.stock
    guest.wait_actual(SIZE)
