# SPDX-License-Identifier: GPL-2.0-only
"""The size of the balloon: where it goes, what it costs, what it gives back."""

import os
import random
import time

import pytest

from guest import EVENTS_OF_QUEUES, INFLATE_QUEUE, MIB

SWAPPY = {'memory': 192, 'swap': 256, 'disk': 256}
SLACK = 3 * MIB         # of free memory: slabs grow


def total(guest):
    return guest.meminfo()['MemTotal']


def resize(guest, size):
    """Set the target and see it reached, on both sides and to the page.

    `guest.total` is what the guest has with an empty balloon."""
    guest.balloon(size)
    guest.wait_actual(size)
    assert total(guest) == guest.total - (guest.memory - size)


def touch_all(guest, mib):
    """Have the host provide this much memory."""
    guest.hog(mib).kill()


def test_resize(borrow, shows):
    guest = borrow()
    guest.load()
    rng = random.Random(1)
    for _ in range(12):
        resize(guest, rng.randrange(128 * MIB, guest.memory + 1, 4096))
    # A single page in, and out.
    for size in guest.memory, guest.memory - 4096, guest.memory:
        resize(guest, size)
    shows('inflate and deflate, to the page', True)


def test_target_above_memory(borrow):
    guest = borrow()
    guest.load()
    resize(guest, 256 * MIB)
    guest.balloon(guest.memory * 16)
    guest.wait_actual(guest.memory)
    assert total(guest) == guest.total


def test_host_memory(borrow):
    """What is in the balloon costs the host nothing."""
    guest = borrow()
    guest.load()
    touch_all(guest, 256)
    full = guest.rss()
    resize(guest, 128 * MIB)
    small = guest.rss()
    # 384 MiB, of which the hog may not have touched 128, nor the kernel.
    assert full - small > 192 * MIB
    resize(guest, guest.memory)
    assert guest.rss() - small < 32 * MIB
    touch_all(guest, 256)
    assert guest.rss() - small > 192 * MIB


@pytest.mark.ours
def test_page_cache(boot):
    """What is free was read from a disk and is in the way: still, buffers go out full."""
    guest = boot(disk=1024, events=EVENTS_OF_QUEUES)
    guest.total = total(guest)
    guest.load()
    guest.stats()
    # What nobody has open is not kept.
    guest.mount_disk()
    guest.sh('cat /dev/vda >/dev/null')
    assert guest.meminfo()['MemFree'] < 64 * MIB
    resize(guest, 256 * MIB)
    assert guest.vmstat()['pgsteal_direct'] > 0
    assert len(guest.notified(INFLATE_QUEUE)) <= 1.5 * 256


def test_paused(borrow):
    """A target that changes while nothing runs in the guest."""
    guest = borrow()
    guest.load()
    for size in 256 * MIB, 384 * MIB, guest.memory:
        guest.qmp.cmd('stop')
        before = guest.actual()
        guest.balloon(192 * MIB)
        guest.balloon(size)
        time.sleep(0.3)
        assert guest.actual() == before
        guest.qmp.cmd('cont')
        guest.wait_actual(size)
        assert total(guest) == guest.total - (guest.memory - size)


def free(guest):
    """Free memory, with what each CPU has put aside for itself."""
    # KASAN keeps objects from being used again, and lets go of them when their cache shrinks.
    guest.sh('sync; echo 3 >/proc/sys/vm/drop_caches; '
             'for file in /sys/kernel/slab/*/shrink; do echo 1 >$file; done')
    zones = guest.sh('cat /proc/zoneinfo').splitlines()
    aside = sum(int(line.split()[1]) for line in zones if ' count:' in line)
    return guest.meminfo()['MemFree'] + aside * 4096


def test_load_and_unload(borrow):
    """With a full balloon, and while it still grows. No page is lost."""
    guest = borrow()
    guest.balloon(192 * MIB)
    for i in range(7):
        if i == 1:
            before = free(guest)    # the first time costs something
        guest.load()
        if i % 2:
            guest.wait_actual(192 * MIB)
        guest.unload()
        assert guest.actual() == guest.memory
        assert total(guest) == guest.total
    assert abs(free(guest) - before) < SLACK


def test_unbind_and_bind(borrow):
    guest = borrow()
    guest.load()
    path = '/sys/bus/virtio/drivers/virtio_balloon'
    device = guest.sh(f'basename {path}/virtio*').strip()
    guest.balloon(192 * MIB)
    for _ in range(3):
        guest.wait_actual(192 * MIB)
        guest.sh(f'echo {device} >{path}/unbind')
        assert guest.actual() == guest.memory
        assert total(guest) == guest.total
        guest.sh(f'echo {device} >{path}/bind')
    guest.wait_actual(192 * MIB)
    assert 'free-memory' in guest.stats()


def test_reset(boot, survives):
    """The host learns the size of a guest that began anew."""
    guest = boot(reboot=True)
    guest.total = total(guest)
    guest.load()
    resize(guest, 300 * MIB)
    guest.qmp.cmd('system_reset')
    guest.wait_ready()
    # The kernel lies elsewhere, and its own size may be another.
    guest.total = total(guest)
    assert guest.actual() == 300 * MIB
    guest.balloon(guest.memory)
    guest.load()
    if guest.lab.driver == 'stock':
        # It has nothing to do and says nothing: stale for ever.
        time.sleep(3)
        assert guest.actual() == 300 * MIB
    else:
        guest.wait_actual(guest.memory, 5)
    survives('reset of the guest: the host learns the new size', guest.lab.driver == 'ours')
    assert total(guest) == guest.total
    resize(guest, 256 * MIB)


def test_hotplug(boot, shows):
    # One thread: two trip over an assertion in QEMU (iotlb_to_section) when
    # devices come and go.
    guest = boot(balloon=None, ports=1, accel='tcg,thread=single')
    guest.total = total(guest)
    guest.load()
    before = free(guest)
    for size in 512, 192, 256:
        guest.plug()
        guest.wait_for(guest.driver_ok, what='driver')
        resize(guest, size * MIB)
        assert 'free-memory' in guest.stats()
        guest.unplug()
        assert total(guest) == guest.total
    # While it still grows.
    guest.plug()
    guest.balloon(128 * MIB)
    guest.wait_for(lambda: guest.actual() < guest.memory)
    guest.unplug()
    assert total(guest) == guest.total
    assert abs(free(guest) - before) < SLACK
    guest.unload()
    shows('hot-plug', True)


def test_resize_under_stress(borrow):
    """Nobody's memory is given away while everybody wants some."""
    guest = borrow(**SWAPPY)
    guest.load()
    hogs = [guest.hog(24), guest.hog(32)]
    for hog in hogs:
        hog.churn()
    io = guest.sh('while true; do dd if=/dev/vdb of=/dev/null bs=1M; '
                  'dd if=/dev/zero of=/dev/vdb bs=1M count=64; done '
                  '>/dev/null 2>&1 & echo $!').strip()
    rng = random.Random(2)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        guest.balloon(rng.randrange(96 * MIB, guest.memory, 4096))
        time.sleep(rng.random() / 2)
    # A guest left at the least of these may take minutes for a command.
    resize(guest, guest.memory)
    for hog in hogs:
        hog.verify()
    guest.sh(f'kill {io}')
    for hog in hogs:
        hog.verify()
        hog.kill()


def test_deflate_on_oom_keeps_the_total(borrow):
    """Pages that come back when needed still count as the guest's."""
    guest = borrow(balloon={'deflate-on-oom': True})
    guest.load()
    for size in 192, 512, 256:
        guest.balloon(size * MIB)
        guest.wait_actual(size * MIB)
        assert total(guest) == guest.total
    guest.unload()
    assert guest.actual() == guest.memory
    assert total(guest) == guest.total


def cpu_seconds(guest):
    """What QEMU has spent so far: as good as nothing while its guest idles."""
    with open(f'/proc/{guest.proc.pid}/stat') as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_target_out_of_reach(borrow, survives):
    """The guest is left in peace when it cannot give more.

    With deflate-on-oom, or the next process to start would be the end of a
    guest that has nothing but this shell."""
    guest = borrow(balloon={'deflate-on-oom': True})
    guest.load()
    guest.balloon(MIB)

    def settled():
        before = guest.actual()
        time.sleep(1)
        return guest.actual() == before
    guest.wait_for(settled, what='end of inflation')
    assert MIB < guest.actual() < 128 * MIB

    log, spent = len(guest.log()), cpu_seconds(guest)
    time.sleep(10)
    spent = cpu_seconds(guest) - spent
    said = guest.log()[log:].splitlines()
    if guest.lab.driver == 'stock':
        # One line every 200 ms.
        assert len(said) >= 20
    else:
        assert len(said) <= 2
        assert spent < 3
        guest.wait_log('no more memory to give')
    survives('target out of reach: the guest is left in peace', guest.lab.driver == 'ours')

    # Still usable, and still reports.
    assert guest.sh('echo $((6 * 7))') == '42\n'
    assert guest.stats()['free-memory'] < 64 * MIB
    guest.balloon(384 * MIB)
    guest.wait_actual(384 * MIB)
    touch_all(guest, 256)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)


@pytest.mark.ours
def test_min_guest_free(borrow):
    """An administrator's floor: what the host wants beyond it, it does not get."""
    guest = borrow()
    guest.load(min_guest_free=256)
    guest.balloon(128 * MIB)
    guest.wait_log('the guest is at min_guest_free: balloon at', timeout=30)
    floor = guest.stats()['available-memory']
    assert abs(floor - 256 * MIB) < 8 * MIB
    size = guest.actual()
    # It stays there while others use memory, and gives nothing back for it.
    hog = guest.hog(32)
    time.sleep(3)
    assert guest.actual() == size
    hog.kill()
    # Another floor is looked at within a second or so.
    guest.sh('echo 192 >/sys/module/virtio_balloon/parameters/min_guest_free')
    guest.wait_for(lambda: guest.actual() < size - 32 * MIB, what='inflation to go on')
    guest.sh('echo 0 >/sys/module/virtio_balloon/parameters/min_guest_free')
    guest.wait_actual(128 * MIB)
    guest.wait_log('after all')
    assert guest.log().count('at min_guest_free') == 1
