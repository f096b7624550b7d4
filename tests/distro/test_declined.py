# SPDX-License-Identifier: GPL-2.0-only
"""Systems and kernels where the driver cannot be used.

The administrator is told why, and what to do. Neither apt nor dkms is left with a half
finished installation."""

import pytest

from common.project import FIRST_KERNEL, KERNELS, LAST_KERNEL
from system import CLONE
from test_install import NAME

# The kernels next to those that are supported.
TOO_OLD = f'{FIRST_KERNEL[0]}.{FIRST_KERNEL[1] - 1}.0-1-amd64'
TOO_NEW = f'{LAST_KERNEL[0]}.{LAST_KERNEL[1] + 1}.0-1-amd64'


def check_nothing(system, kernel):
    assert system.sh('dkms status') == ''
    assert system.sh('dpkg --audit') == ''
    assert system.sh(f'find /lib/modules/{kernel} -path "*updates*"') == ''


def test_without_dkms(system):
    system.sh('mv /usr/sbin/dkms /root')
    code, output = system.try_sh(f'make -C {CLONE} install KVER={system.release}')
    system.sh('mv /root/dkms /usr/sbin')
    assert code != 0 and 'apt install dkms' in output
    check_nothing(system, system.release)


def test_without_headers(system):
    build = f'/lib/modules/{system.release}/build'
    system.sh(f'mv {build} /root/build')
    code, output = system.try_sh(f'make -C {CLONE} install KVER={system.release}')
    system.sh(f'mv /root/build {build}')
    assert code != 0 and f'apt install linux-headers-{system.release}' in output
    check_nothing(system, system.release)


def other_kernel(system, kernel, built_in=False):
    """Make the system look as if another kernel with its headers were installed."""
    system.sh(f'mkdir -p /lib/modules/{kernel} && cd /lib/modules/{kernel} && '
              f'cp -rL ../{system.release}/build build && touch modules.order modules.builtin')
    if built_in:
        system.sh(f'sed -i "s/^CONFIG_VIRTIO_BALLOON=m/CONFIG_VIRTIO_BALLOON=y/" '
                  f'/lib/modules/{kernel}/build/.config')


@pytest.mark.parametrize('kernel, built_in, reason', [
    ('4.19.0-1-amd64', False, f'supports {KERNELS}'),
    (TOO_OLD, False, f'supports {KERNELS}'),
    (TOO_NEW, False, f'supports {KERNELS}'),
    ('6.6.6-cloud', True, 'Use a kernel with CONFIG_VIRTIO_BALLOON=m'),
], ids=['4.19', 'too_old', 'too_new', 'built_in'])
def test_kernel(system, kernel, built_in, reason):
    other_kernel(system, kernel, built_in)
    code, output = system.try_sh(f'make -C {CLONE} install KVER={kernel}')
    assert code != 0 and reason in output and kernel in output
    check_nothing(system, kernel)

    # The module is installed for one kernel, and then this kernel is installed. What apt
    # runs must not fail, or the package of the kernel would be left half-configured.
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    for hooks in 'postinst.d', 'header_postinst.d':
        output = system.sh(f'run-parts --verbose --regex="^dkms$" --arg={kernel} '
                           f'/etc/kernel/{hooks}')
        assert reason in output
    status = system.sh('dkms status')
    assert system.release in status and kernel not in status
    assert system.sh(f'find /lib/modules/{kernel} -path "*updates*"') == ''
    system.sh(f'make -C {CLONE} uninstall && rm -r /lib/modules/{kernel}')


def test_key_not_enrolled(state, system):
    """The kernel only takes modules that are signed with a key that it knows."""
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    guest = state.boot(append='module.sig_enforce=1')
    assert guest.try_sh(f'test -d /sys/module/{NAME}')[0] != 0
    code, output = guest.try_sh(f'modprobe {NAME}')
    assert code != 0 and 'key' in output.lower()
    status = guest.sh(f'make -s -C {CLONE} status')
    assert 'loaded:     nothing' in status
    signed = guest.sh(f'modinfo -F signer {NAME}').strip()
    # dkms signs modules from version 3.0 on.
    assert bool(signed) == (system.name != 'debian-11')
    if signed:
        assert 'mokutil --import /var/lib/dkms/mok.pub' in status
    else:
        assert 'not signed' in status
    # make activate then loads the stock driver again.
    code, output = guest.try_sh(f'make -C {CLONE} activate')
    assert code != 0 and 'the stock driver is loaded again, from /' in output, output
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.driver_ok()
    # After make uninstall, make activate loads the stock driver without an error.
    guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    guest.sh(f'make -C {CLONE} activate')
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.driver_ok()
