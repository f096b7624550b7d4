# SPDX-License-Identifier: GPL-2.0-only
"""Installs the driver from the sources, uses it, and removes it, as an administrator does.

The tests are the steps of this, in their order."""

import re

import pytest

from common.guest import MIB
from common.project import VERSION
from common.stat_names import NAMES
from system import CLONE

NAME = 'virtio_balloon'
# Its name where the kernel has the driver built in.
TAKEOVER = 'virtio_balloon_pressure'
SIZE = 800 * MIB        # of a guest that has more
STATISTICS = set(NAMES)
# Words that dkms and apt use when something is not as it should be.
COMPLAINT = re.compile(r'\b(error|warning|deprecated|failed|bad return)\b', re.I)


def complaints(output):
    # dkms 3 runs readelf on a kernel, and asks for a section that it does not have.
    return [line for line in output.splitlines()
            if COMPLAINT.search(line) and not line.startswith('readelf: ')]


def stock(release):
    """A shell command that prints the checksum of the stock module."""
    return (f'cd /lib/modules/{release} && '
            f'sha256sum kernel/drivers/virtio/{NAME}.ko*')


def check_ours(guest, release):
    """Our module is loaded, and it is the file that dkms has installed."""
    assert guest.sh('uname -r').strip() == release
    assert guest.read(f'/sys/module/{NAME}/version') == VERSION
    path = guest.sh(f'modinfo -n {NAME}').strip()
    assert path.startswith(f'/lib/modules/{release}/updates/dkms/{NAME}.ko')
    assert (guest.read(f'/sys/module/{NAME}/srcversion') ==
            guest.sh(f'modinfo -F srcversion {NAME}').strip())


@pytest.mark.core
def test_build(system):
    """The system's own compiler has no warnings, also with W=1."""
    output = system.sh(f'cp -r {CLONE} /root/build && cd /root/build && '
                       f'make KDIR=/lib/modules/{system.release}/build W=1 2>&1')
    assert 'warning' not in output.lower(), output
    assert system.sh(f'modinfo -F version /root/build/{NAME}.ko').strip() == VERSION
    # The same for a kernel that has the driver built in.
    output = system.sh(f'cd /root/build && make KDIR=/lib/modules/{system.release}/build W=1 '
                       'CONFIG_VIRTIO_BALLOON=y KCFLAGS=-DCONFIG_VIRTIO_BALLOON=1 2>&1')
    assert 'warning' not in output.lower(), output
    parameters = system.sh(f'modinfo -F parm /root/build/{TAKEOVER}.ko')
    assert 'take_over' in parameters
    system.sh('rm -r /root/build')


@pytest.mark.core
def test_install(system):
    system.stock = system.sh(stock(system.release))
    output = system.sh(f'make -C {CLONE} install KVER={system.release}')
    assert not complaints(output), output
    status = system.sh('dkms status')
    assert re.search(rf'virtio-balloon.*{VERSION}, {re.escape(system.release)}.*: installed',
                     status), status


def test_upgrade(system):
    """When a second kernel is installed, dkms builds the module for it."""
    output = system.sh('apt-get -y install --no-install-recommends /srv/upgrade/*.deb')
    system.upgrade, = set(system.releases()) - {system.release}
    assert re.search(rf'{VERSION}, {re.escape(system.upgrade)}.*: installed',
                     system.sh('dkms status')), output
    assert system.sh('dpkg --audit') == ''


@pytest.mark.core
def test_loaded_by_udev(state, system):
    """The system loads our module by itself."""
    guest = state.boot()
    check_ours(guest, system.release)
    assert guest.driver_ok()


@pytest.mark.core
def test_statistics(guest):
    stats = guest.stats()
    assert set(stats) == STATISTICS
    assert stats['total-memory'] == guest.meminfo()['MemTotal']
    status = guest.sh(f'make -s -C {CLONE} status')
    assert f'loaded:     ours, version {VERSION}' in status
    assert 'statistics' in status and 'not the one' not in status


def test_resize(guest):
    total = guest.meminfo()['MemTotal']
    hog = guest.hog(64)
    for size in 640 * MIB, SIZE, guest.memory:
        guest.balloon(size)
        guest.wait_actual(size)
        assert guest.meminfo()['MemTotal'] == total - (guest.memory - size)
    hog.verify()
    hog.kill()


def test_suspend(guest):
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    total = guest.meminfo()['MemTotal']
    sent = guest.send('echo mem >/sys/power/state')
    if guest.qmp.take_event('SUSPEND', 60) is None:
        guest.fail('the guest did not suspend')
    # The driver was told of it, and has given the pages back.
    assert guest.actual() == guest.memory
    guest.qmp.cmd('system_wakeup')
    assert guest.result(sent)[0] == 0
    guest.wait_actual(SIZE)
    assert guest.meminfo()['MemTotal'] == total
    assert guest.stats()['total-memory'] == total


def test_reboot(state, guest, system):
    state.reboot()
    check_ours(guest, system.release)
    # The host's target has not changed, and the driver follows it at once.
    guest.wait_actual(SIZE)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)


def test_upgraded_kernel(state, system):
    guest = state.boot(release=system.upgrade)
    check_ours(guest, system.upgrade)
    assert set(guest.stats()) == STATISTICS


def test_remove(state, system):
    """After removal the stock driver is used, and its module is the same file as before."""
    guest = state.boot()
    check_ours(guest, system.release)
    output = guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    assert not complaints(output), output
    assert guest.sh('dkms status') == ''
    assert guest.sh('find /lib/modules /usr/src /var/lib/dkms -path "*virtio-balloon*" '
                    f'-o -path "*updates*{NAME}*"') == ''
    state.reboot()
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.driver_ok()
    assert guest.sh(stock(system.release)) == system.stock
