# SPDX-License-Identifier: GPL-2.0-only
"""Devices that are reset behind the driver's back, or pulled out. The guest goes on."""

import pytest

from common.guest import MIB, STOCK_WARNS
from common.pci import PULL, PULLABLE, REMOVE, RESET, check_pulled

LARGE, SIZE, SMALL = 384 * MIB, 256 * MIB, 160 * MIB
PATIENCE = 20           # seconds. It takes ten or so at the most
TRIES = 3               # on a channel. Of 40 tries, none failed


@pytest.fixture
def start(boot):
    """A function that starts a guest whose device can be reset by itself, and pulled."""
    def start(incoming=None, **balloon):
        guest = boot(balloon={'bus': 'port0', **balloon}, ports=1, incoming=incoming,
                     qemu_args=PULLABLE)
        if incoming:
            return guest
        guest.total = guest.meminfo()['MemTotal']
        guest.load()
        return guest
    return start


@pytest.fixture
def guest(start):
    return start()


def inflate_and(guest, size, cmd):
    """Set the target, and run a command in the guest while it inflates."""
    less = (guest.meminfo()['MemTotal'] - 16 * MIB) >> 10
    sent = guest.send('until read -r _ total _ </proc/meminfo && '
                      f'[ "$total" -lt {less} ]; do :; done; {cmd}')
    guest.balloon(size)
    code, output = guest.result(sent)
    assert code == 0, output


def is_whole(guest):
    """Whether the guest has all its memory."""
    return guest.meminfo()['MemTotal'] == guest.total


def check_found_out(guest):
    """A driver that waits for the device notices by itself that it has died."""
    guest.wait_log('the device died', PATIENCE)
    guest.wait_for(lambda: is_whole(guest), PATIENCE, 'the memory to come back')


def check_not_removed(guest):
    """rmmod hangs, or the kernel complains, after which this guest cannot be used."""
    with pytest.raises(AssertionError):
        guest.wait_for(lambda: guest.try_sh('test -d /proc/$(cat /tmp/pid)')[0],
                       PATIENCE, 'rmmod')
    if guest.splats():
        guest.wait_exit()
        assert guest.forgive(STOCK_WARNS)
        return
    assert guest.sh('cut -d" " -f3 /proc/$(cat /tmp/pid)/stat') == 'D\n'
    # This guest cannot be used any more.
    guest.qmp.cmd('stop')


def check_removal(guest, remove=''):
    """Our driver can be unloaded, and gives all memory back. The stock driver hangs.

    remove      a file in the guest that has the kernel remove the device first
    Returns whether the driver was unloaded.
    """
    if remove:
        remove = f'echo 1 >{remove}; '
    guest.sh(f"sh -c '{remove}exec rmmod virtio_balloon' >/tmp/rmmod 2>&1 & echo $! >/tmp/pid")
    if guest.lab.driver == 'stock':
        check_not_removed(guest)
        return False
    guest.wait_for(lambda: guest.try_sh('test -d /sys/module/virtio_balloon')[0],
                   PATIENCE, 'rmmod')
    assert guest.meminfo()['MemTotal'] == guest.total
    return True


def test_reset_while_idle(guest, survives):
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    hog = guest.hog(64)
    guest.sh(f'echo 1 >{RESET}')
    if guest.lab.tells_of_reset():
        # The device works again by itself.
        guest.wait_actual(SIZE)
        assert 'free-memory' in guest.stats()
        guest.balloon(guest.memory)
        guest.wait_actual(guest.memory)
    removed = check_removal(guest)
    survives('reset behind the driver\'s back, idle', removed)
    if not removed:
        return
    hog.verify()
    guest.load()
    guest.wait_actual(guest.memory if guest.lab.tells_of_reset() else SIZE)
    assert 'free-memory' in guest.stats()
    hog.verify()


def test_reset_while_inflating(guest, survives):
    inflate_and(guest, SMALL, f'echo 1 >{RESET}')
    if guest.lab.tells_of_reset():
        guest.wait_actual(SMALL)
    elif guest.lab.driver == 'ours':
        check_found_out(guest)
    removed = check_removal(guest)
    survives('reset behind the driver\'s back, inflating', removed)
    if removed:
        guest.load()
        guest.wait_actual(SMALL)


@pytest.mark.ours
def test_others_run_meanwhile(start):
    """A large balloon takes long to come back from a dead device. After each buffer the driver
    lets other tasks run. A kernel that is not preemptible needs that."""
    guest = start()
    guest.balloon(SIZE)
    guest.wait_actual(SIZE)
    if guest.preempts():
        return
    guest.trace('*cond_resched')
    # Tracing is switched off before the trace is read. Otherwise that would never end, since
    # reading the trace calls cond_resched(), too. The module stays loaded, so that the trace
    # has the names of its functions.
    guest.sh(f'echo 1 >{RESET}; cd /sys/bus/virtio/drivers/virtio_balloon; echo virtio* >unbind; '
             'echo 0 >/sys/kernel/tracing/tracing_on')
    steps = int(guest.try_sh('grep -c "cond_resched <-balloon_pages_after_reset" '
                             '/sys/kernel/tracing/trace')[1])
    assert steps >= (guest.memory - SIZE) // MIB


REPORTING_AND_HINTING = {'free-page-reporting': True, 'free-page-hint': True}


def inflating(guest, start):
    inflate_and(guest, SMALL, PULL)


def reporting(guest, start):
    guest.trace('page_reporting_process')
    guest.hog(96).kill()
    guest.wait_for(lambda: guest.traced('page_reporting_process'), what='reporting')
    guest.sh(PULL)


def hinting(guest, start):
    """The driver has hinted all free pages, and waits for the end of the migration.

    It must not be in the middle of hinting: QEMU 10 may crash when it loses a device whose
    hints it is just reading."""
    free = guest.meminfo()['MemFree']
    target = start(incoming=guest, **REPORTING_AND_HINTING)
    guest.begin_migration(target)
    guest.wait_for(lambda: guest.meminfo()['MemFree'] < free / 2, what='hinting')
    guest.wait_for(lambda: abs(guest.meminfo()['MemFree'] - guest.meminfo()['MemFree']) < MIB,
                   what='end of the round')
    guest.sh(PULL)
    return target


@pytest.mark.parametrize('busy', [inflating, reporting, hinting], ids=lambda busy: busy.__name__)
def test_pulled(start, busy, survives):
    guest = start(**REPORTING_AND_HINTING)
    guest.balloon(LARGE)
    guest.wait_actual(LARGE)
    hog = guest.hog(64)
    target = busy(guest, start)
    check_pulled(guest)
    if busy is inflating and guest.lab.driver == 'ours':
        check_found_out(guest)
    removed = check_removal(guest, REMOVE)
    survives(f'pulled out while {busy.__name__}', removed)
    if removed:
        hog.verify()
        guest.hog(160).verify()
        hog.verify()
    if target:
        # The migration fails without the device.
        target.close()


def in_channel_io(guest):
    """The tasks that wait for the end of an I/O of a channel."""
    return set(guest.sh('grep -l ccw_io_helper /proc/[0-9]*/stack; true').split())


def hangs_in_channel_io(guest):
    """Whether a task waits for an I/O that never ends. An I/O takes milliseconds."""
    tasks = in_channel_io(guest)
    for _ in range(10):
        if not tasks:
            return False
        guest.sh('sleep 0.2')
        tasks &= in_channel_io(guest)
    return True


def unplug_from_channel(boot):
    """A guest whose balloon was unplugged while it was inflated.

    The guest's memory shows the inflation. If QEMU were asked for the size instead, the device
    would be unplugged shortly after the driver wrote the size, when it has more I/O than
    otherwise."""
    guest = boot()
    guest.total = guest.meminfo()['MemTotal']
    guest.pages = guest.hog(64)
    guest.load()
    guest.balloon(SMALL)
    guest.wait_for(lambda: guest.meminfo()['MemTotal'] < guest.total - 16 * MIB,
                   what='inflation')
    guest.qmp.cmd('device_del', id='balloon0')
    return guest


@pytest.mark.anywhere
@pytest.mark.bus('ccw')
def test_unplugged_from_a_channel(boot, survives):
    """On a channel, the host takes a device away without asking the guest. Legacy devices have no
    status that the driver could read, but a notification of one that is gone fails."""
    # If an I/O of the channel is just under way, the kernel waits for it for ever, with both
    # drivers (docs/limits.md). Another guest is tried then.
    for _ in range(TRIES):
        guest = unplug_from_channel(boot)
        if guest.lab.driver == 'stock':
            break
        guest.wait_for(lambda: is_whole(guest) or hangs_in_channel_io(guest), PATIENCE,
                       'the memory to come back')
        if is_whole(guest):
            break
        guest.qmp.cmd('stop')
    else:
        pytest.fail(f'the kernel hangs {TRIES} times of {TRIES}')
    removed = check_removal(guest)
    survives('unplugged from a channel while inflating', removed)
    if removed:
        guest.pages.verify()
