#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a host learns about a guest's memory, with the stock driver and ours."""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'qemu'))
from guest import Guest, Hog, MIB       # noqa: E402
from lab import LAB, TOP, make_lab, run  # noqa: E402
from scenes import almost_full          # noqa: E402

BALLOONSTAT = TOP / 'tools' / 'balloonstat' / 'build' / 'balloonstat'
MEMORY = 256
SWAP = 192
DISK = 256
LIMIT = 60                  # seconds for each kind of pressure, at the most

UNITS = {name: 'bytes' for name in (
    'swap-in', 'swap-out', 'free-memory', 'total-memory', 'available-memory',
    'disk-caches', 'async-scans', 'direct-scans', 'async-reclaims',
    'direct-reclaims')}
# In the order of their tags, as QEMU names them.
NAMES = ('swap-in', 'swap-out', 'major-faults', 'minor-faults', 'free-memory',
         'total-memory', 'available-memory', 'disk-caches', 'htlb-pgalloc',
         'htlb-pgfail', 'oom-kills', 'alloc-stalls', 'async-scans',
         'direct-scans', 'async-reclaims', 'direct-reclaims')
PRESSURE = NAMES[10:]


def show(value, name):
    if value is None:
        return '-'
    if name in UNITS:
        return f'{value / MIB:.1f} MiB'
    return str(value)


def start(driver, module, work):
    """A guest with swap and the driver loaded."""
    directory = work / driver
    directory.mkdir()
    guest = Guest(make_lab(driver, module, directory), directory,
                  memory=MEMORY, swap=SWAP, disk=DISK)
    guest.load()
    return guest


def side_by_side(stats):
    print(f'\n{"tag":>3}  {"statistic":<18}{"stock driver":>16}{"ours":>16}')
    for tag, name in enumerate(NAMES):
        print(f'{tag:>3}  {name:<18}'
              f'{show(stats["stock"].get(name), name):>16}'
              f'{show(stats["ours"].get(name), name):>16}')
    print('\n"-": the host is not told. '
          f'Stock: {len(stats["stock"])} of 16. Ours: {len(stats["ours"])} of 16.')


class Balloonstat:
    """Its lines, as they come, beside what the guest is doing."""

    def __init__(self, guest):
        self.guest = guest
        self.doing = 'nothing'
        self.seen = []
        self.process = subprocess.Popen(
            [BALLOONSTAT, '--qmp', guest.qmp_path, '--poll', '1', '--explain',
             '--set', 'hold=3', '--set', 'oom-hold=3', '1'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._show, daemon=True)
        self.thread.start()

    def _show(self):
        for line in self.process.stdout:
            line = line.rstrip('\n')
            # What explains a line stands below it, further in.
            if line.startswith('    ') and line[4] != ' ' and (':' in line or '->' in line):
                print(f'{"":<22}{line}', flush=True)
                continue
            header = line.endswith('diagnosis')
            print(f'{"the guest" if header else self.doing:<22}{line}', flush=True)
            if not header:
                self.seen.append(line.split()[-1])

    def expect(self, name, begin=None):
        """Wait until it says that, and for one more line."""
        begin = len(self.seen) if begin is None else begin
        self.guest.wait_for(lambda: name in self.seen[begin:-1], LIMIT,
                            f'"{name}" from balloonstat')

    def rest(self):
        self.doing = 'rests'
        self.expect('healthy')

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.thread.join(10)
        self.process.stdout.close()


def regimes(guest):
    """Drive the guest through all that its kernel can show, and see each named."""
    print('\nOn the host, balloonstat. mem: what the guest has; avail: available; swin, swout: '
          'swapped; majfl: major faults;\nstall: allocations that had to wait; kscan, krecl: '
          'scanned and reclaimed by kswapd; dscan, drecl: by allocations; all a second.\n')
    b = Balloonstat(guest)
    try:
        b.rest()

        b.doing = 'reads a disk'
        begin = len(b.seen)
        guest.wait_for(lambda: 'reclaim' in b.seen[begin:] or guest.sh(
            f'dd if=/dev/vdb of=/dev/null bs=1M count={DISK} 2>/dev/null'), LIMIT, 'reclaim')
        b.expect('reclaim', begin)
        b.rest()

        b.doing = 'wants too much'
        hog = guest.hog(300)
        hog.churn()
        b.expect('thrashing')
        hog.kill()
        b.rest()

        b.doing = 'container at limit'
        guest.sh('mkdir /sys/fs/cgroup/box; echo 32M >/sys/fs/cgroup/box/memory.max')
        hog = guest.hog(64, cgroup='box')
        hog.churn()
        b.expect('cgroup-limit')
        hog.kill()
        b.doing = 'container killed'
        guest.sh('echo 0 >/sys/fs/cgroup/box/memory.swap.max')
        begin = len(b.seen)
        guest.try_sh("sh -c 'echo 0 >/sys/fs/cgroup/box/cgroup.procs; exec hog 64'")
        b.expect('cgroup-oom', begin)
        b.rest()

        # No swap, and a server that has sent files to somebody slow.
        b.doing = 'almost full'
        guest.sh('swapoff /dev/vda')
        with almost_full(guest, '/dev/vdb', DISK, LIMIT):
            b.expect('kswapd-fails')

        b.doing = 'over its memory'
        begin = len(b.seen)
        Hog(guest, MEMORY, None)
        b.expect('critical', begin)
    finally:
        b.close()
    return guest.last_stats()[1]


def main():
    began = time.monotonic()
    if not BALLOONSTAT.exists():
        print(f'no {BALLOONSTAT}: run make tools', file=sys.stderr)
        return 1
    qemu = run(LAB / 'fetch', 'qemu')
    module = run(LAB / 'module')
    print(run(qemu, '--version').splitlines()[0])

    stats = {}
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for driver in 'stock', 'ours':
            guest = start(driver, module, work)
            stats[driver] = guest.stats()
            print(f'Linux {guest.sh("uname -r").strip()}, {MEMORY} MiB: '
                  f'{"our driver" if driver == "ours" else "the stock driver"}',
                  flush=True)
            if driver == 'stock':
                guest.close()
        try:
            side_by_side(stats)
            last = regimes(guest)
            guest.check_log()
        finally:
            guest.close()

    still = [name for name in PRESSURE if not last[name]]
    if still or len(stats['ours']) != len(NAMES):
        print(f'\nThis is not as it should be: {", ".join(still) or "a statistic"} '
              'did not come.', file=sys.stderr)
        return 1
    print(f'\nDone in {time.monotonic() - began:.0f} s; nothing is left running.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
