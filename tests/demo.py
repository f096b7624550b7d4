#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a host learns about a guest's memory, with the stock driver and ours."""

import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'qemu'))
from guest import Guest, Hog, MIB       # noqa: E402
from lab import LAB, make_lab, run      # noqa: E402

MEMORY = 256
SWAP = 128
LIMIT = 60                  # seconds, at the most

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
                  memory=MEMORY, swap=SWAP)
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


def next_report(guest, seen):
    guest.wait_for(lambda: guest.last_stats()[0] > seen, what='report')
    return guest.last_stats()


def pressure(guest):
    """Fill the guest beyond its memory, then beyond its swap."""
    print(f'\nNow pressure on {MEMORY} MiB of memory and {SWAP} MiB of swap: first more than the '
          'memory is in use, then more\nthan both. A line is what one more report brought, '
          'as the host sees it.\n')
    print(f'{"second":>6}  {"in use":<21}' +
          ''.join(f'{name:>17}' for name in PRESSURE))
    guest.poll_stats(1)
    seen, before = next_report(guest, 0)
    began = seen
    hogs = []
    kills = 0
    # The OOM killer comes when swap is full: soon, but that is the guest's to say.
    while not kills and seen - began < LIMIT:
        if len(hogs) == 0 and seen - began >= 2:
            hogs.append(Hog(guest, MEMORY, None))
        elif len(hogs) == 1 and seen - began >= 10:
            hogs.append(Hog(guest, MEMORY, None))
        doing = ('little', 'more than its memory', 'more than all it has')[len(hogs)]
        seen, now = next_report(guest, seen)
        print(f'{seen - began:>6}  {doing:<21}' + ''.join(
            f'{"+" + show(now[name] - before[name], name):>17}'
            for name in PRESSURE), flush=True)
        kills = now['oom-kills'] - before['oom-kills']
        before = now
    return now


def main():
    began = time.monotonic()
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
            last = pressure(guest)
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
