# SPDX-License-Identifier: GPL-2.0-only
"""balloonstat on real guests: how it names each kind of memory pressure.

With BALLOONSTAT_RECORD=DIRECTORY, what balloonstat has seen in each test is kept there, for
tests/balloonstat/series."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

import pytest

from common import series
from common.guest import MIB, GuestError, Hog
from common.pressure import almost_full
from common.project import BALLOONSTAT, TOP

TOOL = TOP / 'tools' / 'balloonstat'
DISK = 384      # MiB
SMALL = {'memory': 256, 'swap': 192, 'disk': DISK}
# What happens in the tests whose series are recorded.
WHAT = {
    'whole_guest': 'reads a disk, then has more in use than there is, then wants far too much',
    'balloon_too_large': 'has more in use than the balloon leaves, then the balloon gives some back',
    'kswapd_fails': 'is almost full of page cache that cannot be reclaimed',
    'cgroup_that_swaps': 'has a container at its limit that swaps',
    'cgroup_of_page_cache': 'has a container at its limit, of page cache alone',
    'kill_in_a_cgroup': "has a process killed at a container's limit",
    'silent': 'has more in use than there is, and sends nothing any more, then again',
    'driver_comes_and_goes': 'has its driver unloaded and loaded again',
    'reboot': 'is reset',
}
RECORD = os.environ.get('BALLOONSTAT_RECORD')
# Seconds. The guest is emulated, and the machine may be busy.
PATIENCE = 120


@pytest.fixture(scope='session')
def balloonstat():
    """The program. It is built unless the environment names another one."""
    if 'BALLOONSTAT' not in os.environ:
        # Only one worker builds it at a time.
        with open(TOOL / 'Makefile') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.run(['make', '-s', '-C', TOOL], check=True)
    return BALLOONSTAT


class Watch:
    """Runs balloonstat at intervals of a second, and keeps what it says."""

    def __init__(self, program, guest, *args):
        self.guest = guest
        self.args = args
        self.objects = []
        self.process = subprocess.Popen(
            [program, '--qmp', guest.qmp_path, '--poll', '1', '--json', *args, '1'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.objects.append(json.loads(line))

    def _names(self, begin):
        return [o['diagnosis']['name'] for o in self.objects[begin:] if 'diagnosis' in o]

    def wait(self, name, begin=None, what=''):
        """Wait until its diagnosis has this name. Return that object."""
        begin = len(self.objects) if begin is None else begin
        try:
            self.guest.wait_for(lambda: name in self._names(begin), PATIENCE, f'{name}{what}')
        except GuestError as e:
            raise GuestError(f'it said {self._names(begin)} and not {name}') from e
        return next(o for o in self.objects[begin:]
                    if o.get('diagnosis', {}).get('name') == name)

    def said_since(self, begin):
        return set(self._names(begin))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.thread.join(20)
        self.process.stdout.close()

    def record(self, name, what):
        lab = self.guest.lab
        version = '.'.join(map(str, lab.kernel()))
        series.write(pathlib.Path(RECORD) / f'{name}.{version}-{lab.driver}.txt', what,
                     f'{version}, {lab.driver}', [a for a in self.args if '=' in a],
                     self.objects)


@pytest.fixture
def watch(balloonstat, request):
    watches = []

    def start(guest, *args):
        watches.append(Watch(balloonstat, guest, *args))
        return watches[-1]
    yield start
    for w in watches:
        w.stop()
        name = request.node.name.removeprefix('test_')
        if RECORD and name in WHAT:
            w.record(name.replace('_', '-'), WHAT[name])


def read_disk(guest):
    """Read more from a disk than there is memory."""
    return guest.sh('dd if=/dev/vdb of=/dev/null bs=1M 2>/dev/null; '
                    'dd if=/dev/vdb of=/dev/null bs=1M 2>/dev/null', PATIENCE)


def test_whole_guest(borrow, watch, shows):
    """Rows 3, 4 and 1 of the table. Before and after each, the diagnosis is healthy."""
    guest = borrow(**SMALL)
    guest.load()
    w = watch(guest, '--set', 'oom-hold=5')
    if not guest.lab.has_pressure():
        o = w.wait('no-data', what=' for want of the six')
        guest.wait_for(lambda: w.objects[-1]['diagnosis']['why'] == 'six-not-sent', PATIENCE,
                       'word of the six that are not sent')
        assert o['stats']['alloc-stalls'] is None
        return
    w.wait('healthy')

    begin = len(w.objects)
    guest.wait_for(lambda: 'reclaim' in w.said_since(begin) or read_disk(guest), PATIENCE,
                   'reclaim')
    o = w.wait('reclaim', begin)
    assert o['diagnosis']['numbers']['reclaimed-percent'] >= 30
    assert o['diagnosis']['numbers']['alloc-stalls'] > 0
    shows('balloonstat: effective reclaim (row 3)', True)
    w.wait('healthy')

    hog = guest.hog(300, timeout=PATIENCE)
    hog.churn()
    o = w.wait('thrashing')
    numbers = o['diagnosis']['numbers']
    assert numbers['reclaimed-percent'] < 30 or numbers['returned-percent'] > 50
    hog.kill()
    shows('balloonstat: thrashing (row 4)', True)
    w.wait('healthy')

    hog = Hog(guest, 1024, None)
    o = w.wait('critical')
    guest.wait_for(lambda: not hog.alive(), PATIENCE, 'end of the hog')
    assert o['diagnosis']['numbers']['oom-kills'] >= 1
    assert 'guest too small' in o['diagnosis']['advice']
    assert o['diagnosis']['severity'] == 2
    shows('balloonstat: critical (row 1)', True)
    w.wait('healthy')


@pytest.mark.pressure
def test_balloon_too_large(borrow, watch):
    """The guest is thrashing, but the balloon has the memory that it needs."""
    guest = borrow(**SMALL)
    guest.load()
    guest.balloon(160 * MIB)
    guest.wait_actual(160 * MIB)
    # Of so little memory, kswapd has a tenth free for a moment when it has swapped out.
    w = watch(guest, '--set', 'avail-low=20')
    hog = guest.hog(160, timeout=PATIENCE)
    hog.churn()
    o = w.wait('thrashing')
    assert o['diagnosis']['advice'].startswith(
        'balloon too large: it holds 96.0 MiB of 256.0 MiB; give some back')
    # Doing so helps.
    guest.balloon(guest.memory)
    w.wait('healthy')
    hog.kill()


@pytest.mark.pressure
def test_kswapd_fails(boot, watch, shows):
    """Row 5: kswapd finds little that it can reclaim, but no allocation has to wait yet."""
    guest = boot(memory=256, disk=DISK)
    guest.load()
    w = watch(guest)
    w.wait('healthy')
    with almost_full(guest, '/dev/vda', DISK, PATIENCE):
        o = w.wait('kswapd-fails')
    numbers = o['diagnosis']['numbers']
    # It is below 30, or within the hysteresis above that.
    assert numbers['reclaimed-percent'] < 37.5 and numbers['alloc-stalls'] < 1
    assert 'the next demand for memory will wait' in o['diagnosis']['advice']
    shows('balloonstat: background reclaim fails (row 5)', True)
    w.wait('healthy')


@pytest.mark.pressure
def test_silent(borrow, watch, shows):
    """A guest that was thrashing and sends nothing any more is worst of all."""
    guest = borrow(**SMALL)
    guest.load()
    w = watch(guest)
    w.wait('healthy')
    hog = guest.hog(300, timeout=PATIENCE)
    hog.churn()
    w.wait('thrashing')
    guest.unload()
    o = w.wait('silent')
    assert o['diagnosis']['severity'] == 2
    assert 'since it was thrashing' in o['diagnosis']['reason']
    hog.kill()
    guest.load()
    w.wait('healthy')
    shows('balloonstat: silence after trouble', True)


@pytest.fixture
def limited():
    """A function that makes a cgroup with a limit in a guest."""
    made = []

    def make(guest, mib, swap='max'):
        guest.sh('mkdir /sys/fs/cgroup/limited && cd /sys/fs/cgroup/limited && '
                 f'echo {mib}M >memory.max && echo {swap} >memory.swap.max')
        made.append(guest)
        return 'limited'
    yield make
    for guest in made:
        guest.try_sh('rmdir /sys/fs/cgroup/limited')


@pytest.mark.pressure
def test_cgroup_that_swaps(borrow, watch, limited, shows):
    """On 7.3 there are direct scans without stalls. On older kernels there is swap-out that no
    counted reclaim explains."""
    guest = borrow(**SMALL)
    guest.load()
    w = watch(guest)
    w.wait('healthy')
    begin = len(w.objects)
    hog = guest.hog(64, timeout=PATIENCE, cgroup=limited(guest, 32))
    hog.churn()
    o = w.wait('cgroup-limit', begin)
    numbers = o['diagnosis']['numbers']
    by_node = guest.lab.kernel() >= (7, 0)
    assert (numbers['direct-scans'] > 0) == by_node
    assert numbers['alloc-stalls'] == 0
    assert 'memory.max' in o['diagnosis']['advice']
    hog.kill()
    w.wait('healthy')
    assert w.said_since(begin) == {'healthy', 'cgroup-limit'}
    shows('balloonstat: a cgroup at its limit that swaps', True)


@pytest.mark.pressure
def test_cgroup_of_page_cache(borrow, watch, limited, shows):
    """Its page cache is reclaimed and read again. 7.3 counts that, and older kernels do not."""
    guest = borrow(**SMALL)
    guest.load()
    w = watch(guest)
    w.wait('healthy')
    begin = len(w.objects)
    name = limited(guest, 16)
    for _ in range(3):
        guest.sh(f"sh -c 'echo 0 >/sys/fs/cgroup/{name}/cgroup.procs && "
                 "dd if=/dev/vdb of=/dev/null bs=1M count=128 2>/dev/null'", PATIENCE)
    end = len(w.objects)
    guest.wait_for(lambda: len(w.objects) > end + 2, PATIENCE, 'reports')
    seen = 'cgroup-limit' in w.said_since(begin)
    assert seen == (guest.lab.kernel() >= (7, 0))
    assert w.said_since(begin) <= {'healthy', 'cgroup-limit'}
    shows('balloonstat: a cgroup at its limit, page cache alone', seen)


@pytest.mark.pressure
def test_kill_in_a_cgroup(borrow, watch, limited, shows):
    """An OOM kill because of a cgroup's limit does not mean that the guest is short of memory."""
    guest = borrow(**SMALL)
    guest.load()
    w = watch(guest, '--set', 'oom-hold=3')
    w.wait('healthy')
    begin = len(w.objects)
    name = limited(guest, 16, swap=0)
    code, _ = guest.try_sh(
        f"sh -c 'echo 0 >/sys/fs/cgroup/{name}/cgroup.procs; exec hog 64'", PATIENCE)
    assert code == 128 + 9
    o = w.wait('cgroup-oom', begin)
    assert 'likely a container at its own limit' in o['diagnosis']['advice']
    w.wait('healthy')
    assert 'critical' not in w.said_since(begin)
    shows("balloonstat: a kill for a cgroup's limit told from one for all", True)


def test_driver_comes_and_goes(borrow, balloonstat, watch):
    guest = borrow()

    def doctor():
        ran = subprocess.run([balloonstat, '--qmp', guest.qmp_path, '--doctor'],
                             capture_output=True, text=True)
        return ran.returncode, ran.stdout

    status, text = doctor()
    assert status == 1 and 'no driver runs the balloon' in text and 'polling is off' in text
    guest.load()
    guest.poll_stats(1)
    guest.wait_for(lambda: guest.last_stats()[0], what='report')
    status, text = doctor()
    if not guest.lab.has_pressure():
        assert status == 1 and 'sends tags 0 to 9 only' in text
        return
    assert status == 0 and 'all 16 statistics' in text
    w = watch(guest)
    w.wait('healthy')
    guest.unload()
    guest.wait_for(lambda: w.objects[-1]['diagnosis']['why'] in
                   ('stopped-answering', 'never-reported'), PATIENCE, 'word of the silence')
    guest.load()
    w.wait('healthy')


@pytest.mark.ours
def test_old_tags_only(borrow, balloonstat):
    guest = borrow()
    guest.load(max_stat_tag=9)
    guest.poll_stats(1)
    guest.wait_for(lambda: guest.last_stats()[0], what='report')
    ran = subprocess.run([balloonstat, '-q', guest.qmp_path, '--doctor'], capture_output=True,
                         text=True)
    assert 'the guest sends tags 0 to 9 only' in ran.stdout and ran.returncode == 1
    ran = subprocess.run([balloonstat, '-q', guest.qmp_path, '--check'], capture_output=True,
                         text=True)
    assert ran.returncode == 3 and 'does not send the six' in ran.stdout


def test_reboot(boot, watch):
    """After a reboot counters start again from 0, and no rates are computed from that."""
    guest = boot(reboot=True)
    guest.load()
    w = watch(guest)
    guest.wait_for(lambda: w.objects and w.objects[-1].get('event') == 'ok', PATIENCE, 'rates')
    begin = len(w.objects)
    guest.qmp.cmd('system_reset')
    guest.wait_ready()
    guest.load()
    guest.wait_for(lambda: w.objects[-1].get('event') == 'ok' and
                   'reset' in [o.get('event') for o in w.objects[begin:]], PATIENCE,
                   'rates after a reset')
    assert all(rate is None or rate >= 0 for o in w.objects[begin:] if o.get('rates')
               for rate in o['rates'].values())
    # QEMU may tell of the reset before the old numbers are gone. Then there are two events.
    events = [o['event'] for o in w.objects[begin:]]
    assert events.count('reset') in (1, 2)


def test_polling_is_put_back(borrow, watch):
    guest = borrow()
    guest.load()
    guest.poll_stats(5)
    w = watch(guest)
    guest.wait_for(lambda: w.objects, PATIENCE, 'sample')
    assert guest._get('guest-stats-polling-interval') == 1
    w.stop()
    assert guest._get('guest-stats-polling-interval') == 5
    guest.poll_stats(0)


def test_busy_monitor(borrow, balloonstat):
    """QEMU does not greet a second client."""
    guest = borrow()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(guest.qmp_path))
        assert b'QMP' in s.recv(4096)
        ran = subprocess.run([balloonstat, '-q', guest.qmp_path, '-t', '1', '--check'],
                             capture_output=True, text=True)
    assert ran.returncode == 3
    assert 'another client (libvirt?) holds this monitor' in ran.stdout
