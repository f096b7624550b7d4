# SPDX-License-Identifier: GPL-2.0-only
"""Guests with more than one NUMA node: which of them the balloon takes from and gives to."""

import re

import pytest

from guest import EVENTS_OF_QUEUES, INFLATE_QUEUE, MIB

pytestmark = pytest.mark.option('NUMA')

LEFT = 64           # MiB a node that are not asked for
UNEVEN = 0.03       # of the guest's memory, by which nodes may differ in what is free
NOTIFICATIONS = 1.5     # a MiB
SHORT = 96          # MiB that a node has too little, besides its reserves


def inflate(guest, size):
    """Set the target and see it reached. Returns how often the host was told, a MiB."""
    told, before = len(guest.notified(INFLATE_QUEUE)), guest.actual()
    guest.balloon(size)
    guest.wait_actual(size)
    return (len(guest.notified(INFLATE_QUEUE)) - told) / ((before - size) / MIB)


def uneven(guest):
    """By which share of the guest's memory its nodes differ in what is free."""
    free = guest.node_meminfo('MemFree')
    return (max(free) - min(free)) / guest.memory


@pytest.mark.parametrize('nodes', [(512, 512), (512, 256, 384)], ids=len)
def test_inflate(boot, nodes):
    """No node is short while another has plenty, and pages travel in full buffers."""
    guest = boot(nodes=nodes, events=EVENTS_OF_QUEUES)
    guest.load()
    guest.stats()
    totals = guest.node_meminfo('MemTotal')
    assert len(totals) == len(nodes)

    left = LEFT * MIB * len(nodes)
    half = sum(guest.node_meminfo('MemFree')) // 2 // MIB * MIB
    told = [inflate(guest, guest.memory - half)]
    differ = [uneven(guest)]
    told.append(inflate(guest, guest.memory - 2 * half + left))
    differ.append(uneven(guest))
    assert max(told) <= NOTIFICATIONS
    if guest.lab.driver == 'stock':
        # It empties one after the other.
        assert differ[0] > 5 * UNEVEN
    else:
        assert max(differ) < UNEVEN

    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    assert guest.node_meminfo('MemTotal') == totals
    guest.hog((2 * half - left) // MIB).verify()


def confine(guest, node):
    """A cgroup whose processes have the memory of this node alone."""
    name = f'node{node}'
    guest.sh('cd /sys/fs/cgroup && echo +cpuset >cgroup.subtree_control && '
             f'mkdir {name} && echo {node} >{name}/cpuset.mems')
    return name


@pytest.fixture
def guest(boot):
    guest = boot(nodes=(512, 512), balloon={'deflate-on-oom': True})
    guest.load()
    return guest


def test_a_node_is_out_of_memory(guest):
    """The balloon gives, and no process is killed."""
    before = guest.node_meminfo('MemFree')
    # More than one node has.
    target = guest.memory - sum(before) // 2 // MIB * MIB - LEFT * MIB
    guest.balloon(target)
    guest.wait_actual(target)
    free = guest.node_meminfo('MemFree')
    held = [a - b for a, b in zip(before, free)]
    node = held.index(max(held))
    hog = guest.hog(free[node] // MIB + SHORT, cgroup=confine(guest, node))
    given = guest.actual() - target
    assert 'Killed process' not in guest.log()
    hog.verify()
    # Pages come back in the reverse of the order in which they went, so that others come
    # along, but not all.
    assert 0 < given < guest.memory - target
    if guest.lab.driver == 'ours':
        # What it gave there it takes here.
        guest.wait_actual(target)
        hog.verify()
        assert 'Killed process' not in guest.log()


def test_a_node_without_balloon_is_out_of_memory(guest):
    """The balloon cannot help, and gives nothing."""
    cgroup = confine(guest, 1)
    # Only the one that comes later is to be killed.
    hog = guest.hog(guest.node_meminfo('MemFree')[1] // MIB - 48, cgroup=cgroup)
    guest.sh(f'echo -1000 >/proc/{hog.pid}/oom_score_adj')
    target = guest.memory - 192 * MIB
    guest.balloon(target)
    guest.wait_actual(target)
    pid = guest.sh(f'sh -c "echo 0 >/sys/fs/cgroup/{cgroup}/cgroup.procs && exec hog 160" '
                   '>/dev/null 2>&1 & echo $!').strip()
    guest.wait_log(rf'Out of memory: Killed process {pid} \(hog\)')
    assert re.search('oom-kill:constraint=CONSTRAINT_CPUSET,.*,mems_allowed=1,', guest.log())
    if guest.lab.driver == 'stock':
        assert guest.actual() == guest.memory
    else:
        assert guest.actual() == target
    hog.verify()
