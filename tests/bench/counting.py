# SPDX-License-Identifier: GPL-2.0-only
"""Costs in instructions of the guest, as the guest's own tracer shows them.

Under -icount shift=0,sleep=off the guest's clock advances by a nanosecond with each
instruction, and it skips the time in which the guest is idle. So figures are repeatable, and
the host's work is not in them."""

import re
import statistics

from common.guest import MIB, start_guest

TRACING = '/sys/kernel/tracing'
ICOUNT = {'accel': 'tcg,thread=single', 'qemu_args': ('-icount', 'shift=0,sleep=off')}
# Zeroing a page takes 4,096 instructions here, and a few dozen cycles on real hardware.
APPEND = 'init_on_alloc=0'
REPORTS = 90
ROUNDS = 4                      # of inflating and deflating. The first one does not count
RESIZE = 256 * MIB
# The function of each driver that inflates and deflates the balloon.
SIZE_WORK = {'stock': 'update_balloon_size_func', 'ours': 'balloon_size_work'}
# Ends of the name of the interrupt that brings a request. There is one for each queue, or one
# for all.
REQUEST = ('-stats', '-virtqueues')
HANDLER = ('vp_vring_interrupt', 'vring_interrupt')
# The kernel's functions that notify the device. Kernels have different ones.
NOTIFY = ('vp_notify', 'vp_notify_with_data')
# A function that does hardly anything. It has three names.
EMPTY = '__(x64|ia32|do)_sys_getppid'


def count(lab, new_directory, cpus):
    """A guest whose clock counts instructions, with the driver loaded."""
    guest = start_guest(lab, new_directory, cpus=cpus, append=APPEND, **ICOUNT)
    guest.load()
    guest.sh(f'mount -t tracefs tracefs {TRACING}')
    return guest


def trace(guest, tracer, functions, clock):
    """Trace those of these functions that the guest has, and no others."""
    names = '|'.join(functions)
    guest.sh(f'cd {TRACING} && echo nop >current_tracer && echo {clock} >trace_clock && '
             f'grep -xE "({names})( .*)?" available_filter_functions | cut -d" " -f1 >/tmp/names && '
             'test -s /tmp/names && cat /tmp/names >set_ftrace_filter && '
             f'echo {tracer} >current_tracer && echo >trace')


def traced(guest):
    return guest.sh(f'cat {TRACING}/trace', 300).splitlines()


EVENT = re.compile(r'\[(\d+)\].*? (\d+): (?:(irq_handler_entry|irq_handler_exit): irq=(\d+)'
                   r'(?: name=(\S+))?|(\w+) <-)')


def answers(guest, function):
    """Count the instructions from each request's interrupt to the next call of the function, and
    from its interrupt to the end of that.

    Returns two lists of numbers."""
    trace(guest, 'function', function, 'x86-tsc')
    guest.sh(f'cd {TRACING} && echo 1 >events/irq/irq_handler_entry/enable && '
             'echo 1 >events/irq/irq_handler_exit/enable')
    guest.poll_stats(1)
    guest.sh(f'echo >{TRACING}/trace; sleep {REPORTS + 5}; echo 0 >{TRACING}/tracing_on', 600)
    guest.poll_stats(0)
    lines = traced(guest)
    guest.sh(f'echo 1 >{TRACING}/tracing_on')

    entered = {}            # the interrupt of the last request, its CPU and its time
    taken, stretches = [], []
    for line in lines:
        event = EVENT.search(line)
        if not event:
            continue
        cpu, when, what, irq, name, called = event.groups()
        when = int(when)
        if what == 'irq_handler_entry' and name and name.endswith(REQUEST):
            entered = {'irq': irq, 'cpu': cpu, 'time': when}
        elif called and entered and 'called' not in entered:
            entered['called'] = True
            taken.append(when - entered['time'])
        elif what == 'irq_handler_exit' and entered and irq == entered['irq']:
            stretches.append(when - entered['time'])
    return taken, stretches


def report(lab, new_directory, cpus):
    """Instructions from the interrupt of a request to the driver's notification of the answer
    (median), and the most of them that run with interrupts off.

    The instructions of the tracer itself are subtracted."""
    guest = count(lab, new_directory, cpus)
    # The handler is called right after the event, so the difference is what the tracer takes to
    # record it.
    record = statistics.median(answers(guest, HANDLER)[0])
    taken, stretches = answers(guest, NOTIFY)
    guest.check_log()
    guest.close()
    if len(taken) < REPORTS * 0.8:
        raise ValueError(f'only {len(taken)} answers of about {REPORTS} were traced')
    return {'report': statistics.median(taken) - record,
            'stretch': max(stretches) - record}


def durations(guest):
    """How many instructions each traced call took."""
    return [round(float(us) * 1000) for us in
            re.findall(r'(\d+\.\d+) us', '\n'.join(traced(guest)))]


def resizing(lab, new_directory):
    """A guest to resize, and the instructions that the tracer shows for a call without content."""
    guest = count(lab, new_directory, 2)
    guest.sh(f'echo 0 >{TRACING}/options/sleep-time')
    trace(guest, 'function_graph', [EMPTY], 'local')
    guest.sh('sh -c :; sh -c :; sh -c :')
    return guest, min(durations(guest))


def costs(guest, empty, function, rounds):
    """Instructions within the function for each MiB, in each round of inflating and deflating."""
    found = {'inflate': [], 'deflate': []}
    trace(guest, 'function_graph', [function], 'local')
    for _ in range(rounds):
        for what, size in ('inflate', guest.memory - RESIZE), ('deflate', guest.memory):
            guest.sh(f'echo >{TRACING}/trace')
            guest.balloon(size)
            guest.wait_actual(size)
            calls = durations(guest)
            found[what].append((sum(calls) - len(calls) * empty) / (RESIZE / MIB))
    return found


def resize(lab, new_directory):
    """Instructions for a MiB inflated and for a MiB deflated. Medians of all rounds."""
    guest, empty = resizing(lab, new_directory)
    found = costs(guest, empty, SIZE_WORK[lab.driver], ROUNDS)
    guest.check_log()
    guest.close()
    return {what: statistics.median(cost[1:]) for what, cost in found.items()}


def functions(lab, new_directory, names):
    """Instructions for a MiB within each of these functions of the driver or the kernel."""
    guest, empty = resizing(lab, new_directory)
    costs(guest, empty, SIZE_WORK[lab.driver], 1)
    found = {name: {what: cost[0] for what, cost in costs(guest, empty, name, 1).items()}
             for name in [SIZE_WORK[lab.driver], *names]}
    guest.check_log()
    guest.close()
    return found
