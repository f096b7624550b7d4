# SPDX-License-Identifier: GPL-2.0-only
"""Where ours cannot be used, the administrator learns why and what to do, and
neither apt nor dkms is left with half of it."""

import pytest

from system import CLONE
from test_install import NAME


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
    """As if another kernel had been installed, with headers that would build."""
    system.sh(f'mkdir -p /lib/modules/{kernel} && cd /lib/modules/{kernel} && '
              f'cp -rL ../{system.release}/build build && touch modules.order modules.builtin')
    if built_in:
        system.sh(f'sed -i "s/^CONFIG_VIRTIO_BALLOON=m/CONFIG_VIRTIO_BALLOON=y/" '
                  f'/lib/modules/{kernel}/build/.config')


@pytest.mark.parametrize('kernel, built_in, reason', [
    ('4.19.0-1-amd64', False, 'supports 5.10 to 7.3'),
    ('5.9.0-1-amd64', False, 'supports 5.10 to 7.3'),
    ('7.4.0-1-amd64', False, 'supports 5.10 to 7.3'),
    ('6.6.6-cloud', True, 'Use a kernel with CONFIG_VIRTIO_BALLOON=m'),
], ids=['4.19', '5.9', '7.4', 'built_in'])
def test_kernel(system, kernel, built_in, reason):
    other_kernel(system, kernel, built_in)
    code, output = system.try_sh(f'make -C {CLONE} install KVER={kernel}')
    assert code != 0 and reason in output and kernel in output
    check_nothing(system, kernel)

    # It is there for another kernel, and this one comes: what apt runs is not
    # to fail, or the kernel's package would be left half-configured.
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
    """The kernel takes no module but those signed with a key that it knows."""
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    guest = state.boot(append='module.sig_enforce=1')
    assert guest.try_sh(f'test -d /sys/module/{NAME}')[0] != 0
    code, output = guest.try_sh(f'modprobe {NAME}')
    assert code != 0 and 'key' in output.lower()
    status = guest.sh(f'make -s -C {CLONE} status')
    assert 'loaded:     nothing' in status
    signed = guest.sh(f'modinfo -F signer {NAME}').strip()
    # dkms does so from 3.0 on.
    assert bool(signed) == (system.name != 'debian-11')
    if signed:
        assert 'mokutil --import /var/lib/dkms/mok.pub' in status
    else:
        assert 'not signed' in status
    # Who swaps it all the same is left with the driver that there was.
    code, output = guest.try_sh(f'make -C {CLONE} activate')
    assert code != 0 and 'the stock driver is loaded again, from /' in output, output
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.driver_ok()
    # And back to what can be loaded.
    guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    guest.sh(f'make -C {CLONE} activate')
    assert guest.try_sh(f'test -e /sys/module/{NAME}/version')[0] != 0
    assert guest.driver_ok()
