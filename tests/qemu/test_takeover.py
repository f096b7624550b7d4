# SPDX-License-Identifier: GPL-2.0-only
"""On a kernel that has the driver built in: ours takes the devices over, and hands them back.

The guest has a driver that works at any time."""

import dataclasses
import pathlib
import random
import re
import shutil
import subprocess

import pytest

from common.guest import BUILTIN, EVERYTHING, FIRST_WITH_PRESSURE, MIB
from common.pci import PULLABLE, RESET
from common.stat_names import FIRST_TEN, NAMES
from test_failing import prepare

pytestmark = [pytest.mark.ours, pytest.mark.option('VIRTIO_BALLOON')]

SIZE, SMALL = 320 * MIB, 160 * MIB
# The name of the driver that has the balloon device, or nothing.
OWNER = '''for device in /sys/bus/virtio/devices/*; do
    [ -e $device ] && [ "$(cat $device/device)" = 0x0005 ] || continue
    [ ! -e $device/driver ] || basename "$(readlink $device/driver)"
done'''


def owner(guest):
    return guest.sh(OWNER).strip()


def total(guest):
    return guest.meminfo()['MemTotal']


def hand_back(guest):
    """Unload our driver, and leave the target as it is."""
    guest.sh(f'rmmod {guest.lab.module}')


def check_ours(guest):
    assert owner(guest) == guest.lab.module
    assert set(guest.stats()) == set(NAMES)


def check_builtin(guest):
    assert owner(guest) == BUILTIN
    assert set(guest.stats()) == set(NAMES if guest.lab.kernel() >= FIRST_WITH_PRESSURE
                                     else FIRST_TEN)


def check_both(guest, before):
    """Whatever was done to them, both drivers work, and no page is lost."""
    guest.load()
    guest.wait_actual(SIZE)
    check_ours(guest)
    hand_back(guest)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    check_builtin(guest)
    assert total(guest) == before


def bound(guest):
    """The name of the device that the built-in driver has."""
    return guest.sh(f'basename /sys/bus/virtio/drivers/{BUILTIN}/virtio*').strip()


def while_inflating(guest, cmd):
    """Set the target, and run a command in the guest when some memory has gone, but not all."""
    less = (total(guest) - 16 * MIB) >> 10
    sent = guest.send(f'until read -r _ total _ </proc/meminfo && [ "$total" -lt {less} ]; do :; '
                      f'done; {cmd}')
    guest.balloon(SMALL)
    code, output = guest.result(sent)
    assert code == 0, output


@pytest.mark.parametrize('balloon', [{}, EVERYTHING], ids=['plain', 'everything'])
@pytest.mark.parametrize('state', ['empty', 'inflated'])
def test_take_over(boot, state, balloon, outcome):
    """The balloon has the size that the host wants, with each driver, and no page is lost."""
    guest = boot(balloon=balloon)
    before = total(guest)
    size = guest.memory if state == 'empty' else SIZE
    # With deflate-on-oom, pages in the balloon count as the guest's.
    missing = 0 if balloon else guest.memory - size
    hog = guest.hog(64)
    guest.balloon(size)
    guest.wait_actual(size)
    check_builtin(guest)
    features = guest.features()

    guest.load()
    guest.wait_log('taken over from the built-in driver')
    guest.wait_actual(size)
    assert total(guest) == before - missing
    assert guest.features() == features
    check_ours(guest)

    hand_back(guest)
    guest.wait_log('handed back to the built-in driver')
    guest.wait_actual(size)
    assert total(guest) == before - missing
    check_builtin(guest)

    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    assert total(guest) == before
    hog.verify()
    outcome(f'loaded, balloon {state}{", all features" if balloon else ""}',
            'taken over, and handed back when unloaded')


def test_while_inflating(boot, outcome):
    guest = boot()
    before = total(guest)
    while_inflating(guest, f'modprobe {guest.lab.module}')
    guest.wait_actual(SMALL)
    check_ours(guest)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)

    while_inflating(guest, f'rmmod {guest.lab.module}')
    guest.wait_actual(SMALL)
    check_builtin(guest)
    assert total(guest) == before - (guest.memory - SMALL)
    outcome('loaded, or unloaded, while the balloon inflates',
            'the other driver goes on to the same size')


def test_moving_target(boot, outcome):
    """60 times in a row, while the host changes its mind and the guest uses its memory."""
    guest = boot()
    before = total(guest)
    hog = guest.hog(96)
    hog.churn()
    guest.sh(f'''(
        i=0
        while [ $i -lt 60 ] && modprobe {guest.lab.module} && rmmod {guest.lab.module}; do
            i=$((i + 1))
        done
        echo $i >/tmp/times.new
        mv /tmp/times.new /tmp/times
    ) >/dev/null 2>&1 &''')
    rng = random.Random(7)

    def ended():
        guest.balloon(rng.randrange(SMALL, guest.memory, guest.page))
        return guest.try_sh('test -e /tmp/times')[0] == 0

    guest.wait_for(ended, 300, '60 times')
    assert guest.read('/tmp/times') == '60'
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    assert total(guest) == before - (guest.memory - SIZE)
    hog.verify()
    check_builtin(guest)
    outcome('loaded and unloaded 60 times, the target moving', 'no page is lost')


def test_hot_plug(boot, outcome):
    guest = boot(balloon=None, ports=1, accel='tcg,thread=single')
    guest.load()
    assert owner(guest) == ''
    guest.plug()
    guest.wait_for(lambda: owner(guest), what='driver')
    check_ours(guest)
    hand_back(guest)
    check_builtin(guest)
    guest.load()
    check_ours(guest)
    guest.unplug()
    hand_back(guest)
    guest.plug()
    guest.wait_for(lambda: owner(guest), what='driver')
    check_builtin(guest)
    outcome('there is no device', 'loaded')
    outcome('a device is plugged in while it is loaded', 'it is ours')


def test_unbound_device(boot, outcome):
    """Somebody has taken the device away from the built-in driver before."""
    guest = boot()
    device = bound(guest)
    guest.sh(f'echo {device} >/sys/bus/virtio/drivers/{BUILTIN}/unbind')
    assert owner(guest) == ''
    guest.load()
    check_ours(guest)
    hand_back(guest)
    check_builtin(guest)
    outcome('a device has no driver', 'it is ours, and the built-in driver\'s afterwards')


@pytest.fixture
def lab_with_other(lab, pytestconfig, tmp_path):
    """The lab, with a module other.ko in the guest, which is a third driver of balloons.

    It is ours by another name."""
    build = tmp_path / 'build'
    shutil.copytree(pathlib.Path(pytestconfig.getoption('module')).parent, build)
    made = subprocess.run(['make', '-C', pytestconfig.getoption('kernel'), f'M={build}',
                           'balloon-module=other', 'modules'],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    archive = subprocess.run(['cpio', '--quiet', '-o', '-H', 'newc'], cwd=build, check=True,
                             input=b'other.ko\n', stdout=subprocess.PIPE).stdout
    initramfs = tmp_path / 'initramfs'
    # The kernel unpacks one archive after the other.
    initramfs.write_bytes(pathlib.Path(lab.initramfs).read_bytes() + archive)
    return dataclasses.replace(lab, initramfs=initramfs)


def test_third_driver(boot, lab_with_other, outcome):
    """A device that neither the built-in driver nor ours has is left alone."""
    guest = boot(lab=lab_with_other)
    device = bound(guest)
    guest.sh('insmod /other.ko take_over=0; '
             f'echo {device} >/sys/bus/virtio/drivers/{BUILTIN}/unbind; '
             f'echo {device} >/sys/bus/virtio/drivers/other/bind')
    guest.load()
    guest.wait_log('left to the driver other')
    assert owner(guest) == 'other'
    hand_back(guest)
    assert owner(guest) == 'other'
    outcome('a third driver has the device', 'it is left alone')


def test_parameter(boot, outcome):
    guest = boot()
    guest.load(take_over=0)
    guest.wait_log('take_over=0: the built-in driver keeps its devices')
    check_builtin(guest)
    # An administrator can give it the device.
    device = bound(guest)
    guest.sh(f'echo {device} >/sys/bus/virtio/drivers/{BUILTIN}/unbind; '
             f'echo {device} >/sys/bus/virtio/drivers/{guest.lab.module}/bind')
    check_ours(guest)
    hand_back(guest)
    check_builtin(guest)
    outcome('`take_over=0`', 'the built-in driver keeps the device')


def test_second_load(boot, outcome):
    guest = boot()
    guest.load()
    guest.sh(f'modprobe {guest.lab.module}')
    file = module_file(guest)
    code, output = guest.try_sh(f'insmod {file}')
    assert code != 0 and 'File exists' in output
    check_ours(guest)
    outcome('loaded a second time', 'nothing changes')


def module_file(guest):
    return guest.sh(f'find /lib/modules -name {guest.lab.module}.ko').strip()


def test_not_started(boot, outcome):
    """The administrator has kept the built-in driver from starting."""
    guest = boot(append='initcall_blacklist=virtio_balloon_driver_init')
    assert owner(guest) == ''
    guest.load()
    guest.wait_log('the built-in driver was not started')
    check_ours(guest)
    hand_back(guest)
    assert owner(guest) == ''
    outcome('`initcall_blacklist=virtio_balloon_driver_init`',
            'it is ours from the beginning, and has no driver afterwards')


def test_dead_device(boot, outcome):
    """The built-in driver would hang for ever. So nothing is taken from it."""
    guest = boot(balloon={'bus': 'port0'}, ports=1, qemu_args=PULLABLE)
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    guest.sh(f'echo 1 >{RESET}')
    code, output = guest.try_sh(f'modprobe {guest.lab.module}', 10)
    assert code != 0 and ('I/O error' in output or 'Input/output error' in output), output
    guest.wait_log('the device is dead .*: nothing is taken over')
    assert owner(guest) == BUILTIN
    assert guest.try_sh(f'test -d /sys/module/{guest.lab.module}')[0]
    # This shows that it would.
    device = bound(guest)
    pid = guest.sh(f'echo {device} >/sys/bus/virtio/drivers/{BUILTIN}/unbind & echo $!').strip()
    guest.wait_for(lambda: guest.sh(f'cut -d" " -f3 /proc/{pid}/stat') == 'D\n', what='hang')
    guest.qmp.cmd('stop')
    outcome('the device is dead', 'refused at once (-EIO)')


@pytest.mark.option('FAULT_INJECTION')
def test_failing(boot, outcome):
    """Each allocation of loading fails once. There is always a driver that works."""
    guest = boot(balloon={**EVERYTHING, 'vectors': 0})
    before = total(guest)
    prepare(guest)
    # What loading said, and which driver had the device then, a line each.
    lines = guest.sh(f'''
        owner() {{
            {OWNER}
        }}
        n=0 left=0
        while [ $left = 0 ]; do
            n=$((n + 1))
            set -- $(loadfail {module_file(guest)} $n)
            left=$2
            loaded=$(owner)
            [ $1 != 0 ] || rmmod {guest.lab.module} || exit
            echo "$1 $loaded $(owner)"
        done''', 600).splitlines()
    outcomes = [tuple(line.split()) for line in lines]
    seen = {(said == '0', *drivers) for said, *drivers in outcomes}
    # Loading fails, or our probe does, or nothing that is needed.
    assert seen == {(False, BUILTIN, BUILTIN), (True, BUILTIN, BUILTIN),
                    (True, guest.lab.module, BUILTIN)}
    # Where it had no memory for the module's code, the kernel shows who asked for it. Where it had
    # none for a directory of the driver, it later finds a link that it did not remove.
    guest.console.write_text(re.sub(
        r'((?:vmalloc error|cannot create duplicate filename).*\n.*\n.*)Call Trace', r'\1',
        guest.log()))
    assert 'not taken over: the built-in driver has it again' in guest.log()
    assert 'the built-in driver is away until this module is unloaded' in guest.log()
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    check_builtin(guest)
    check_both(guest, before)
    outcome('its probe fails, for lack of memory', 'the built-in driver has the device again')


def test_bind_and_unbind(boot, outcome):
    """20 times, while somebody binds and unbinds the device by hand."""
    guest = boot()
    before = total(guest)
    device = bound(guest)
    pid = guest.sh(f'''while :; do
        for driver in {BUILTIN} {guest.lab.module}; do
            echo {device} >/sys/bus/virtio/drivers/$driver/unbind
            echo {device} >/sys/bus/virtio/drivers/$driver/bind
        done
    done >/dev/null 2>&1 & echo $!''').strip()
    guest.balloon(SIZE)
    for _ in range(20):
        guest.load()
        hand_back(guest)
    guest.sh(f'kill {pid}')
    guest.wait_for(lambda: guest.try_sh(f'test -d /proc/{pid}')[0], what='end of the loop')
    check_both(guest, before)
    outcome('the device is bound and unbound by hand at the same time', 'no page is lost')
