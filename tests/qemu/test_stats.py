# SPDX-License-Identifier: GPL-2.0-only
"""The 16 statistics: their values, which of them are sent, and that they keep coming."""

import re
import time

import pytest

from common import stat_names
from common.cpus import Switching
from common.guest import MIB
from common.stat_names import FIRST_TEN, GAUGES, NAMES, PRESSURE

PAGES, EVENTS = 'pages', 'events'

# Name of a counter -> the lines of /proc/vmstat that it is the sum of, and their unit.
COUNTERS = {
    'swap-in': (r'pswpin', PAGES),
    'swap-out': (r'pswpout', PAGES),
    'major-faults': (r'pgmajfault', EVENTS),
    'minor-faults': (r'pgfault', EVENTS),
    'htlb-pgalloc': (r'htlb_buddy_alloc_success', EVENTS),
    'htlb-pgfail': (r'htlb_buddy_alloc_fail', EVENTS),
    'oom-kills': (r'oom_kill', EVENTS),
    'alloc-stalls': (r'allocstall_\w+', EVENTS),
    'async-scans': (r'pgscan_kswapd', PAGES),
    'direct-scans': (r'pgscan_direct', PAGES),
    'async-reclaims': (r'pgsteal_kswapd', PAGES),
    'direct-reclaims': (r'pgsteal_direct', PAGES),
}
assert tuple(COUNTERS) == stat_names.COUNTERS

# A gauge may lie outside of two readings by this much. The readings themselves take memory
# for a moment (a shell, a cat, their output), and each CPU counts some pages by itself before
# it adds them to the kernel's counters.
SLACK = 4 * MIB

SMALL = {'memory': 192, 'swap': 384, 'disk': 384}


@pytest.fixture
def counters(lab):
    return {name: what for name, what in COUNTERS.items()
            if lab.has_pressure() or name in FIRST_TEN}


def counted(guest, counters):
    """The counters as the guest itself shows them, in the units of the statistics."""
    vmstat = guest.vmstat()
    size = {PAGES: guest.page, EVENTS: 1}
    return {name: size[unit] * sum(n for event, n in vmstat.items()
                                   if re.fullmatch(events, event))
            for name, (events, unit) in counters.items()}


def gauged(guest):
    meminfo = guest.meminfo()
    return {'free-memory': meminfo['MemFree'],
            'total-memory': meminfo['MemTotal'],
            'available-memory': meminfo['MemAvailable'],
            'disk-caches': guest.vmstat()['nr_file_pages'] * guest.page}


def check_counters(guest, counters):
    """The counters of a report lie between two readings in the guest. Return the report."""
    before = counted(guest, counters)
    report = guest.stats()
    after = counted(guest, counters)
    for name in counters:
        assert before[name] <= report[name] <= after[name], name
    return report


def check_gauges(guest):
    """The same for the gauges. The guest has to be idle."""
    before = gauged(guest)
    report = guest.stats()
    after = gauged(guest)
    for name in GAUGES:
        slack = 0 if name == 'total-memory' else SLACK
        low, high = sorted((before[name], after[name]))
        assert low - slack <= report[name] <= high + slack, name
    return report


def thrash(guest):
    """Have a process use more memory than the guest has, so that it swaps."""
    hog = guest.hog(guest.meminfo()['MemTotal'] * 5 // 4 // MIB)
    before = guest.vmstat()['pswpin']
    hog.churn()
    guest.wait_for(lambda: guest.vmstat()['pswpin'] > before + 1000, what='swapping')
    return hog


@pytest.mark.anywhere
def test_values(borrow, counters, shows):
    guest = borrow(**SMALL)
    guest.load()
    idle = check_counters(guest, counters)
    assert set(idle) == {*counters, *GAUGES}

    # Read more from a disk than there is memory, so that kswapd frees page cache. The cache of
    # a disk is kept only while a process has the disk open. A file in a ramfs is also in the
    # page cache, but its memory is not available.
    holder = guest.sh('sleep 1000 </dev/vdb >/dev/null 2>&1 & echo $!').strip()
    guest.sh('dd if=/dev/vdb of=/dev/null bs=1M; dd if=/dev/zero of=/dev/vdb '
             'bs=1M count=128; dd if=/dev/zero of=/tmp/file bs=1M count=24; '
             'sync')
    report = check_gauges(guest)
    # The gauges must be so far apart that it would show if two were mixed up. How much kswapd has
    # freed is chance, so the file grows if need be: less memory is available then.
    for _ in range(4):
        values = sorted(report[name] for name in GAUGES)
        if min(b - a for a, b in zip(values, values[1:])) > 2 * SLACK:
            break
        guest.sh('dd if=/dev/zero bs=1M count=12 >>/tmp/file')
        report = check_gauges(guest)
    else:
        guest.fail(f'two gauges are too close to each other: {report}')
    guest.sh(f'kill {holder}; rm /tmp/file')

    # Swap in both directions, and have allocations stall in direct reclaim. The counters are
    # read while this goes on.
    hog = thrash(guest)
    check_counters(guest, counters)
    hog.kill()

    # Allocate some huge pages, and try to allocate more than there can be.
    guest.sh('sync; echo 3 >/proc/sys/vm/drop_caches;'
             'echo 1 >/proc/sys/vm/compact_memory')
    size = guest.huge_page()
    for pages in (4, guest.memory * 4 // size, 0) if size else ():
        guest.sh(f'echo {pages} >/sys/kernel/mm/hugepages/hugepages-{size >> 10}kB/nr_hugepages')

    # Have an OOM kill because of a cgroup's limit, and one because the guest has no memory left.
    guest.sh('swapoff /dev/vda; mkdir /sys/fs/cgroup/small;'
             'echo 16M >/sys/fs/cgroup/small/memory.max')
    code, _ = guest.try_sh(
        "sh -c 'echo 0 >/sys/fs/cgroup/small/cgroup.procs; exec hog 32'")
    assert code == 128 + 9
    in_cgroup = check_counters(guest, counters)
    code, _ = guest.try_sh('hog 256')
    assert code == 128 + 9
    guest.sh('rmdir /sys/fs/cgroup/small; swapon /dev/vda')

    report = check_counters(guest, counters)
    check_gauges(guest)
    for name in counters:
        # QEMU's s390x has no huge pages.
        if name.startswith('htlb') and not size:
            assert report[name] == idle[name] == 0
        else:
            assert report[name] > idle[name], name
    if guest.lab.has_pressure():
        assert in_cgroup['oom-kills'] == idle['oom-kills'] + 1
        assert report['oom-kills'] == idle['oom-kills'] + 2
    else:
        assert set(report) == set(FIRST_TEN)
    shows("statistics equal the guest's own counters, under load", True)


def test_reclaim_for_a_cgroup(borrow, shows):
    """Which counters a cgroup at its limit raises differs between kernels."""
    guest = borrow(**SMALL)
    guest.load()
    guest.sh('mkdir /sys/fs/cgroup/limited && '
             'echo 32M >/sys/fs/cgroup/limited/memory.max')
    before = guest.stats()
    hog = guest.hog(64, cgroup='limited')
    after = guest.stats()
    hog.kill()
    guest.sh('rmdir /sys/fs/cgroup/limited')
    assert after['swap-out'] > before['swap-out'] + 16 * MIB
    if not guest.lab.has_pressure():
        return
    rises = {name: after[name] > before[name] for name in PRESSURE}
    for name in 'direct-scans', 'direct-reclaims', 'alloc-stalls':
        shows(f"{name} include reclaim for a cgroup's limit", rises[name])
    # They include it where the kernel counts reclaim by node, see src/compat/vmstat.h.
    by_node = guest.lab.kernel() >= (7, 0)
    assert rises == {'oom-kills': False, 'alloc-stalls': False,
                     'async-scans': False, 'async-reclaims': False,
                     'direct-scans': by_node, 'direct-reclaims': by_node}


def test_cpu_hotplug(borrow, counters, shows):
    """While CPUs come and go, no counter falls, or is larger than in the guest."""
    guest = borrow(**SMALL)
    guest.load()
    hog = thrash(guest)
    guest.poll_stats(1)
    guest.wait_for(lambda: guest.last_stats()[0], what='first report')
    switching = Switching(guest)
    seen = [guest.last_stats()[1]]

    def new_report():
        # QEMU asks once a second, and at once when polling is turned on.
        guest.poll_stats(0)
        guest.poll_stats(1)
        report = guest.last_stats()[1]
        for name in counters:
            assert report[name] >= seen[-1][name], name
        return report if report != seen[-1] else None

    for _ in range(51):
        seen.append(guest.wait_for(new_report, what='another report'))
    guest.poll_stats(0)
    switching.end()
    # A request may still be on its way, and is then answered at once.
    time.sleep(1)
    last = guest.last_stats()[1]
    after = counted(guest, counters)
    for name in counters:
        assert last[name] <= after[name], name
    check_counters(guest, counters)
    hog.kill()
    shows('counters steady while CPUs come and go', True)


def test_reports_go_on_under_load(borrow):
    guest = borrow(**SMALL)
    guest.load()
    guest.poll_stats(1)
    hog = thrash(guest)
    # The host asks each second. A busy machine takes longer, but the reports do not stop.
    for _ in range(4):
        before = guest.last_stats()[0]
        guest.wait_for(lambda: guest.last_stats()[0] > before, 10, what='next report')
    hog.kill()


@pytest.mark.ours
def test_max_stat_tag(borrow, shows):
    guest = borrow()
    guest.load(max_stat_tag=9)
    parameter = guest.parameter('max_stat_tag')
    assert guest.read(parameter) == '9'
    assert guest.sh(f'stat -c %a {parameter}').strip() == '444'
    assert set(guest.stats()) == set(FIRST_TEN)
    # This holds also for the reports that the host has asked for.
    guest.poll_stats(1)
    time.sleep(2.5)
    guest.poll_stats(0)
    assert set(guest.stats()) == set(FIRST_TEN)
    guest.unload()

    guest.load(max_stat_tag=0)
    assert set(guest.stats()) == {'swap-in'}
    guest.unload()

    guest.load()
    assert guest.read(parameter) == '15'
    assert set(guest.stats()) == set(NAMES)
    shows('no more than a host can take (`max_stat_tag`)', True)


@pytest.mark.ours
@pytest.mark.parametrize('value, why', [
    ('16', 'max_stat_tag=16 is out of range: tags go from 0 to 15'),
    ('4294967295', 'max_stat_tag=4294967295 is out of range'),
    ('-1', "`-1' invalid for parameter `max_stat_tag'"),
    ('x', "`x' invalid for parameter `max_stat_tag'"),
])
def test_max_stat_tag_refused(borrow, value, why):
    guest = borrow()
    code, output = guest.try_sh(f'modprobe virtio_balloon max_stat_tag={value}')
    assert code != 0 and 'Invalid argument' in output
    guest.wait_log(re.escape(f'virtio_balloon: {why}'))
    assert guest.try_sh('test -d /sys/module/virtio_balloon')[0] != 0
