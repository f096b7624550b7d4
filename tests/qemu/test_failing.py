# SPDX-License-Identifier: GPL-2.0-only
"""Allocations fail, on a kernel with fault injection."""

import random

import pytest

from common.guest import EVERYTHING, MIB

pytestmark = [pytest.mark.ours, pytest.mark.option('FAULT_INJECTION')]

DRIVER = '/sys/bus/virtio/drivers/virtio_balloon'
# With vectors, a kernel that had no memory for an interrupt's files in /proc warns when it
# removes them. The slot's own interrupt has had its files since boot.
BALLOON = {**EVERYTHING, 'vectors': 0}


def prepare(guest):
    """Let all kinds of allocations fail, without a message about each."""
    guest.sh('for fault in failslab fail_page_alloc; do cd /sys/kernel/debug/$fault; '
             'echo N >ignore-gfp-wait; echo 0 >verbose; done; '
             'echo 0 >/sys/kernel/debug/fail_page_alloc/min-order; '
             'echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem')


def test_probe(boot):
    """Each allocation of probe fails once. Probe then succeeds, or fails without leaks."""
    guest = boot(balloon=BALLOON, leaks=True)
    total = guest.meminfo()['MemTotal']
    guest.load()
    device = guest.sh(f'basename {DRIVER}/virtio*').strip()
    prepare(guest)
    # fail-nth says afterwards whether the fault has happened. If it has not, the loop ends, also
    # if it then happens to the reading of that file.
    tried = guest.sh(f'''
        echo {device} >{DRIVER}/unbind
        n=0 left=0 refused=0
        while [ $left = 0 ]; do
            n=$((n + 1))
            set -- $(sh -c 'echo '$n' >/proc/self/fail-nth; echo {device} >{DRIVER}/bind; '\\
'code=$?; read left </proc/self/fail-nth; echo 0 >/proc/self/fail-nth; echo $code $left' 2>/dev/null)
            [ $1 = 0 ] && echo {device} >{DRIVER}/unbind || refused=$((refused + 1))
            left=${{2:-1}}
        done
        echo {device} >{DRIVER}/bind
        echo $n $refused''', 300)
    count, refused = map(int, tried.split())
    assert count > 20 and refused > 5
    guest.balloon(256 * MIB)
    guest.wait_actual(256 * MIB)
    assert 'free-memory' in guest.stats()
    guest.unload()
    assert guest.meminfo()['MemTotal'] == total
    guest.check_leaks()


def test_resize(boot):
    """One in ten of the workers' allocations fails while the balloon is resized."""
    guest = boot(leaks=True)
    total = guest.meminfo()['MemTotal']
    guest.load()
    prepare(guest)
    guest.sh('for fault in failslab fail_page_alloc; do cd /sys/kernel/debug/$fault; '
             'echo Y >task-filter; echo 10 >probability; echo -1 >times; done; '
             'for task in /proc/[0-9]*; do '
             'grep -q kworker/u $task/comm && echo 1 >$task/make-it-fail; done; true')
    rng = random.Random(5)
    for _ in range(12):
        size = rng.randrange(192 * MIB, 512 * MIB, guest.page)
        guest.balloon(size)
        guest.wait_actual(size)
        assert guest.meminfo()['MemTotal'] == total - (guest.memory - size)
    guest.unload()
    assert guest.meminfo()['MemTotal'] == total
    guest.check_leaks()
