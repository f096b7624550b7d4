# SPDX-License-Identifier: GPL-2.0-only
"""The size of the balloon: it follows the target, and all memory comes back."""

import os
import random
import time

import pytest

from common.cpus import Switching
from common.guest import EVENTS_OF_QUEUES, MIB

SWAPPY = {'memory': 192, 'swap': 256, 'disk': 256}


def slack(guest):
    """By how many bytes free memory may differ, since slabs grow."""
    return max(3 * MIB, 128 * guest.page)


def total(guest):
    return guest.meminfo()['MemTotal']


def resize(guest, size):
    """Set the target, and check that both host and guest see exactly that size.

    `guest.total` is the guest's total memory with an empty balloon."""
    guest.balloon(size)
    guest.wait_actual(size)
    assert total(guest) == guest.total - (guest.memory - size)


def touch_all(guest, mib):
    """Have the host provide this much memory."""
    guest.hog(mib).kill()


@pytest.mark.anywhere
def test_resize(borrow, shows):
    guest = borrow()
    guest.load()
    rng = random.Random(1)
    for _ in range(12):
        resize(guest, rng.randrange(128 * MIB, guest.memory + 1, guest.page))
    # A single page goes in, and out again.
    for size in guest.memory, guest.memory - guest.page, guest.memory:
        resize(guest, size)
    shows('inflate and deflate, to the page', True)


def test_target_above_memory(borrow):
    guest = borrow()
    guest.load()
    resize(guest, 256 * MIB)
    guest.balloon(guest.memory * 16)
    guest.wait_actual(guest.memory)
    assert total(guest) == guest.total


@pytest.mark.anywhere
def test_host_memory(borrow, shows):
    """The host gets back the memory that is in the balloon."""
    guest = borrow()
    guest.load()
    touch_all(guest, 256)
    full = guest.rss()
    resize(guest, 128 * MIB)
    small = guest.rss()
    # The balloon has 384 MiB. Neither the hog nor the kernel may have used 128 of these.
    assert full - small > 192 * MIB
    resize(guest, guest.memory)
    assert guest.rss() - small < 32 * MIB
    touch_all(guest, 256)
    assert guest.rss() - small > 192 * MIB
    shows('the host gets the memory back', True)


@pytest.mark.ours
def test_page_cache(boot):
    """Buffers are sent full, also where page cache has to be reclaimed for each page."""
    guest = boot(disk=1024, events=EVENTS_OF_QUEUES)
    guest.total = total(guest)
    guest.load()
    guest.stats()
    # The page cache of a disk is dropped as soon as nobody uses the disk.
    guest.mount_disk()
    guest.sh('cat /dev/vda >/dev/null')
    assert guest.meminfo()['MemFree'] < 64 * MIB
    resize(guest, 256 * MIB)
    assert guest.vmstat()['pgsteal_direct'] > 0
    assert guest.buffers_inflated() <= 1.5 * 256


def test_paused(borrow):
    """The target changes while the guest is paused."""
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
    """Free memory, including the free pages that each CPU keeps for itself."""
    # KASAN keeps freed objects for some time, and frees them when their cache shrinks.
    guest.sh('sync; echo 3 >/proc/sys/vm/drop_caches; '
             'for file in /sys/kernel/slab/*/shrink; do echo 1 >$file; done')
    zones = guest.sh('cat /proc/zoneinfo').splitlines()
    aside = sum(int(line.split()[1]) for line in zones if ' count:' in line)
    return guest.meminfo()['MemFree'] + aside * guest.page


@pytest.mark.anywhere
def test_load_and_unload(borrow, shows):
    """Unload the driver with a full balloon, and while it still grows. No page is lost."""
    guest = borrow()
    guest.balloon(192 * MIB)
    for i in range(7):
        if i == 1:
            before = free(guest)    # loading it for the first time takes memory for good
        guest.load()
        if i % 2:
            guest.wait_actual(192 * MIB)
        guest.unload()
        assert guest.actual() == guest.memory
        assert total(guest) == guest.total
    assert abs(free(guest) - before) < slack(guest)
    shows('loaded and unloaded with a full balloon', True)


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
    """After a reset of the guest, the host learns its new size."""
    guest = boot(reboot=True)
    guest.total = total(guest)
    guest.load()
    resize(guest, 300 * MIB)
    guest.qmp.cmd('system_reset')
    guest.wait_ready()
    # The kernel has another address now, and may take another amount of memory.
    guest.total = total(guest)
    assert guest.actual() == 300 * MIB
    guest.balloon(guest.memory)
    guest.load()
    if guest.lab.driver == 'stock':
        # The stock driver has no pages to move, so it never tells the host the new size.
        time.sleep(3)
        assert guest.actual() == 300 * MIB
    else:
        guest.wait_actual(guest.memory, 5)
    survives('reset of the guest: the host learns the new size', guest.lab.driver == 'ours')
    assert total(guest) == guest.total
    resize(guest, 256 * MIB)


def test_hotplug(boot, shows):
    # QEMU runs the guest in one thread, since with two it fails an assertion
    # (iotlb_to_section) when devices come and go.
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
    # Unplug a balloon that still grows.
    guest.plug()
    guest.balloon(128 * MIB)
    guest.wait_for(lambda: guest.actual() < guest.memory)
    guest.unplug()
    assert total(guest) == guest.total
    assert abs(free(guest) - before) < slack(guest)
    guest.unload()
    shows('hot-plug', True)


def test_resize_under_stress(borrow):
    """The balloon changes while processes need all memory. They keep the content of theirs."""
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
        guest.balloon(rng.randrange(96 * MIB, guest.memory, guest.page))
        time.sleep(rng.random() / 2)
    # With the smallest of these sizes a guest may take minutes for a command.
    resize(guest, guest.memory)
    for hog in hogs:
        hog.verify()
    guest.sh(f'kill {io}')
    for hog in hogs:
        hog.verify()
        hog.kill()


def test_resize_while_cpus_come_and_go(borrow, shows):
    """The size is right to the page at the end, and the reports do not stop."""
    guest = borrow(**SWAPPY)
    guest.load()
    hog = guest.hog(32)
    hog.churn()
    guest.poll_stats(1)
    switching = Switching(guest)
    rng = random.Random(3)
    for _ in range(20):
        before = guest.last_stats()[0]
        guest.balloon(rng.randrange(112 * MIB, guest.memory, guest.page))
        guest.wait_for(lambda: guest.last_stats()[0] > before, what='next report')
    guest.poll_stats(0)
    switching.end()
    for size in 128 * MIB, guest.memory:
        resize(guest, size)
        vmstat = guest.vmstat()
        assert (vmstat['balloon_inflate'] - vmstat['balloon_deflate'] ==
                (guest.memory - size) // guest.page)
    hog.verify()
    hog.kill()
    shows('size exact while CPUs come and go', True)


def test_deflate_on_oom_keeps_the_total(borrow):
    """With deflate on OOM, the pages in the balloon still count as the guest's memory."""
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
    """The CPU time that QEMU has used so far. It uses nearly none while its guest is idle."""
    with open(f'/proc/{guest.proc.pid}/stat') as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_target_out_of_reach(borrow, survives):
    """When the guest cannot give more, the driver stops trying hard, and says so only once.

    Deflate on OOM is on. Without it, starting another process would have the kernel panic,
    since there is nothing that it could kill."""
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
        # The stock driver prints a line every 200 ms.
        assert len(said) >= 20
    else:
        assert len(said) <= 2
        assert spent < 3
        guest.wait_log('no more memory to give')
    survives('target out of reach: the guest is left in peace', guest.lab.driver == 'ours')

    # The guest can still be used, and sends statistics.
    assert guest.sh('echo $((6 * 7))') == '42\n'
    assert guest.stats()['free-memory'] < 64 * MIB
    guest.balloon(384 * MIB)
    guest.wait_actual(384 * MIB)
    touch_all(guest, 256)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)


@pytest.mark.ours
def test_min_guest_free(borrow):
    """The balloon does not grow while less memory than min_guest_free is available."""
    guest = borrow()
    guest.load(min_guest_free=256)
    guest.balloon(128 * MIB)
    guest.wait_log('the guest is at min_guest_free: balloon at', timeout=30)
    floor = guest.stats()['available-memory']
    assert abs(floor - 256 * MIB) < 8 * MIB
    size = guest.actual()
    # It does not shrink either while a process uses memory.
    hog = guest.hog(32)
    time.sleep(3)
    assert guest.actual() == size
    hog.kill()
    # The driver notices another value of the parameter within a second or so.
    guest.sh(f'echo 192 >{guest.parameter("min_guest_free")}')
    guest.wait_for(lambda: guest.actual() < size - 32 * MIB, what='inflation to go on')
    guest.sh(f'echo 0 >{guest.parameter("min_guest_free")}')
    guest.wait_actual(128 * MIB)
    guest.wait_log('after all')
    assert guest.log().count('at min_guest_free') == 1
