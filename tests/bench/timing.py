# SPDX-License-Identifier: GPL-2.0-only
"""Costs in time, which also contain the host's work.

A time says little by itself. It is to be compared with that of the other driver."""

import re
import statistics
import time

from common import hostram
from common.guest import MIB, STATS_QUEUE, start_guest

GIB = 1024 * MIB
SMP = {'cpus': 2}
EVENTS = ('virtio_notify', 'virtio_queue_notify', 'virtio_balloon_set_config')
THRASHING = {'memory': 192, 'swap': 512}
PAUSE = 0.1             # seconds between an answer and the next request
# The kernel's functions that free pages. Kernels have different ones.
FREE = ('free_unref_page', 'free_unref_page_list', 'free_unref_folios', '__free_frozen_pages',
        '__free_pages_ok')
OOM = 'out_of_memory'   # calls the notifier. Tracing begins with it, so as to show that call
NOTIFIER = {'stock': 'virtio_balloon_oom_notify', 'ours': 'balloon_oom_notify'}


def start(lab, new_directory, **options):
    """A guest with the driver loaded, whose QEMU writes down the notifications of both sides."""
    guest = start_guest(lab, new_directory, **SMP, **options, events=EVENTS)
    guest.load()
    return guest


def use(guest):
    """Have the guest use most of its memory, so that the host has to provide it."""
    guest.hog(1200).kill()


def take(lab, new_directory, fill=use, append='init_on_alloc=0', **options):
    """Inflate by 1 GiB in a guest that has filled its memory. Returns seconds, and more."""
    guest = start(lab, new_directory, memory=1536, append=append, **options)
    fill(guest)
    full = guest.rss()
    size = guest.memory - GIB
    sent = guest.buffers_inflated()
    host = hostram.main_thread_seconds(guest.proc.pid)
    began = time.time()
    guest.balloon(size)
    guest.wait_actual(size, 300)
    ended = time.time()
    writes = [when for when, name, _ in guest.noted()
              if name == 'virtio_balloon_set_config' and began <= when <= ended]
    sent = guest.buffers_inflated() - sent
    host = hostram.main_thread_seconds(guest.proc.pid) - host
    won = full - guest.rss()
    guest.check_log()
    guest.close()
    return {'inflate': writes[-1] - began, 'host': host, 'writes': len(writes), 'won': won / MIB,
            'age': max(b - a for a, b in zip([began, *writes], writes)),
            'told': sent / (GIB / MIB)}


def inflate(lab, new_directory):
    return take(lab, new_directory)


def inflate_zeroed(lab, new_directory):
    """With init_on_alloc=1, which is the default of Debian's kernels.

    In emulation, zeroing pages is most of the guest's work then."""
    return {'inflate, zeroed': take(lab, new_directory, append='init_on_alloc=1')['inflate']}


def numa(lab, new_directory):
    """With two NUMA nodes, of which neither has enough memory."""
    taken = take(lab, new_directory, nodes=(768, 768))
    return {'numa': taken['inflate'], 'numa, told': taken['told']}


def numa3(lab, new_directory):
    """With three nodes, of which none has enough memory."""
    return {'numa3, told': take(lab, new_directory, nodes=(576, 576, 576))['told']}


def cache(lab, new_directory):
    """With a memory full of page cache, which has to be reclaimed first."""
    def read(guest):
        # The page cache of a disk is dropped as soon as nobody uses the disk.
        guest.mount_disk()
        guest.sh('cat /dev/vda >/dev/null', 300)
    taken = take(lab, new_directory, fill=read, disk=2048)
    return {'cache': taken['inflate'], 'cache, told': taken['told']}


def ask(guest, seconds):
    """Ask for statistics for some seconds. Return when each answer came, and its milliseconds."""
    queue = None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        guest.poll_stats(0)
        guest.poll_stats(1)         # QEMU asks at once, unless an answer is still to come
        time.sleep(PAUSE)
    guest.poll_stats(0)

    events = guest.noted()
    for _, name, arguments in events:
        if name == 'virtio_queue_notify' and f' n {STATS_QUEUE} ' in arguments:
            queue = arguments.split()[-1]
    asked, taken = None, []
    for when, name, arguments in events:
        if not arguments.endswith(queue):
            continue
        if name == 'virtio_notify':
            asked = when
        elif name == 'virtio_queue_notify' and asked:
            taken.append((when, (when - asked) * 1000))
            asked = None
    return taken


def thrashing(lab, new_directory):
    guest = start(lab, new_directory, **THRASHING)
    hog = guest.hog(224, timeout=120)
    hog.churn()
    taken = [ms for _, ms in ask(guest, 30)]
    guest.check_log()
    guest.close()
    return {'thrashing': statistics.median(taken), 'thrashing, worst': max(taken)}


def inflating(lab, new_directory):
    guest = start(lab, new_directory, memory=1536)
    guest.hog(1200).kill()
    guest.balloon(guest.memory - GIB)
    answers = ask(guest, 3)
    guest.wait_actual(guest.memory - GIB)
    # What comes later is the answer of a guest that does nothing.
    end = max(when for when, name, _ in guest.noted() if name == 'virtio_balloon_set_config')
    taken = [ms for when, ms in answers if when < end]
    guest.check_log()
    guest.close()
    return {'inflating': statistics.median(taken), 'inflating, worst': max(taken)}


def relief(lab, new_directory):
    """Milliseconds that an OOM waits until the driver has freed the first page."""
    guest = start(lab, new_directory, memory=384, balloon={'deflate-on-oom': True})
    size = 160 * MIB
    guest.balloon(size)
    guest.wait_actual(size)
    # The first OOM does not count. Most of its time goes into translating code that QEMU has not
    # run before.
    guest.hog(224).kill()
    guest.balloon(size)
    guest.wait_actual(size)
    tracing = '/sys/kernel/tracing'
    notifier = NOTIFIER[lab.driver]
    names = '|'.join(FREE)
    guest.sh(f'mount -t tracefs tracefs {tracing} && cd {tracing} && echo mono >trace_clock && '
             'echo 0 >tracing_on && echo 0 >options/overwrite && '
             f'grep -xE "{names}" available_filter_functions >/tmp/names && '
             f'echo {notifier} >>/tmp/names && cat /tmp/names >set_ftrace_filter && '
             f'echo "{OOM}:traceon:1" >>set_ftrace_filter && echo function >current_tracer')
    # For the same reason, the tracer's code is run once.
    guest.sh(f'cd {tracing} && echo 1 >tracing_on && sh -c : && echo 0 >tracing_on && echo >trace')
    guest.hog(224).kill()
    task = held = began = None
    for line in guest.sh(f'head -n 5000 {tracing}/trace', 300).splitlines():
        call = re.search(r'-(\d+) .* (\d+\.\d+): (\w+) <-', line)
        if not call:
            continue
        if call[3] == notifier and began is None:
            task, began = call[1], float(call[2])
        elif began is not None and call[1] == task:
            held = (float(call[2]) - began) * 1000
            break
    guest.check_log()
    guest.close()
    if held is None:
        raise ValueError(f'no page was freed by {notifier}')
    return {'relief': held}
