# SPDX-License-Identifier: GPL-2.0-only
"""Installs and removes the Debian package, also where there is nothing to build the module for."""

import re

import pytest

from common.project import TOP, VERSION
from system import CLONE
from test_declined import TOO_NEW, leave_out, other_kernel
from test_install import NAME, complaints, stock

DEB = TOP / 'dist' / f'virtio-balloon-dkms_{VERSION}_all.deb'
INSTALL = 'apt-get -y install --no-install-recommends /root/balloon.deb'


def test_install(system):
    system.stock = system.sh(stock(system.release))
    system.sh('cat >/root/balloon.deb', DEB.read_bytes())
    output = system.sh(INSTALL)
    assert not complaints(output), output
    assert re.search(rf'{VERSION}, {re.escape(system.release)}.*: installed',
                     system.sh('dkms status')), output
    path = system.sh(f'modinfo -k {system.release} -n {NAME}').strip()
    assert path.startswith(f'/lib/modules/{system.release}/updates/dkms/{NAME}.ko')
    assert system.sh('dpkg --audit') == ''


def test_remove(system):
    output = system.sh('apt-get -y purge virtio-balloon-dkms')
    assert not complaints(output), output
    assert system.sh('dkms status') == ''
    assert system.sh('find / -xdev -name "*virtio-balloon*" ! -path "/usr/local/*"') == ''
    assert system.sh(stock(system.release)) == system.stock
    path = system.sh(f'modinfo -k {system.release} -n {NAME}').strip()
    assert path.startswith(f'/lib/modules/{system.release}/kernel/drivers/virtio/{NAME}.ko')


@pytest.mark.parametrize('kernel, without', [(TOO_NEW, ''), ('6.6.6-cloud', '(MEMORY_)?BALLOON')],
                         ids=['too_new', 'no_core'])
def test_other_kernel(system, kernel, without):
    """The package does not fail where there is a kernel that the driver does not support."""
    other_kernel(system, kernel)
    if without:
        leave_out(system, kernel, without)
    system.sh('cat >/root/balloon.deb', DEB.read_bytes())
    system.sh(INSTALL)
    assert system.sh('dpkg --audit') == ''
    status = system.sh('dkms status')
    assert system.release in status and kernel not in status
    system.sh(f'apt-get -y purge virtio-balloon-dkms && rm -r /lib/modules/{kernel}')


def test_without_headers(system):
    """The package is installed without headers. The module is built when they are installed."""
    build = f'/lib/modules/{system.release}/build'
    system.sh(f'mv {build} /root/build')
    output = system.sh(INSTALL)
    assert f'apt install linux-headers-{system.release}' in output
    assert system.sh('dpkg --audit') == ''
    assert ': installed' not in system.sh('dkms status')
    # The package of the headers runs this.
    system.sh(f'mv /root/build {build} && '
              f'run-parts --arg={system.release} /etc/kernel/header_postinst.d')
    assert re.search(rf'{VERSION}, {re.escape(system.release)}.*: installed',
                     system.sh('dkms status'))
    system.sh('apt-get -y purge virtio-balloon-dkms')


def test_flavour(system):
    """The package recommends no headers, since apt does not know which kernel runs."""
    cloud = f'{system.release.removesuffix("-amd64")}-cloud-amd64'
    system.sh('dpkg -r --force-depends linux-headers-amd64 && '
              f'mkdir /lib/modules/{cloud} && touch /lib/modules/{cloud}/modules.dep')
    planned = system.sh('apt-get -s -o APT::Install-Recommends=true install /root/balloon.deb')
    assert 'Inst virtio-balloon-dkms' in planned and 'Inst linux-' not in planned, planned
    output = system.sh(INSTALL)
    assert f'apt install linux-headers-{cloud} linux-headers-cloud-amd64' in output
    system.sh(f'apt-get -y purge virtio-balloon-dkms && rm -r /lib/modules/{cloud}')


def test_over_make_install(system):
    """The package is not installed over what make install has left."""
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    before = system.sh('dkms status')
    code, output = system.try_sh(INSTALL)
    assert code != 0 and 'make uninstall' in output, output
    assert system.sh('dpkg --audit') == '' and system.sh('dkms status') == before
    # The command that it suggests removes that.
    system.sh(re.search(r'^  (dkms remove .*)', output, re.M)[1])
    system.sh(INSTALL)
    system.sh('apt-get -y purge virtio-balloon-dkms')
    assert system.sh('find / -xdev -name "*virtio-balloon*" ! -path "/usr/local/*"') == ''


def test_make_over_package(system):
    system.sh(INSTALL)
    before = system.sh(f'dkms status; ls -R /usr/src/virtio-balloon-{VERSION}')
    for target in 'install', 'uninstall':
        code, output = system.try_sh(f'make -C {CLONE} {target} KVER={system.release}')
        assert code != 0 and 'apt purge virtio-balloon-dkms' in output, output
    assert system.sh(f'dkms status; ls -R /usr/src/virtio-balloon-{VERSION}') == before
    system.sh('apt-get -y purge virtio-balloon-dkms')
