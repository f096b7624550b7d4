# SPDX-License-Identifier: GPL-2.0-only
"""Systems and kernels where the driver cannot be used.

The administrator is told why, and what to do. Neither apt nor dkms is left with a half
finished installation."""

import pytest

from common.project import FIRST_KERNEL, KERNELS, LAST_KERNEL
from system import CLONE
from test_install import NAME, TAKEOVER, complaints

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


def other_kernel(system, kernel):
    """Make the system look as if another kernel with its headers were installed."""
    system.sh(f'mkdir -p /lib/modules/{kernel} && cd /lib/modules/{kernel} && '
              f'cp -rL ../{system.release}/build build && touch modules.order modules.builtin')


def build_in(system, kernel):
    """Make it look as if that kernel had the driver built in."""
    system.sh(f'''
        cd /lib/modules/{kernel}
        echo kernel/drivers/virtio/virtio_balloon.ko >>modules.builtin
        cd build
        sed -i "s/^CONFIG_VIRTIO_BALLOON=m/CONFIG_VIRTIO_BALLOON=y/" .config include/config/auto.conf
        sed -i "s/CONFIG_VIRTIO_BALLOON_MODULE /CONFIG_VIRTIO_BALLOON /" \\
            include/generated/autoconf.h include/generated/rustc_cfg 2>/dev/null || :''')


def leave_out(system, kernel, option):
    """Make it look as if that kernel were configured without an option."""
    system.sh(f'sed -Ei "s/^CONFIG_({option})=.*/# CONFIG_\\1 is not set/" '
              f'/lib/modules/{kernel}/build/.config')


@pytest.mark.parametrize('kernel, without, reason', [
    ('4.19.0-1-amd64', '', f'supports {KERNELS}'),
    (TOO_OLD, '', f'supports {KERNELS}'),
    (TOO_NEW, '', f'supports {KERNELS}'),
    ('6.6.6-cloud', 'VIRTIO', 'configured without CONFIG_VIRTIO.'),
    # It has another name on newer kernels.
    ('6.6.6-cloud', '(MEMORY_)?BALLOON',
     'configured without CONFIG_MEMORY_BALLOON or CONFIG_BALLOON.'),
    ('6.6.6-cloud', 'PAGE_REPORTING', 'configured without CONFIG_PAGE_REPORTING.'),
], ids=['4.19', 'too_old', 'too_new', 'no_virtio', 'no_core', 'no_reporting'])
def test_kernel(system, kernel, without, reason):
    other_kernel(system, kernel)
    if without:
        leave_out(system, kernel, without)
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


def test_built_in(system):
    """There the module has a name of its own. On the other kernel it keeps its name."""
    kernel = '6.6.6-cloud'
    other_kernel(system, kernel)
    build_in(system, kernel)
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    system.sh(f'run-parts --regex="^dkms$" --arg={kernel} /etc/kernel/header_postinst.d')
    assert system.installed(kernel) == [TAKEOVER]
    assert system.installed(system.release) == [NAME]
    # A name that is not the module's would be left there.
    output = system.sh(f'make -C {CLONE} uninstall')
    assert not complaints(output), output
    for release in kernel, system.release:
        assert system.sh(f'find /lib/modules/{release} -path "*updates*" -name "*balloon*"') == ''
    check_nothing(system, kernel)
    system.sh(f'rm -r /lib/modules/{kernel}')


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
