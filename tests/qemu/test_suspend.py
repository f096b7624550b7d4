# SPDX-License-Identifier: GPL-2.0-only
"""Suspend and hibernation: the balloon is emptied before, and filled again after."""

import contextlib
import time

import pytest

from common.guest import DEVICE, EVERYTHING, GuestError, MIB, TIMEOUT

CORRUPTION = 'pagealloc: memory corruption'
AWAKE = 'a request keeps a guest awake that is just suspending, if enabled'
UNCHANGED = 'suspend with page poison: free pages unchanged'
WAKEUP = f'{DEVICE}/power/wakeup'

# Only a PCI Express device below a root port can say that it keeps its state. QEMU runs the
# guest in one thread, since with two it fails an assertion (iotlb_to_section) when the devices
# wake up.
EXPRESS = {'bzimage': True, 'reboot': True, 'ports': 1, 'append': 'no_console_suspend',
           'accel': 'tcg,thread=single'}


@pytest.fixture
def sleeper(boot):
    """Start a guest that can be suspended to RAM."""
    def start(append='', **options):
        # The guest wakes up by a reset, so it must not end QEMU. A q35 suspends only once.
        return boot(bzimage=True, reboot=True, machine='pc',
                    append=f'no_console_suspend {append}', **options)
    return start


def fall_asleep(guest, left=None):
    """Suspend the guest. left is its size while it sleeps. The default is its full size."""
    sent = guest.send('echo mem >/sys/power/state')
    if guest.qmp.take_event('SUSPEND', TIMEOUT) is None:
        guest.fail('the guest did not suspend')
    # The driver has given these pages back on the way into suspend.
    assert guest.actual() == (left or guest.memory)
    return sent


def wake_up(guest, sent):
    guest.qmp.cmd('system_wakeup')
    code, output = guest.result(sent)
    assert code == 0, output


def trace_suspend(guest):
    guest.trace('virtio_device_freeze', 'virtio_device_restore',
                'page_reporting_process')


def fresh_report(guest):
    """Wait for a new report. The host has polled all the time."""
    now = int(time.time())
    guest.wait_for(lambda: guest.last_stats()[0] > now, what='fresh report')
    return guest.last_stats()[1]


def check_corrupted(guest):
    """The guest's kernel notices that free pages were changed, or crashes because of that."""
    with contextlib.suppress(GuestError):
        guest.wait_for(lambda: guest.hog(128).kill() or CORRUPTION in guest.log(),
                       what=CORRUPTION)
    # What the kernel says later belongs to the same fault.
    guest.qmp.cmd('stop')
    assert CORRUPTION in guest.log() or guest.splats()
    guest.console.write_text('')


@pytest.mark.option('PAGE_POISONING')
def test_suspend_with_everything(sleeper, lab, survives):
    options = dict(EVERYTHING)
    corrupts = lab.driver == 'stock' and lab.kernel() >= (6,)
    if lab.reports_asleep() and not corrupts:
        options['free-page-reporting'] = False
    guest = sleeper('page_poison=1', balloon=options)
    guest.load()
    assert ('VIRTIO_BALLOON_F_PAGE_POISON' in guest.features()) == lab.poisons()
    size = 320 * MIB
    guest.balloon(size)
    guest.wait_actual(size)
    before = guest.stats()
    total = guest.meminfo()['MemTotal']
    hog = guest.hog(64)
    trace_suspend(guest)
    guest.poll_stats(1)

    if corrupts:
        # The stock driver does not tell the device again which value free pages have, and the
        # host then discards pages that are reported. This shows when they are used.
        with contextlib.suppress(GuestError):
            wake_up(guest, fall_asleep(guest))
            assert guest.traced('virtio_device_freeze') == 1
            assert guest.traced('virtio_device_restore') == 1
        check_corrupted(guest)
        survives(UNCHANGED, False)
        return

    for n in 1, 2, 3:
        wake_up(guest, fall_asleep(guest))
        assert guest.traced('virtio_device_freeze') == n
        assert guest.traced('virtio_device_restore') == n
        guest.wait_actual(size)
        reported = guest.traced('page_reporting_process')
        assert set(fresh_report(guest)) == set(before)

    hog.verify()
    stats = guest.stats()
    assert stats['total-memory'] == guest.meminfo()['MemTotal'] == total
    if options['free-page-reporting']:
        guest.hog(64).kill()
        guest.wait_for(lambda: guest.traced('page_reporting_process') > reported,
                       what='free page reporting')
    # Now use each page of the guest.
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    guest.hog(300).verify()
    hog.verify()
    assert CORRUPTION not in guest.log()
    if lab.poisons():
        survives(UNCHANGED, True)
    guest.poll_stats(0)
    guest.unload()


@pytest.mark.parametrize('no_soft_reset', [False, True])
def test_suspend_of_a_device_that_keeps_its_state(boot, lab, no_soft_reset, shows):
    reporting = not lab.reports_asleep()
    guest = boot(**EXPRESS, balloon={'bus': 'port0', 'free-page-reporting': reporting,
                                     'x-pcie-pm-no-soft-reset': no_soft_reset})
    guest.load()
    total = guest.meminfo()['MemTotal']
    size = 384 * MIB
    guest.balloon(size)
    guest.wait_actual(size)
    hog = guest.hog(64)
    guest.trace('virtio_device_freeze', 'virtio_device_restore',
                'page_reporting_unregister', 'page_reporting_process')
    guest.poll_stats(1)

    asked = lab.asks_the_driver(no_soft_reset)
    wake_up(guest, fall_asleep(guest, left=guest.memory if asked else size))
    assert guest.traced('virtio_device_freeze') == int(asked)
    assert guest.traced('virtio_device_restore') == int(asked)
    if guest.lab.driver == 'ours':
        # mm's worker is not frozen, so it has to be kept from reporting to a device that sleeps.
        assert guest.traced('page_reporting_unregister') == 1

    guest.wait_actual(size)
    assert fresh_report(guest)['total-memory'] == total - (guest.memory - size)
    for size in 448 * MIB, 320 * MIB:
        guest.balloon(size)
        guest.wait_actual(size)
        assert guest.meminfo()['MemTotal'] == total - (guest.memory - size)
    if reporting:
        reported = guest.traced('page_reporting_process')
        guest.hog(128).kill()
        guest.wait_for(lambda: guest.traced('page_reporting_process') > reported,
                       what='free page reporting')
    hog.verify()
    guest.poll_stats(0)
    guest.unload()
    assert guest.meminfo()['MemTotal'] == total
    shows('suspend to RAM', True)


def test_target_of_a_sleeping_guest(boot, lab, survives):
    """The target changes while the guest sleeps, and the interrupt for it is lost.

    On newer kernels the device is not set up again on waking up, so the driver has to look."""
    guest = boot(**EXPRESS, balloon={'bus': 'port0', 'x-pcie-pm-no-soft-reset': True})
    guest.load()
    sent = fall_asleep(guest)
    size = 256 * MIB
    guest.balloon(size)
    wake_up(guest, sent)
    heard = lab.driver == 'ours' or lab.asks_the_driver(no_soft_reset=True)
    with contextlib.nullcontext() if heard else pytest.raises(GuestError):
        guest.wait_actual(size, TIMEOUT if heard else 10)
    survives('a target that changes while the guest sleeps', heard)


def test_suspend_while_the_target_changes(sleeper):
    guest = sleeper(memory=1024)
    guest.load()
    total = guest.meminfo()['MemTotal']
    hog = guest.hog(64)

    def check(size):
        guest.wait_actual(size)
        assert guest.meminfo()['MemTotal'] == total - (guest.memory - size)
        hog.verify()

    # The balloon is growing when the guest suspends. Meanwhile the target changes.
    guest.balloon(320 * MIB)
    sent = fall_asleep(guest)
    guest.balloon(384 * MIB)
    wake_up(guest, sent)
    check(384 * MIB)

    # The balloon is shrinking when the guest suspends.
    guest.balloon(896 * MIB)
    wake_up(guest, fall_asleep(guest))
    check(896 * MIB)

    # When the guest wakes up, the target is its full size.
    sent = fall_asleep(guest)
    guest.balloon(guest.memory)
    wake_up(guest, sent)
    check(guest.memory)

    # The work item is busy, and has to stop so that processes can be frozen.
    guest.balloon(320 * MIB)
    guest.wait_for(lambda: guest.actual() < guest.memory, what='inflation')
    wake_up(guest, fall_asleep(guest))
    check(320 * MIB)
    guest.balloon(384 * MIB)
    check(384 * MIB)
    guest.unload()
    assert guest.meminfo()['MemTotal'] == total


@pytest.mark.anywhere
@pytest.mark.sleeps
def test_suspend_to_idle(boot, shows):
    guest = boot(append='no_console_suspend')
    guest.load()
    total = guest.meminfo()['MemTotal']
    hog = guest.hog(64)
    size = 256 * MIB
    guest.balloon(size)
    guest.wait_actual(size)
    guest.poll_stats(1)
    # This test mode does without firmware: the kernel suspends and resumes by itself.
    guest.sh('echo devices >/sys/power/pm_test && '
             'echo 1 >/sys/module/suspend/parameters/pm_test_delay')
    sent = guest.send('echo freeze >/sys/power/state')
    guest.wait_actual(guest.memory)
    code, output = guest.result(sent)
    assert code == 0, output
    guest.wait_actual(size)
    assert guest.meminfo()['MemTotal'] == total - (guest.memory - size)
    assert fresh_report(guest)['total-memory'] == total - (guest.memory - size)
    guest.poll_stats(0)
    hog.verify()
    shows('suspend to idle', True)


def test_wakeup(sleeper, shows):
    guest = sleeper()
    guest.load()
    if guest.lab.driver == 'stock' and guest.lab.kernel() < (6, 12):
        # This driver cannot wake the guest, and has no file to allow that.
        assert guest.try_sh(f'test -e {WAKEUP}')[0]
        shows(AWAKE, False)
        return
    assert guest.sh(f'cat {WAKEUP}') == 'disabled\n'

    # A power manager reads this count, checks that nothing keeps the guest awake, writes the
    # count back, and suspends. The kernel refuses both steps if the count has changed since.
    def take():
        return guest.read('/sys/power/wakeup_count')

    def give(count):
        return not guest.try_sh(f'echo {count} >/sys/power/wakeup_count')[0]

    def resize(size):
        guest.balloon(size)
        guest.wait_actual(size)

    count = take()
    resize(256 * MIB)
    guest.stats()
    assert give(count)

    guest.sh(f'echo enabled >{WAKEUP}')
    count = take()
    resize(320 * MIB)
    assert not give(count)
    count = take()
    guest.stats()
    assert not give(count)
    assert give(take())
    resize(256 * MIB)
    assert guest.try_sh('echo mem >/sys/power/state')[0]
    assert guest.actual() == 256 * MIB

    # If nothing happens, the guest suspends, and sleeps until it is woken.
    assert give(take())
    wake_up(guest, fall_asleep(guest))
    guest.wait_actual(256 * MIB)
    assert guest.stats()['total-memory'] == guest.meminfo()['MemTotal']
    guest.unload()
    shows(AWAKE, True)


@pytest.mark.ours
def test_wakeup_is_gone_with_the_device(boot):
    """When a device that may wake the guest is unplugged, its wakeup source is removed."""
    guest = boot(balloon=None, ports=1, accel='tcg,thread=single')
    guest.load()
    sources = 'cat /sys/kernel/debug/wakeup_sources'
    classes = 'for link in /sys/class/wakeup/*; do readlink -f $link; done'
    before = [line.split()[0] for line in guest.sh(sources).splitlines()], guest.sh(classes)
    for _ in range(2):
        guest.plug()
        guest.wait_for(guest.driver_ok, what='driver')
        guest.sh(f'echo enabled >{WAKEUP}')
        # A request keeps the guest awake for a while.
        guest.balloon(256 * MIB)
        guest.wait_actual(256 * MIB)
        during = guest.sh(classes)
        assert during.count('/virtio') == before[1].count('/virtio') + 1
        guest.unplug()
        after = [line.split()[0] for line in guest.sh(sources).splitlines()], guest.sh(classes)
        assert after == before


def test_hibernation(boot, shows):
    """A guest hibernates, and another QEMU resumes it from swap."""
    before = boot(bzimage=True, swap=256)
    before.load()
    total = before.meminfo()['MemTotal']
    size = 320 * MIB
    before.balloon(size)
    before.wait_actual(size)
    hog = before.hog(64)
    sent = before.send('echo shutdown >/sys/power/disk && '
                       'echo disk >/sys/power/state')
    assert before.wait_exit() == 0

    after = boot(bzimage=True, disks=before.disks)
    # The new kernel does not load the driver. It resumes the old kernel, which has it loaded.
    after.balloon(size)
    after.send('echo $(cat /sys/block/vda/dev) >/sys/power/resume')
    code, output = after.result(sent)
    assert code == 0, output
    after.wait_actual(size)
    assert after.meminfo()['MemTotal'] == total - (after.memory - size)
    assert after.stats()['total-memory'] == after.meminfo()['MemTotal']
    hog.guest = after
    hog.verify()
    after.unload()
    assert after.meminfo()['MemTotal'] == total
    shows('hibernation', True)
