# SPDX-License-Identifier: GPL-2.0-only
"""A guest boots and runs commands, the driver sends statistics, and faults are noticed."""

import pytest

from common.guest import CommandError
from common.splats import find_splats
from common.stat_names import FIRST_TEN, NAMES


def test_shell(guest):
    assert guest.sh('printf "a\\n\\nb"') == 'a\n\nb'
    assert guest.try_sh('echo no >&2; exit 3') == (3, 'no\n')
    with pytest.raises(CommandError):
        guest.sh('false')
    assert len(guest.sh('head -c 100000 /dev/zero | tr "\\0" x')) == 100000


@pytest.mark.anywhere
def test_statistics(guest, shows):
    guest.load()
    assert 'VIRTIO_BALLOON_F_STATS_VQ' in guest.features()
    stats = guest.stats()
    assert set(stats) == set(NAMES if guest.lab.has_pressure() else FIRST_TEN)
    shows('statistics that reach the host', len(stats))
    assert stats['total-memory'] == guest.meminfo()['MemTotal']


def test_hog_and_balloon(boot):
    guest = boot(memory=256, swap=256)
    guest.load()
    hog = guest.hog(64)
    guest.balloon(192 << 20)
    guest.wait_actual(192 << 20)
    hog.verify()
    hog.churn()
    hog.verify()
    hog.kill()


def test_find_splats():
    oom = ('[ 1.0] hog invoked oom-killer: gfp_mask=0x1\n'
           '[ 1.0] Call Trace:\n'
           '[ 1.0] Out of memory: Killed process 1 (hog)\n')
    assert find_splats(oom) == []
    assert find_splats(oom + '[ 2.0] Call Trace:\n') == ['[ 2.0] Call Trace:']
    # Only the call trace within a complete OOM report is allowed.
    assert find_splats(oom.replace('Call', 'BUG: x\nCall')) == ['[ 1.0] BUG: x']
    assert len(find_splats(oom.replace('Out of', 'out of'))) == 1
    # A page may be refused to the victim, but to no other process.
    refused = ('[ 3.0] hog: page allocation failure: order:0, mode:0x1\n'
               '[ 3.0] CPU: 0 PID: 1 Comm: hog Not tainted\n'
               '[ 3.0] Call Trace:\n')
    assert find_splats(oom + refused) == []
    assert len(find_splats(refused)) == 1
    assert len(find_splats(oom + refused.replace('PID: 1 ', 'PID: 2 '))) == 1
    assert len(find_splats(oom + refused + '[ 3.0] Call Trace:\n')) == 1
    assert find_splats('INFO: task a:1 blocked for more than 60 seconds.\n')


def test_a_panic_is_noticed(boot):
    guest = boot()
    guest.send('echo c >/proc/sysrq-trigger')
    guest.wait_exit()
    with pytest.raises(AssertionError, match='Kernel panic'):
        guest.check_log()
    guest.console.write_text('')
