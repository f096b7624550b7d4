# SPDX-License-Identifier: GPL-2.0-only
"""A system whose kernel has the driver built in: installed, loaded by udev, and removed.

The tests are the steps of this, in their order. The kernel is one of ours, since Debian has none
such; tests/check-takeover runs this file."""

import re
import subprocess

import pytest

from common.guest import BUILTIN, MIB
from common.lab import build_kernel
from common.project import VERSION
from common.stat_names import FIRST_TEN, NAMES
from system import CLONE
from test_install import TAKEOVER, complaints

SIZE = 800 * MIB


@pytest.fixture(scope='module', params=[
    pytest.param('debian-12', marks=pytest.mark.xdist_group('takeover'))])
def name(request):
    return request.param


@pytest.fixture(scope='module')
def kernel(system):
    """The release of a kernel with the driver built in, which is installed with its headers."""
    tree = build_kernel('guest', 'builtin', 'systemd')
    release = next(tree.glob('lib/modules/*')).name
    headers = f'/usr/src/linux-headers-{release}'

    def unpack(where, *names):
        tar = subprocess.run(['tar', '-C', tree, '-ch', '--exclude=vmlinux', *names],
                             stdout=subprocess.PIPE, check=True).stdout
        system.sh(f'mkdir -p {where} && tar -C {where} -x --no-same-owner', tar)

    unpack(headers, '.config', 'Module.symvers', 'Makefile', 'System.map', 'include', 'scripts',
           'arch', 'tools')
    unpack('/', f'lib/modules/{release}')
    unpack('/boot', 'bzImage')
    system.sh(f'''
        ln -s {headers} /lib/modules/{release}/build
        mv /boot/bzImage /boot/vmlinuz-{release}
        cp {headers}/.config /boot/config-{release}
        depmod {release}
        update-initramfs -c -k {release}''')
    return release


def status(guest):
    """What make status says. It is printed, as the transcript of what an administrator sees."""
    said = guest.sh(f'make -s -C {CLONE} status')
    print(said)
    return said


def check_driver(guest, name, tags):
    driver = guest.sh('basename $(readlink /sys/bus/virtio/drivers/*balloon*/virtio*/driver)')
    assert driver.strip() == name
    assert set(guest.stats()) == set(tags)


def check_ours(guest):
    check_driver(guest, TAKEOVER, NAMES)
    assert guest.read(f'/sys/module/{TAKEOVER}/version') == VERSION
    said = status(guest)
    assert f'loaded:     ours, version {VERSION}' in said
    assert 'ours has it, as long as it is loaded' in said


def check_builtin(guest):
    check_driver(guest, BUILTIN, FIRST_TEN)
    said = status(guest)
    assert 'loaded:     the stock driver, built into the kernel' in said
    assert 'the built-in driver has it' in said


def test_before(state, kernel):
    guest = state.boot(release=kernel)
    assert guest.sh('uname -r').strip() == kernel
    check_builtin(guest)


def test_install(guest, kernel):
    output = guest.sh(f'make -C {CLONE} install', timeout=900)
    assert not complaints(output), output
    assert re.search(rf'{VERSION}, {re.escape(kernel)}.*: installed', guest.sh('dkms status'))
    # Nothing is loaded.
    check_builtin(guest)
    guest.sh(f'make -C {CLONE} activate')
    check_ours(guest)


def boot_as_the_host_sees_it(state, guest, what):
    """Reboot with a target that was set before. Print when the balloon had which size."""
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    seen = len(guest.noted())
    state.reboot()
    guest.wait_for(lambda: guest.try_sh(f'test -d /sys/module/{TAKEOVER}')[0] == 0, what='module')
    guest.wait_actual(SIZE)
    events = [(when, arguments) for when, name, arguments in guest.noted()[seen:]
              if name == 'virtio_balloon_set_config']
    # The balloon of before the reboot is not part of it.
    print(what)
    for when, arguments in events:
        print(f'{when - events[0][0]:6.1f} s  {arguments}')


def test_reboot(state, guest):
    """udev loads it."""
    guest = state.boot(release=state.system.kernel, events=('virtio_balloon_set_config',))
    check_ours(guest)
    boot_as_the_host_sees_it(state, guest, 'loaded by udev')
    check_ours(guest)


def test_initramfs(state, guest):
    guest.sh(f'echo {TAKEOVER} >>/etc/initramfs-tools/modules; '
             f'update-initramfs -u -k {state.system.kernel}', timeout=600)


def test_unloaded(guest):
    guest.sh(f'modprobe -r {TAKEOVER}')
    check_builtin(guest)
    guest.sh(f'modprobe {TAKEOVER}')
    check_ours(guest)


def test_remove(state, guest, kernel):
    output = guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    assert not complaints(output), output
    assert 'still loaded' in output
    guest.sh(f'make -C {CLONE} activate')
    check_builtin(guest)
    state.reboot()
    check_builtin(guest)
    assert guest.sh('find /lib/modules /usr/src /var/lib/dkms -path "*virtio-balloon*" '
                    f'-o -path "*updates*balloon*"') == ''
