# SPDX-License-Identifier: GPL-2.0-only
"""Costs in instructions of the guest, from the guest's own tracer.

Under -icount shift=0,sleep=off the guest's clock counts its instructions, one a
nanosecond, and time in which it idles is skipped: so a figure is repeatable, and
says nothing of the host's work."""

import re
import statistics

from guest import MIB, start_guest

TRACING = '/sys/kernel/tracing'
ICOUNT = {'accel': 'tcg,thread=single', 'qemu_args': ('-icount', 'shift=0,sleep=off')}
# Zeroing a page is 4,096 instructions here, and a few dozen cycles elsewhere.
APPEND = 'init_on_alloc=0'
REPORTS = 90
ROUNDS = 4                      # of inflating and deflating; the first does not count
RESIZE = 256 * MIB
# What moves the balloon, as either driver calls it.
SIZE_WORK = {'stock': 'update_balloon_size_func', 'ours': 'balloon_size_work'}
# The interrupt of a request: with a vector for each queue, or one for all.
REQUEST = ('-stats', '-virtqueues')
HANDLER = ('vp_vring_interrupt', 'vring_interrupt')
# What tells the device, as kernels call it.
NOTIFY = ('vp_notify', 'vp_notify_with_data')
EMPTY = '__(x64|ia32|do)_sys_getppid'    # as good as; an alias of all three


def count(lab, new_directory, cpus):
    """A guest whose clock counts instructions, with the driver loaded."""
    guest = start_guest(lab, new_directory, cpus=cpus, append=APPEND, **ICOUNT)
    guest.load()
    guest.sh(f'mount -t tracefs tracefs {TRACING}')
    return guest


def trace(guest, tracer, functions, clock):
    """Trace these functions, of which the guest has some, and no others."""
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
    """From each request's interrupt to the next call of the function, and the end of it.

    Two lists of instructions; an interrupt that ends before the call has 0 for its end."""
    trace(guest, 'function', function, 'x86-tsc')
    guest.sh(f'cd {TRACING} && echo 1 >events/irq/irq_handler_entry/enable && '
             'echo 1 >events/irq/irq_handler_exit/enable')
    guest.poll_stats(1)
    guest.sh(f'echo >{TRACING}/trace; sleep {REPORTS + 5}; echo 0 >{TRACING}/tracing_on', 600)
    guest.poll_stats(0)
    lines = traced(guest)
    guest.sh(f'echo 1 >{TRACING}/tracing_on')

    entered = {}            # of a request: its interrupt, CPU and time
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
    """Instructions from the host's interrupt to the driver's notification, and those
    of them that interrupts are off for; medians, the tracer's own subtracted."""
    guest = count(lab, new_directory, cpus)
    # The handler comes right after the event: what lies between is the event's record.
    record = statistics.median(answers(guest, HANDLER)[0])
    taken, stretches = answers(guest, NOTIFY)
    guest.check_log()
    guest.close()
    if len(taken) < REPORTS * 0.8:
        raise ValueError(f'only {len(taken)} answers of about {REPORTS} were traced')
    return {'report': statistics.median(taken) - record,
            'stretch': max(stretches) - record}


def durations(guest):
    """Of each call that was traced, in instructions."""
    return [round(float(us) * 1000) for us in
            re.findall(r'(\d+\.\d+) us', '\n'.join(traced(guest)))]


def resizing(lab, new_directory):
    """A guest to resize, and what the tracer makes of a call that does nothing."""
    guest = count(lab, new_directory, 2)
    guest.sh(f'echo 0 >{TRACING}/options/sleep-time')
    trace(guest, 'function_graph', [EMPTY], 'local')
    guest.sh('sh -c :; sh -c :; sh -c :')
    return guest, min(durations(guest))


def costs(guest, empty, function, rounds):
    """Instructions a MiB that pass within the function, of each round; inflating and deflating."""
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
    """Instructions a MiB, inflated and deflated; medians of the rounds."""
    guest, empty = resizing(lab, new_directory)
    found = costs(guest, empty, SIZE_WORK[lab.driver], ROUNDS)
    guest.check_log()
    guest.close()
    return {what: statistics.median(cost[1:]) for what, cost in found.items()}


def functions(lab, new_directory, names):
    """The same within each of these functions, of the driver or the kernel; one round."""
    guest, empty = resizing(lab, new_directory)
    costs(guest, empty, SIZE_WORK[lab.driver], 1)
    found = {name: {what: cost[0] for what, cost in costs(guest, empty, name, 1).items()}
             for name in [SIZE_WORK[lab.driver], *names]}
    guest.check_log()
    guest.close()
    return found
