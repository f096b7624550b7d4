# SPDX-License-Identifier: GPL-2.0-only
"""A system with a kernel that has the driver built in, and with one that has it as a module.

Ours is installed for both, loaded by udev, and removed. The tests are the steps of this, in their
order. Debian has no kernel with the driver built in, so it is one of ours: tests/check-takeover
runs this file."""

import re
import subprocess

import pytest

import test_install
from common.guest import BUILTIN, DEVICE, MIB
from common.lab import BUILT_IN, build_kernel, release as release_of
from common.project import VERSION
from common.stat_names import FIRST_TEN, NAMES
from system import CLONE
from test_install import NAME, TAKEOVER, complaints

SIZE = 800 * MIB
# What QEMU notes when the guest says how large its balloon is.
SIZE_EVENT = 'virtio_balloon_set_config'


@pytest.fixture(scope='module', params=[
    pytest.param('debian-12', marks=pytest.mark.xdist_group('takeover'))])
def name(request):
    return request.param


def run_hooks(system, release):
    """What apt runs when this kernel and its headers come."""
    system.sh(f'''
        run-parts --arg={release} --arg=/boot/vmlinuz-{release} /etc/kernel/postinst.d
        run-parts --arg={release} /etc/kernel/header_postinst.d''')


@pytest.fixture(scope='module')
def release(system):
    """The release of a kernel with the driver built in, which is installed with its headers."""
    tree = build_kernel(*BUILT_IN)
    release = release_of(tree)
    headers = f'/usr/src/linux-headers-{release}'

    def unpack(where, *names):
        tar = subprocess.run(['tar', '-C', tree, '-c', *names],
                             stdout=subprocess.PIPE, check=True).stdout
        system.sh(f'mkdir -p {where} && tar -C {where} -x --no-same-owner', tar)

    unpack(headers, '.config', 'Module.symvers', 'Makefile', 'System.map', 'include', 'scripts',
           'arch', 'tools')
    unpack('/', f'lib/modules/{release}')
    unpack('/boot', 'bzImage')
    # The kernel can read an initramfs that gzip has packed.
    system.sh(f'''
        ln -s {headers} /lib/modules/{release}/build
        mv /boot/bzImage /boot/vmlinuz-{release}
        cp {headers}/.config /boot/config-{release}
        depmod {release}
        mkdir -p /etc/initramfs-tools/conf.d
        echo COMPRESS=gzip >/etc/initramfs-tools/conf.d/compress''')
    run_hooks(system, release)
    return release


@pytest.fixture
def transcript(record_property):
    """Record what an administrator sees."""
    return lambda title, text: record_property('transcript', f'{title}\n{text}')


@pytest.fixture
def say_status(transcript):
    def say(guest, title):
        said = guest.sh(f'make -s -C {CLONE} status')
        transcript(f'make status, {title}', said)
        return said
    return say


def check_driver(guest, name, tags):
    driver = guest.sh(f'basename $(readlink {DEVICE}/driver)')
    assert driver.strip() == name
    assert set(guest.stats()) == set(tags)


def check_ours(guest, said):
    check_driver(guest, TAKEOVER, NAMES)
    assert guest.read(f'/sys/module/{TAKEOVER}/version') == VERSION
    assert f'loaded:     ours, version {VERSION}' in said
    assert 'ours has it, as long as it is loaded' in said


def check_builtin(guest, said):
    check_driver(guest, BUILTIN, FIRST_TEN)
    assert 'loaded:     the stock driver, built into the kernel' in said
    assert 'the built-in driver has it' in said


def test_before(state, release, say_status):
    guest = state.boot(release=release)
    assert guest.sh('uname -r').strip() == release
    check_builtin(guest, say_status(guest, 'before it is installed'))
    # What is installed now goes to another disk.
    state.stop()
    state.disk = None


def test_upgrade(system, release):
    """It is installed for Debian's kernel, where the stock driver is a module. Another comes."""
    system.sh(f'make -C {CLONE} install KVER={system.release}')
    assert system.installed(system.release) == [NAME]
    run_hooks(system, release)
    assert system.installed(release) == [TAKEOVER]
    # And back: each kernel keeps its own.
    run_hooks(system, system.release)
    assert system.installed(system.release) == [NAME]


def boot_as_the_host_sees_it(state, release, transcript, title, **options):
    """Boot with a target from power-on. Record what the guest is left with in each second.

    Returns the guest, and how often it had all of its memory again after some was taken."""
    guest = state.boot(release=release, target=SIZE, events=(SIZE_EVENT, 'virtio_set_status'),
                       **options)
    guest.wait_for(lambda: guest.try_sh(f'test -d /sys/module/{TAKEOVER}')[0] == 0, what='module')
    guest.wait_log('taken over|not started')
    guest.wait_actual(SIZE)
    noted = guest.noted()
    start = noted[0][0]
    sizes = [(0, guest.memory)]
    sizes += [(when - start, guest.memory - int(re.search(r'actual: (\d+)', said)[1]) * 4096)
              for when, event, said in noted if event == SIZE_EVENT]
    lines = []
    for second in range(1, int(sizes[-1][0]) + 2):
        # With what it was before: it may change twice within a second.
        seen = [size // MIB for when, size in sizes if when < second - 1][-1:]
        seen += [size // MIB for when, size in sizes if second - 1 <= when < second]
        lines.append(f'{second:3} s  {min(seen):5} to {max(seen):5} MiB, then {seen[-1]:5}')
    lines += re.findall(rf'^\[.*(?:{BUILTIN}|virtio\d).*$', guest.log(), re.M)
    transcript(f'what the guest is left with in each second from power-on, target {SIZE // MIB} '
               f'MiB: {title}', '\n'.join(lines))
    return guest, sum(old < new == guest.memory for (_, old), (_, new) in zip(sizes, sizes[1:]))


def test_loaded_by_udev(state, release, transcript, say_status):
    """The built-in driver inflates first, since the system takes seconds to load ours."""
    guest, given_back = boot_as_the_host_sees_it(state, release, transcript, 'loaded by udev')
    check_ours(guest, say_status(guest, 'installed'))
    assert given_back == 1


def test_unloaded(guest, say_status):
    guest.sh(f'modprobe -r {TAKEOVER}')
    check_builtin(guest, say_status(guest, 'after modprobe -r'))
    guest.wait_actual(SIZE)
    guest.sh(f'make -C {CLONE} activate')
    check_ours(guest, say_status(guest, 'after make activate'))
    guest.wait_actual(SIZE)


def test_initramfs(state, system, release, transcript):
    system.sh(f'echo {TAKEOVER} >>/etc/initramfs-tools/modules; update-initramfs -u -k {release}')
    guest, _ = boot_as_the_host_sees_it(state, release, transcript, 'loaded from the initramfs')
    check_driver(guest, TAKEOVER, NAMES)


def test_blacklist(state, release, transcript):
    """With both, the built-in driver never has the device."""
    guest, given_back = boot_as_the_host_sees_it(
        state, release, transcript,
        'loaded from the initramfs, with initcall_blacklist=virtio_balloon_driver_init',
        append='initcall_blacklist=virtio_balloon_driver_init')
    check_driver(guest, TAKEOVER, NAMES)
    assert not given_back


def test_other_kernel(state, system):
    """On Debian's kernel it replaces the stock module, as ever."""
    guest = state.boot()
    test_install.check_ours(guest, system.release)
    check_driver(guest, NAME, NAMES)


def test_remove(state, system, release, say_status):
    system.sh(f'sed -i /{TAKEOVER}/d /etc/initramfs-tools/modules; update-initramfs -u -k {release}')
    guest = state.boot(release=release)
    check_ours(guest, say_status(guest, 'before it is removed'))
    output = guest.sh(f'make -C {CLONE} uninstall', timeout=900)
    assert not complaints(output), output
    assert 'still loaded' in output
    guest.sh(f'make -C {CLONE} activate')
    check_builtin(guest, say_status(guest, 'after make uninstall and make activate'))
    state.reboot()
    check_builtin(guest, say_status(guest, 'after make uninstall and a reboot'))
    assert guest.sh('find /lib/modules /usr/src /var/lib/dkms -path "*virtio-balloon*" '
                    '-o -path "*updates*balloon*"') == ''
