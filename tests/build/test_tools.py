# SPDX-License-Identifier: GPL-2.0-only
"""The scripts of tools/ and of the package, in situations where they cannot do their work."""

import re

import pytest

from common.project import TOP, VERSION
from conftest import in_namespace, run

TOOLS = TOP / 'tools'
TREE = f'/usr/src/virtio-balloon-{VERSION}'
STOCK = '/lib/modules/6.1.0-9-test/kernel/drivers/virtio/virtio_balloon.ko'
STORED = '/var/lib/dkms/virtio-balloon/original_module/6.1.0-9-test/x86_64/virtio_balloon.ko.xz'


@pytest.mark.parametrize('kernel, flavour', [
    # All flavours of Debian 12 and 13, in the forms that Debian's releases have had.
    ('6.1.0-56-amd64', 'amd64'), ('6.1.0-56-cloud-amd64', 'cloud-amd64'),
    ('6.1.0-56-rt-amd64', 'rt-amd64'), ('6.12.48+deb13-arm64', 'arm64'),
    ('6.12.48+deb13-arm64-16k', 'arm64-16k'), ('6.12.48+deb13-cloud-arm64', 'cloud-arm64'),
    ('7.3.4+deb13-rt-arm64', 'rt-arm64'), ('5.10.0-30-armmp', 'armmp'),
    ('5.10.0-30-armmp-lpae', 'armmp-lpae'), ('6.12.48+deb13-rt-armmp', 'rt-armmp'),
    ('6.12.48+deb13-rpi', 'rpi'), ('6.12.48+deb13-powerpc64le', 'powerpc64le'),
    ('6.12.48+deb13-powerpc64le-64k', 'powerpc64le-64k'), ('6.12.48+deb13-riscv64', 'riscv64'),
    ('6.1.0-56-s390x', 's390x'), ('6.1.0-56-686-pae', '686-pae'),
    ('5.10.0-0.deb10.16-amd64', 'amd64'), ('6.12.9+bpo-cloud-amd64', 'cloud-amd64'),
    ('6.17.8-amd64', 'amd64'), ('7.3-amd64', 'amd64'), ('7.2.13+deb14-rt-amd64', 'rt-amd64'),
    # It is not known which packages other systems have.
    ('5.15.0-91-generic', None), ('6.8.12-1-pve', None), ('6.6.6-cloud', None),
    ('6.18.44', None), ('6.18.44-amd64-of-mine', None), ('6.5.0-kali3-amd64', None)])
def test_headers(kernel, flavour):
    expected = f'linux-headers-{kernel}' + (f' linux-headers-{flavour}' if flavour else '')
    assert run('sh', TOOLS / 'headers', kernel) == (0, expected + '\n')


@pytest.mark.parametrize('kernel, package', [
    ('5.14.0-503.11.1.el9_5.x86_64', 'kernel-devel-5.14.0-503.11.1.el9_5.x86_64'),
    ('6.12.0-55.el10.aarch64+64k', 'kernel-64k-devel-6.12.0-55.el10.aarch64'),
    ('6.12.0-55.el10.x86_64+rt', 'kernel-rt-devel-6.12.0-55.el10.x86_64'),
    ('6.12.0-55.el10.x86_64+rt-debug', 'kernel-rt-debug-devel-6.12.0-55.el10.x86_64'),
    ('5.14.0-70.13.1.rt21.83.el9_0.x86_64',
     'kernel-rt-devel-5.14.0-70.13.1.rt21.83.el9_0.x86_64'),
    ('5.15.0-100.96.32.el9uek.x86_64', 'kernel-uek-devel-5.15.0-100.96.32.el9uek.x86_64'),
    ('6.11.4-301.fc41.x86_64', 'kernel-devel-6.11.4-301.fc41.x86_64'),
    ('6.11.4-301.fc41.x86_64+debug', 'kernel-debug-devel-6.11.4-301.fc41.x86_64')])
def test_headers_of_rpms(kernel, package):
    """EL and Fedora have other names for the packages, and another command."""
    assert run('sh', TOOLS / 'headers', kernel) == (0, f'{package}\n')
    assert run('sh', TOOLS / 'headers', '--command', kernel) == (0, f'dnf install {package}\n')


def test_headers_asked_for_by_dnf(fakes):
    """make and make install name the command of the kernel's distribution."""
    fakes['uname'] = 'echo 5.14.0-9.el9.x86_64'
    fakes['dkms'] = ''
    fakes['dpkg-query'] = 'exit 1'
    fakes['rpm'] = 'exit 1'
    wanted = 'dnf install kernel-devel-5.14.0-9.el9.x86_64\n'
    code, output = run('make', '-C', TOP, 'KDIR=/nowhere', PATH=fakes.path)
    assert code != 0 and wanted in output
    code, output = in_namespace('mount -t tmpfs tmpfs /lib/modules; sh "$1"', TOOLS / 'install',
                                PATH=fakes.path)
    assert code != 0 and wanted in output


def test_headers_asked_for(fakes):
    """make, make install and the package name the headers to install where they are missing."""
    fakes['uname'] = 'echo 6.1.0-9-cloud-amd64'
    fakes['dkms'] = ''
    fakes['dpkg-query'] = 'exit 1'
    wanted = 'apt install linux-headers-6.1.0-9-cloud-amd64 linux-headers-cloud-amd64'
    code, output = run('make', '-C', TOP, 'KDIR=/nowhere', PATH=fakes.path)
    assert code != 0 and wanted in output
    code, output = in_namespace('mount -t tmpfs tmpfs /lib/modules; sh "$1"', TOOLS / 'install',
                                PATH=fakes.path)
    assert code != 0 and wanted in output
    # The package names those of all kernels that it finds.
    fakes['dpkg-query'] = 'printf 1'
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /lib/modules
        mkdir /lib/modules/6.1.0-9-cloud-amd64 /lib/modules/6.1.0-9-rt-amd64
        touch /lib/modules/6.1.0-9-cloud-amd64/modules.dep /lib/modules/6.1.0-9-rt-amd64/modules.dep
        mount -t tmpfs tmpfs /usr/src
        mkdir /usr/src/virtio-balloon-1
        cp -r "$1" /usr/src/virtio-balloon-1
        sh "$2" configure
        ''', TOOLS, TOP / 'debian/virtio-balloon-dkms.postinst', PATH=fakes.path)
    assert code == 0 and wanted in output and 'rt-amd64 linux-headers-rt-amd64' in output


@pytest.mark.parametrize('tool', ['install', 'uninstall'])
@pytest.mark.parametrize('dpkg, rpm, command', [
    ('printf installed', 'exit 1', 'apt purge'), ('printf half-configured', 'exit 1', 'apt purge'),
    ('printf unpacked', 'exit 1', 'apt purge'), ('exit 127', '', 'dnf remove')],
    ids=['installed', 'half-configured', 'unpacked', 'rpm'])
def test_packaged(fakes, tool, dpkg, rpm, command):
    """The files of a package are not touched. The command that removes it is named."""
    fakes['dkms'] = ''
    fakes['dpkg-query'] = dpkg
    fakes['rpm'] = rpm
    code, output = in_namespace(f'''
        mount -t tmpfs tmpfs /usr/src; mkdir {TREE}; touch {TREE}/dkms.conf
        sh "$1" && status=0 || status=$?
        test -e {TREE}/dkms.conf; exit $status
        ''', TOOLS / tool, PATH=fakes.path)
    assert code == 1 and f'{command} virtio-balloon-dkms' in output, output
    assert [call for call in fakes.calls() if call.startswith('dkms')] == []


@pytest.mark.parametrize('state', ['exit 1', 'printf config-files', 'printf not-installed'])
def test_not_packaged(fakes, state):
    """uninstall works where the package is not installed."""
    fakes['dkms'] = f'echo virtio-balloon/{VERSION}'
    fakes['dpkg-query'] = state
    code, output = in_namespace(f'''
        mount -t tmpfs tmpfs /usr/src; mkdir {TREE}
        sh "$1"; ! test -e {TREE}
        ''', TOOLS / 'uninstall', PATH=fakes.path)
    assert code == 0, output
    assert f'dkms remove -m virtio-balloon -v {VERSION} --all' in fakes.calls()


@pytest.mark.parametrize('owned', [True, False])
def test_preinst(fakes, owned):
    """The package does not mix its files with those of make install."""
    fakes['dpkg-query'] = f'exit {int(not owned)}'
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /usr/src; mkdir /usr/src/virtio-balloon-0.0.9
        touch /usr/src/virtio-balloon-0.0.9/dkms.conf
        sh "$1" install
        ''', TOP / 'debian/virtio-balloon-dkms.preinst', PATH=fakes.path)
    if owned:
        assert (code, output) == (0, '')
    else:
        assert code == 1 and 'make uninstall' in output
        assert 'dkms remove -m virtio-balloon -v 0.0.9 --all; ' \
               'rm -r /usr/src/virtio-balloon-0.0.9' in output


@pytest.mark.parametrize('packages, allowed', [('1', False), ('2', True)])
def test_pre(packages, allowed):
    """So does the RPM. On an upgrade, the sources there are those of the old package."""
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /usr/src; mkdir /usr/src/virtio-balloon-0.0.9
        touch /usr/src/virtio-balloon-0.0.9/dkms.conf
        sh "$1" "$2"
        ''', TOP / 'rpm/pre', packages)
    if allowed:
        assert (code, output) == (0, '')
    else:
        assert code == 1 and 'make uninstall' in output
        assert 'dkms remove -m virtio-balloon -v 0.0.9 --all; ' \
               'rm -r /usr/src/virtio-balloon-0.0.9' in output


def activate(fakes, stock, insmod=''):
    """Run activate on a kernel that refuses our module. Return what it says and does."""
    fakes['uname'] = 'echo 6.1.0-9-test'
    fakes['modprobe'] = '''case $1 in
        -r) rm -r /sys/module/virtio_balloon ;;
        virtio_balloon) echo "Key was rejected by service" >&2; exit 1 ;;
        esac'''
    fakes['modinfo'] = '''case $* in
        "-F depends "*) echo virtio,virtio_ring ;;
        "-n virtio_balloon") echo /lib/modules/new.ko ;;
        esac'''
    fakes['insmod'] = insmod or 'mkdir /sys/module/virtio_balloon; touch /sys/module/virtio_balloon/initstate'
    fakes['dkms'] = ''
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /sys/module
        mkdir /sys/module/virtio_balloon
        touch /sys/module/virtio_balloon/initstate
        mount -t tmpfs tmpfs /lib/modules
        mount -t tmpfs tmpfs /var/lib
        mkdir -p "$(dirname "$2")"
        touch "$2"
        sh "$1"
        ''', TOOLS / 'activate', stock, PATH=fakes.path)
    calls = [call for call in fakes.calls() if call.split()[0] in ('modprobe', 'insmod')]
    assert calls[:2] == ['modprobe -r virtio_balloon', 'modprobe virtio_balloon']
    return code, output, calls[2:]


@pytest.mark.parametrize('stock', [STOCK, STOCK + '.xz', STORED])
def test_activate_refused(fakes, stock):
    """The stock driver is loaded again, and the reason is said."""
    code, output, calls = activate(fakes, stock)
    assert calls == ['modprobe virtio', 'modprobe virtio_ring', f'insmod {stock}'], output
    assert code != 0
    assert re.search(rf'rejected by service\n.*did not take /lib/modules/new.ko.*\n'
                     rf'.*stock driver is loaded again, from {stock}\n', output), output
    assert 'loaded:     the stock driver' in output


def test_activate_nothing_left(fakes):
    code, output, calls = activate(fakes, STOCK, 'exit 1')
    assert calls[-1] == f'insmod {STOCK}'
    assert code != 0 and 'no balloon driver now' in output


def test_activate_no_stock(fakes):
    code, output, calls = activate(fakes, '/lib/modules/elsewhere')
    assert calls == [] and code != 0 and 'no balloon driver now' in output


BUILT_IN = '''
    mount -t tmpfs tmpfs /sys/module
    mkdir -p /sys/module/virtio_balloon_pressure/parameters
    touch /sys/module/virtio_balloon_pressure/initstate
    echo 1 >/sys/module/virtio_balloon_pressure/version
    echo N >/sys/module/virtio_balloon_pressure/parameters/take_over
    mount -t tmpfs tmpfs /lib/modules
    mkdir /lib/modules/6.1.0-9-test
    echo kernel/drivers/virtio/virtio_balloon.ko >/lib/modules/6.1.0-9-test/modules.builtin
    mount -t tmpfs tmpfs /sys/bus
    mkdir -p /sys/bus/virtio/devices/virtio0 /sys/bus/virtio/drivers/virtio_balloon
    mkdir -p "/sys/bus/virtio/drivers/$2"
    echo 0x0005 >/sys/bus/virtio/devices/virtio0/device
    echo 0100000000000000000000000000000010000000 >/sys/bus/virtio/devices/virtio0/features
    ln -s "../../drivers/$2" /sys/bus/virtio/devices/virtio0/driver
    sh "$1"
    '''


def built_in(fakes, tool, driver='virtio_balloon'):
    """Run a tool on a kernel that has the driver built in. Return what it says and does."""
    fakes['uname'] = 'echo 6.1.0-9-test'
    fakes['dkms'] = ''
    code, output = in_namespace(BUILT_IN, TOOLS / tool, driver, PATH=fakes.path)
    return code, output, [call for call in fakes.calls() if call.split()[0] != 'uname']


def test_activate_built_in(fakes):
    """The new module is loaded in place of the old one, which modprobe may not know any more."""
    fakes['modinfo'] = ''
    fakes['modprobe'] = ''
    fakes['rmmod'] = 'rm -r /sys/module/virtio_balloon_pressure'
    code, output, calls = built_in(fakes, 'activate')
    assert code == 0, output
    assert calls[:3] == ['rmmod virtio_balloon_pressure', 'modinfo -n virtio_balloon_pressure',
                         'modprobe virtio_balloon_pressure']


def test_activate_built_in_refused(fakes):
    fakes['modinfo'] = ''
    fakes['modprobe'] = 'exit 1'
    fakes['rmmod'] = 'rm -r /sys/module/virtio_balloon_pressure'
    code, output, _ = built_in(fakes, 'activate')
    assert code != 0 and 'the built-in driver has the devices' in output, output


def test_activate_built_in_removed(fakes):
    """After make uninstall there is no module, and the built-in driver has the devices."""
    fakes['modinfo'] = 'exit 1'
    fakes['modprobe'] = 'exit 1'
    fakes['rmmod'] = 'rm -r /sys/module/virtio_balloon_pressure'
    code, output, calls = built_in(fakes, 'activate')
    assert code == 0 and 'modprobe virtio_balloon_pressure' not in calls, output
    assert 'loaded:     the stock driver, built into the kernel' in output


@pytest.mark.parametrize('driver, said', [
    ('virtio_balloon', 'the built-in driver has it: take_over=0'),
    ('virtio_balloon_pressure', 'ours has it, as long as it is loaded'),
    ('other', 'other has it')])
def test_status_built_in(fakes, driver, said):
    fakes['modinfo'] = ''
    code, output, _ = built_in(fakes, 'status', driver)
    assert code == 0 and said in output, output
    assert 'which is built into the kernel' in output
