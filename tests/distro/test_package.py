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
# Knows all packages of Debian, but has only those of the kernel.
OFFLINE = 'apt-get -y --no-install-recommends --no-download -o Dir::Cache::archives=/srv/kernel'


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


def built_for(system, release):
    return re.search(rf'{VERSION}, {re.escape(release)}.*: installed', system.sh('dkms status'))


def test_flavour(system):
    """Of a kernel without headers, the package names what is missing, and apt installs that.

    It recommends no headers, since apt does not know which kernel runs. A kernel of another flavour
    and its headers are there: dkms of Debian 12 recommends the standard ones whatever the kernel
    is, and from Debian 13 on headers depend on their kernel."""
    flavour = system.flavour()
    missing = f'linux-headers-{system.release} linux-headers-{flavour}'
    system.sh(f'apt-get -y purge {missing} && dpkg -i /srv/upgrade/*.deb')
    planned = system.sh('apt-get -s -o APT::Install-Recommends=true install /root/balloon.deb')
    assert 'Inst virtio-balloon-dkms' in planned and 'Inst linux-' not in planned, planned
    output = system.sh(INSTALL)
    assert f'apt install {missing}\n' in output, output
    assert not built_for(system, system.release) and system.sh('dpkg --audit') == ''

    output = system.sh(f'{OFFLINE} install {missing}')
    assert built_for(system, system.release), output
    assert system.sh('dpkg --audit') == ''
    system.sh('apt-get -y purge virtio-balloon-dkms '
              '$(cd /srv/upgrade; ls *.deb | sed "s/_.*//")')


def earlier_packages(system, *kinds):
    """Have it look as if the kernel to come were a later one than these packages brought."""
    for kind in kinds:
        name = f'linux-{kind}-{system.flavour()}'
        system.sh(f'''
            mkdir -p /root/{name}/DEBIAN
            cat >/root/{name}/DEBIAN/control
            dpkg-deb -b /root/{name} /root/{name}.deb
            dpkg -i /root/{name}.deb
            rm -r /root/{name} /root/{name}.deb''', '''\
Package: {}
Version: 0
Architecture: amd64
Maintainer: the tests <none@virtio-balloon.invalid>
Description: an earlier version, which needs nothing
'''.format(name).encode())


def test_next_kernel(system):
    """Of the package that brings a flavour's headers depends whether an upgrade has the module."""
    flavour = system.flavour()
    kernels = 'apt-get -y purge "linux-image-*" "linux-headers-*"'
    upgrade = f'{OFFLINE} --with-new-pkgs upgrade'
    system.sh(kernels)
    system.sh(INSTALL)

    # With the kernel's package alone, the upgrade brings no headers. It does not fail.
    earlier_packages(system, 'image')
    output = system.sh(upgrade)
    release, = re.findall(r'^Setting up linux-image-(\S+\d\S*-amd64) ', output, re.M)
    assert release.endswith(f'-{flavour}')
    assert not built_for(system, release) and system.sh('dpkg --audit') == ''
    # The package says so when it is asked.
    assert (f'apt install linux-headers-{release} linux-headers-{flavour}\n' in
            system.sh('dpkg-reconfigure virtio-balloon-dkms'))
    system.sh(kernels)

    # With the package of the headers, too, the module is built for the new kernel.
    earlier_packages(system, 'image', 'headers')
    output = system.sh(upgrade)
    assert built_for(system, release), output
    assert system.sh('dpkg --audit') == ''
    system.sh('apt-get -y purge virtio-balloon-dkms')
    system.sh(f'{OFFLINE} install linux-image-{system.release} linux-headers-{system.release}')


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
