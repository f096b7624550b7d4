# SPDX-License-Identifier: GPL-2.0-only
"""Installs, upgrades and removes the RPM with the system's own dkms.

The systems are Debians, so rpm is run from outside, as rpm --root, and does not know that dkms is
there. The tests are steps, in their order."""

import re
import subprocess

import pytest

from common.project import VERSION, command, copy_packaged
from system import CLONE
from test_declined import TOO_NEW, leave_out, other_kernel
from test_install import NAME, complaints, stock

LATER = f'{VERSION}.1'


@pytest.fixture(scope='session')
def packages(tmp_path_factory):
    """The packages of this version and of a later one: version -> file."""
    made = {}
    for version in VERSION, LATER:
        directory = tmp_path_factory.mktemp('sources')
        copy_packaged(directory, version)
        done = subprocess.run(command(directory / 'tools/rpm'), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        made[version], = (directory / 'dist').glob('*.noarch.rpm')
    return made


def try_rpm(system, *args):
    """Install or remove packages. Return rpm's exit code and its output.

    Its database does not have Debian's packages."""
    return system.try_rpm('--nodeps', *args)


def rpm(system, *args):
    """Install or remove packages, without a complaint. Return the output."""
    code, output = try_rpm(system, *args)
    assert code == 0 and not complaints(output), output
    return output


def check_installed(system, version):
    """This version is installed, and no other one is left anywhere."""
    status = system.sh('dkms status').splitlines()
    assert len(status) == 1 and re.search(
        rf'{re.escape(version)}, {re.escape(system.release)}.*: installed', status[0]), status
    assert system.sh(f'modinfo -k {system.release} -F version {NAME}').strip() == version
    assert system.sh('ls -d /usr/src/virtio-balloon-*').split() == [
        f'/usr/src/virtio-balloon-{version}']
    assert system.try_rpm('-q', 'virtio-balloon-dkms')[1].strip() == (
        f'virtio-balloon-dkms-{version}-1.noarch')


def check_removed(system):
    assert system.sh('dkms status') == ''
    assert system.sh('find / -xdev -name "*virtio-balloon*" ! -path "/usr/local/*"') == ''
    assert system.sh(f'find /lib/modules -path "*updates*{NAME}*"') == ''


def test_install(system, packages):
    system.stock = system.sh(stock(system.release))
    rpm(system, '-i', packages[VERSION])
    check_installed(system, VERSION)
    rpm(system, '-V', 'virtio-balloon-dkms')


def test_reinstall(system, packages):
    """The scriptlets run in the order of an upgrade, and the version is the same."""
    rpm(system, '-U', '--replacepkgs', packages[VERSION])
    check_installed(system, VERSION)


@pytest.mark.parametrize('version', [LATER, VERSION], ids=['upgrade', 'downgrade'])
def test_other_version(system, packages, version):
    rpm(system, '-U', '--oldpackage', packages[version])
    check_installed(system, version)


def test_remove(system):
    rpm(system, '-e', 'virtio-balloon-dkms')
    check_removed(system)
    assert system.sh(stock(system.release)) == system.stock


@pytest.mark.parametrize('kernel, without, reason', [
    (TOO_NEW, '', 'Look for a newer version'),
    ('6.6.6-cloud', '(MEMORY_)?BALLOON', 'configured without CONFIG_MEMORY_BALLOON')],
    ids=['too_new', 'no_core'])
def test_other_kernel(system, packages, kernel, without, reason):
    """The kernels that the driver does not support are passed over with the reason."""
    other_kernel(system, kernel)
    system.sh(f'touch /lib/modules/{kernel}/modules.dep')
    if without:
        leave_out(system, kernel, without)
    output = rpm(system, '-i', packages[VERSION])
    assert f'not built for kernel {kernel}' in output and reason in output
    check_installed(system, VERSION)
    rpm(system, '-e', 'virtio-balloon-dkms')
    system.sh(f'rm -r /lib/modules/{kernel}')
    check_removed(system)


def test_without_headers(system, packages):
    """The package is installed without headers, and names the command for each kernel."""
    other = '5.14.0-503.11.1.el9_5.x86_64'
    build = f'/lib/modules/{system.release}/build'
    system.sh(f'mv {build} /root/build && '
              f'mkdir /lib/modules/{other} && touch /lib/modules/{other}/modules.dep')
    output = rpm(system, '-i', packages[VERSION])
    assert f'not built for kernel {system.release}, whose headers are missing' in output
    assert f'apt install linux-headers-{system.release}' in output
    assert f'dnf install kernel-devel-{other}' in output
    assert ': installed' not in system.sh('dkms status')
    # The package of the headers runs this on Debian. EL and Fedora have a hook like it.
    system.sh(f'mv /root/build {build} && rm -r /lib/modules/{other} && '
              f'run-parts --arg={system.release} /etc/kernel/header_postinst.d')
    check_installed(system, VERSION)
    rpm(system, '-e', 'virtio-balloon-dkms')
    check_removed(system)


def test_not_compiled(system, packages):
    """If the compiler fails, this is said, and the package can be removed all the same."""
    system.sh('mv /usr/bin/make /root')
    code, output = try_rpm(system, '-i', packages[VERSION])
    system.sh('mv /root/make /usr/bin')
    assert code == 0 and f'could not be built for kernel {system.release}' in output, output
    rpm(system, '-e', 'virtio-balloon-dkms')
    check_removed(system)
    assert system.sh(stock(system.release)) == system.stock


def test_over_make_install(system, packages):
    """The package is not installed over what make install has left."""
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    before = system.sh('dkms status')
    code, output = try_rpm(system, '-i', packages[VERSION])
    assert code != 0 and 'make uninstall' in output, output
    assert system.sh('dkms status') == before
    assert system.try_rpm('-q', 'virtio-balloon-dkms')[0] != 0
    # The command that it suggests removes that.
    system.sh(re.search(r'^  (dkms remove .*)', output, re.M)[1])
    rpm(system, '-i', packages[VERSION])
    check_installed(system, VERSION)
    rpm(system, '-e', 'virtio-balloon-dkms')
    check_removed(system)
