# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package: installed, removed, and where it cannot be built for."""

import re

from lab import TOP
from system import VERSION
from test_declined import other_kernel
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


def test_other_kernel(system):
    """A kernel that ours cannot serve is no reason for the package to fail."""
    other_kernel(system, '7.4.0-1-amd64')
    system.sh('cat >/root/balloon.deb', DEB.read_bytes())
    system.sh(INSTALL)
    assert system.sh('dpkg --audit') == ''
    status = system.sh('dkms status')
    assert system.release in status and '7.4.0' not in status
    system.sh('apt-get -y purge virtio-balloon-dkms && rm -r /lib/modules/7.4.0-1-amd64')


def test_without_headers(system):
    """Installed all the same, and built as soon as there are headers."""
    build = f'/lib/modules/{system.release}/build'
    system.sh(f'mv {build} /root/build')
    output = system.sh(INSTALL)
    assert f'apt install linux-headers-{system.release}' in output
    assert system.sh('dpkg --audit') == ''
    assert ': installed' not in system.sh('dkms status')
    # What the package of the headers runs.
    system.sh(f'mv /root/build {build} && '
              f'run-parts --arg={system.release} /etc/kernel/header_postinst.d')
    assert re.search(rf'{VERSION}, {re.escape(system.release)}.*: installed',
                     system.sh('dkms status'))
    system.sh('apt-get -y purge virtio-balloon-dkms')
