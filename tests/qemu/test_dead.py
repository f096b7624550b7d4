# SPDX-License-Identifier: GPL-2.0-only
"""Devices that die under the driver: everybody else goes on."""

import pytest

from guest import MIB

SIZE = 256 * MIB
PATIENCE = 20           # seconds, of the ten or so that it may take
RESET = '$(readlink -f /sys/bus/virtio/drivers/virtio_balloon/virtio*/..)/reset'
SURVIVES = 'goes on when the device dies'


@pytest.fixture
def guest(boot):
    """With a device that can be reset by itself, a PCI Express one."""
    guest = boot(balloon={'bus': 'port0'}, ports=1)
    guest.total = guest.meminfo()['MemTotal']
    guest.load()
    return guest


def is_told(guest):
    """Whether the driver hears of a reset of the function below its device."""
    return guest.lab.driver == 'ours' and guest.lab.kernel() >= (7, 3)


def check_removal(guest, shows):
    """The driver can be unloaded, and hands all memory back; the stock one hangs."""
    guest.sh('rmmod virtio_balloon >/tmp/rmmod 2>&1 & echo $! >/tmp/pid')
    if guest.lab.driver == 'stock':
        with pytest.raises(AssertionError):
            guest.wait_for(lambda: guest.try_sh('test -d /proc/$(cat /tmp/pid)')[0],
                           PATIENCE, 'rmmod')
        assert guest.sh('cut -d" " -f3 /proc/$(cat /tmp/pid)/stat') == 'D\n'
        shows(SURVIVES, False)
        # Nothing more can be had from this one.
        guest.qmp.cmd('stop')
        return False
    guest.wait_for(lambda: guest.try_sh('test -d /sys/module/virtio_balloon')[0],
                   PATIENCE, 'rmmod')
    assert guest.meminfo()['MemTotal'] == guest.total
    shows(SURVIVES, True)
    return True


def test_reset_while_idle(guest, shows):
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    hog = guest.hog(64)
    guest.sh(f'echo 1 >{RESET}')
    if is_told(guest):
        # It works again by itself.
        guest.wait_actual(SIZE)
        assert 'free-memory' in guest.stats()
        guest.balloon(guest.memory)
        guest.wait_actual(guest.memory)
    if not check_removal(guest, shows):
        return
    hog.verify()
    guest.load()
    guest.wait_actual(guest.memory if is_told(guest) else SIZE)
    assert 'free-memory' in guest.stats()
    hog.verify()


def test_reset_while_inflating(guest, shows):
    guest.balloon(SIZE)
    guest.wait_for(lambda: guest.actual() < guest.memory - 16 * MIB, what='inflation')
    guest.sh(f'echo 1 >{RESET}')
    if guest.lab.driver == 'ours':
        if is_told(guest):
            guest.wait_actual(SIZE)
        else:
            # Found out without anybody asking, since it waits for the device.
            guest.wait_log('the device died', PATIENCE)
            guest.wait_for(lambda: guest.meminfo()['MemTotal'] == guest.total, PATIENCE)
    if check_removal(guest, shows):
        guest.load()
        guest.wait_actual(SIZE)
