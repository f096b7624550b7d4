#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does to a guest with our driver whatever a host may do, at random, for some time.

Prints each step before it is taken. The seed alone decides what comes: the same one
does the same again, though not with the same timing. A guest lives for some dozen
steps. At its end all memory has to be there, and its log must be clean.
"""

import argparse
import contextlib
import itertools
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'qemu'))
from guest import GuestError, MIB, TIMEOUT, start_guest  # noqa: E402
from lab import LAB, make_lab, run                              # noqa: E402
from qmp import QMPClosed, QMPError                             # noqa: E402
from test_dead import PULL, PULLABLE, REMOVE, RESET, check_pulled   # noqa: E402

MEMORY = 512
HOGS = 3                # at a time
HOG = 48                # MiB, at most
# What a guest needs besides its hogs.
KERNEL = 128            # MiB
STEPS = 25              # of a guest's life

EVERYTHING = {'free-page-hint': True, 'free-page-reporting': True, 'page-poison': True}
# Not two in one: only this machine suspends more than once, and only the other
# has devices that can be reset by themselves, and pulled.
SLEEPER = {'machine': 'pc', 'bzimage': True, 'append': 'page_poison=1 no_console_suspend'}
EXPRESS = {'machine': 'q35', 'ports': 1, 'qemu_args': PULLABLE, 'append': 'page_poison=1'}


class Life:
    """One guest, and those that it is migrated to."""

    def __init__(self, lab, rng, new_directory):
        self.lab, self.rng, self.new_directory = lab, rng, new_directory
        self.express = rng.random() < 0.5
        self.balloon = {name: rng.random() < 0.7 for name in EVERYTHING}
        self.balloon['deflate-on-oom'] = rng.random() < 0.3
        if self.express:
            self.balloon['bus'] = 'port0'
        self.hogs = []
        self.gone = False
        self.target = MEMORY * MIB
        self.guest = self.start()
        self.begin()

    def __str__(self):
        features = [name for name, on in self.balloon.items() if on is True]
        return f'{"q35" if self.express else "pc"}, {", ".join(features) or "no features"}'

    def start(self, incoming=None):
        return start_guest(self.lab, self.new_directory, memory=MEMORY, leaks=True, reboot=True,
                           balloon=self.balloon, incoming=incoming,
                           **(EXPRESS if self.express else SLEEPER))

    def begin(self):
        """The guest has just booted."""
        self.hogs = []
        self.total = self.guest.meminfo()['MemTotal']
        self.guest.load()

    # --- what may happen: each has all that is random decided before it acts ------

    def needed(self):
        return KERNEL + sum(mib for mib, _ in self.hogs)

    def target_any(self):
        # A guest that can give no more, and gets nothing back, would end for good.
        least = 16 if self.balloon['deflate-on-oom'] else self.needed()
        pages = self.rng.randrange(least * MIB // 4096, MEMORY * MIB // 4096)
        return f'target {pages * 4} KiB', lambda: self.aim(pages * 4096)

    def target_reachable(self):
        mib = self.rng.randrange(self.needed(), MEMORY)
        return f'target {mib} MiB, waited for', lambda: self.reach(mib * MIB)

    def aim(self, size):
        self.target = size
        self.guest.balloon(size)

    def reach(self, size):
        self.aim(size)
        self.guest.wait_actual(size)

    def hog_comes(self):
        mib = self.rng.randrange(8, HOG)
        # What is needed is there, or the guest would have to kill something.
        room = self.target >= (self.needed() + mib) * MIB or self.balloon['deflate-on-oom']
        if len(self.hogs) == HOGS or not room:
            return None
        self.hogs.append((mib, None))

        def act():
            self.hogs[-1] = mib, self.guest.hog(mib)
        return f'a process takes {mib} MiB', act

    def hog_goes(self):
        if not self.hogs:
            return None
        mib, hog = self.hogs.pop(self.rng.randrange(len(self.hogs)))
        return f'the process with {mib} MiB ends', hog.kill

    def hog_works(self):
        if not self.hogs:
            return None
        mib, hog = self.rng.choice(self.hogs)

        def act():
            hog.churn()
            self.verify(hog)
        return f'the process with {mib} MiB uses all of it', act

    def storm(self):
        if not self.balloon['deflate-on-oom']:
            return None
        mib = MEMORY - self.needed()

        def act():
            hog = self.guest.hog(mib)
            hog.verify()
            hog.kill()
        return f'a process takes {mib} MiB, in one go', act

    def statistics(self):
        return 'statistics', lambda: self.guest.stats()['total-memory']

    def polling(self):
        seconds = self.rng.randrange(2)
        return f'polling every {seconds} s', lambda: self.guest.poll_stats(seconds)

    def reload(self):
        def act():
            self.guest.unload()
            self.check_total()
            self.guest.load()
        return 'the module is reloaded', act

    def compact(self):
        return 'memory is compacted', lambda: self.guest.sh(
            'echo 8 >/proc/sys/vm/nr_hugepages; echo 1 >/proc/sys/vm/compact_memory; '
            'echo 0 >/proc/sys/vm/nr_hugepages')

    def pause(self):
        seconds = self.rng.randrange(1, 30) / 10
        return f'nothing for {seconds} s', lambda: time.sleep(seconds)

    def system_reset(self):
        if self.rng.random() < 0.7:
            return None

        def act():
            self.guest.qmp.cmd('system_reset')
            self.guest.wait_ready()
            self.begin()
        return 'the guest is reset', act

    def suspend(self):
        if self.express:
            return None

        def act():
            sent = self.guest.send('echo mem >/sys/power/state')
            if self.guest.qmp.take_event('SUSPEND', TIMEOUT) is None:
                self.guest.fail('the guest did not suspend')
            self.guest.qmp.cmd('system_wakeup')
            if self.guest.result(sent)[0]:
                self.guest.fail('the guest did not resume')
        return 'suspend and resume', act

    def function_reset(self):
        if not self.express:
            return None

        def act():
            self.guest.sh(f'echo 1 >{RESET}')
            # On kernels that do not tell, it works again once it is loaded again.
            self.guest.unload()
            self.check_total()
            self.guest.load()
            # The device has forgotten what the host wanted, or not.
            self.guest.balloon(self.target)
        return 'a reset behind the driver\'s back', act

    def migrate(self):
        if self.rng.random() < 0.5:
            return None

        def act():
            target = self.start(incoming=self.guest)
            source, self.guest = self.guest, target
            try:
                source.check_log()
                source.migrate_to(target)
            finally:
                source.close()
            for _, hog in self.hogs:
                hog.guest = target
        return 'migration', act

    def pulled(self):
        if not self.express or self.rng.random() < 0.7:
            return None
        self.gone = True

        def act():
            self.guest.sh(PULL)
            check_pulled(self.guest)
            self.guest.sh(f'echo 1 >{REMOVE}')
        return 'the device is pulled', act

    # -----------------------------------------------------------------------------

    def choose(self):
        """What comes next, in words, and what does it."""
        while True:
            step = self.rng.choice(self.CHOICES)(self)
            if step:
                return step

    CHOICES = (target_any, target_any, target_any, target_reachable, hog_comes, hog_comes,
               hog_goes, hog_works, storm, statistics, polling, reload, compact, pause, system_reset,
               suspend, function_reset, migrate, pulled)

    def verify(self, hog):
        """It has its memory, or died for want of memory where the balloon does not give."""
        killed = f'Killed process {hog.pid} (hog)' in self.guest.log()
        if not killed or self.balloon['deflate-on-oom']:
            hog.verify()

    def check_total(self):
        total = self.guest.meminfo()['MemTotal']
        if total != self.total:
            self.guest.fail(f'MemTotal is {total >> 10} KiB, was {self.total >> 10}')

    def end(self):
        """All memory is there again, and has in it what was put there."""
        for _, hog in self.hogs:
            self.verify(hog)
        if not self.gone:
            self.guest.poll_stats(0)
            self.reach(MEMORY * MIB)
        self.guest.unload()
        self.check_total()
        # Every page is used once more.
        hog = self.guest.hog((self.guest.meminfo()['MemAvailable'] // MIB) - 48)
        hog.verify()
        for _, other in self.hogs:
            self.verify(other)
        self.guest.check_leaks()
        self.guest.check_log()

    def close(self):
        if self.guest.close():
            raise GuestError('QEMU ended by itself' + self.guest.tail())


def soak(lab, seed, seconds, work):
    """Returns how many steps were taken."""
    rng = random.Random(seed)
    directories = itertools.count()

    def new_directory():
        directory = work / str(next(directories))
        directory.mkdir()
        return directory

    steps = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Of its own, so that it depends on nothing that happened to others.
        life = Life(lab, random.Random(rng.random()), new_directory)
        print(f'a guest: {life}', flush=True)
        with contextlib.closing(life):
            for _ in range(STEPS):
                what, act = life.choose()
                steps += 1
                print(f'{steps:5} {what}', flush=True)
                act()
                life.guest.check_log()
                if life.gone or time.monotonic() > end:
                    break
            life.end()
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--seconds', type=float, default=600)
    parser.add_argument('--seed', type=int, default=time.time_ns() % 1000000)
    parser.add_argument('--kernel', help='as for the guest tests (default: Debian\'s)')
    parser.add_argument('--module', type=pathlib.Path, help='default: built for that')
    args = parser.parse_args()
    module = args.module or pathlib.Path(run(LAB / 'module'))

    print(f'seed {args.seed}')
    with tempfile.TemporaryDirectory(prefix='balloon-soak.') as work:
        lab = make_lab('ours', module, pathlib.Path(work), kernel=args.kernel)
        try:
            steps = soak(lab, args.seed, args.seconds, pathlib.Path(work))
        except (GuestError, QMPError, QMPClosed) as error:
            print(f'{error}\nFAIL: seed {args.seed}: see the last step')
            return 1
    print(f'{steps} steps, no page lost, nothing in the logs; seed {args.seed}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
