# SPDX-License-Identifier: GPL-2.0-only
"""Guests with more than one NUMA node: from which nodes the balloon's pages come."""

import re

import pytest

from common.guest import EVENTS_OF_QUEUES, MIB

pytestmark = pytest.mark.option('NUMA')

LEFT = 64               # MiB that are left free on each node
UNEVEN = 0.03           # how much the nodes' free memory may differ, as a share of all memory
BUFFERS = 1.5           # for each MiB
SHORT = 96              # MiB that a process wants beyond what its node has free


def inflate(guest, size):
    """Set the target and wait until it is reached. Return the buffers sent for each MiB."""
    sent, before = guest.buffers_inflated(), guest.actual()
    guest.balloon(size)
    guest.wait_actual(size)
    return (guest.buffers_inflated() - sent) / ((before - size) / MIB)


def uneven(guest):
    """How much the nodes differ in free memory, as a share of all memory."""
    free = guest.node_meminfo('MemFree')
    return (max(free) - min(free)) / guest.memory


@pytest.mark.parametrize('nodes', [(512, 512), (512, 256, 384)], ids=len)
def test_inflate(boot, nodes):
    """The nodes' free memory shrinks evenly, and buffers are sent full."""
    guest = boot(nodes=nodes, events=EVENTS_OF_QUEUES)
    guest.load()
    guest.stats()
    totals = guest.node_meminfo('MemTotal')
    assert len(totals) == len(nodes)

    left = LEFT * MIB * len(nodes)
    half = sum(guest.node_meminfo('MemFree')) // 2 // MIB * MIB
    sent = [inflate(guest, guest.memory - half)]
    differ = [uneven(guest)]
    sent.append(inflate(guest, guest.memory - 2 * half + left))
    differ.append(uneven(guest))
    assert max(sent) <= BUFFERS
    if guest.lab.driver == 'stock':
        # The stock driver takes the memory of one node after the other.
        assert differ[0] > 5 * UNEVEN
    else:
        assert max(differ) < UNEVEN

    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    assert guest.node_meminfo('MemTotal') == totals
    guest.hog((2 * half - left) // MIB).verify()


def confine(guest, node):
    """Make a cgroup whose processes may only use the memory of this node."""
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
    """The balloon gives pages of that node back, and no process is killed."""
    before = guest.node_meminfo('MemFree')
    # The balloon takes more than one node has.
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
    # Pages leave the balloon in the reverse order, so that pages of the other node come back
    # as well. But not all pages do.
    assert 0 < given < guest.memory - target
    if guest.lab.driver == 'ours':
        # Then the driver inflates again, with pages of the other node.
        guest.wait_actual(target)
        hog.verify()
        assert 'Killed process' not in guest.log()


def test_a_node_without_balloon_is_out_of_memory(guest):
    """The balloon has no pages of the node, so it gives nothing back."""
    cgroup = confine(guest, 1)
    # The OOM killer has to choose the process that is started later.
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
