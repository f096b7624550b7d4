# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel prints when something is wrong with it, or with us."""

import re

SPLAT = re.compile(
    r'''\bBUG\b | \bWARNING:(?!\ Unprivileged) | KASAN | KCSAN | KFENCE | UBSAN | ODEBUG:
    | INFO:\ .*(?:blocked\ for|stall|non-static|locking|lock\ state|RCU\ usage)
    | possible\ .*lock | inconsistent\ lock\ state | bad\ unlock\ balance
    | suspicious\ RCU | rcu.*detected\ stall | detected\ stalls
    | blocked\ for\ more\ than | soft\ lockup | hard\ (?:LOCKUP|lockup) | workqueue\ lockup
    | scheduling\ while\ atomic | sleeping\ function
    | [Bb]ad\ page | page\ dumped\ because | pagealloc: | list_(?:add|del)\ corruption
    | refcount_t: | memory\ leak(?!\ detector) | kmemleak:\ \d+\ new | unreferenced\ object
    | unable\ to\ handle | general\ protection | invalid\ opcode | stack-protector
    | taints\ kernel:\ [^OE] | Call\ Trace | Oops | Kernel\ panic''', re.VERBOSE)

OOM_BEGIN = re.compile(r'invoked oom-killer')
OOM_END = re.compile(
    r'(?:Out of memory|Memory cgroup out of memory): Killed(?: process (\d+))?')
NO_PAGE = re.compile(r'page allocation failure: order:0')


def find_splats(log):
    """The lines of a console log that no healthy kernel prints.

    A test may well want an OOM kill, and the report of one has a call trace in it. So that
    line is allowed within a complete report of an OOM kill. It is also allowed where a page
    was refused to a process that has just been killed, or to kswapd, which on 7.3 needs one
    to swap others out (swap_cluster_alloc_table).
    """
    lines = log.splitlines()
    legal = set()
    victims = set()
    begin = refused = None
    for i, line in enumerate(lines):
        if OOM_BEGIN.search(line):
            begin = i
        elif (end := OOM_END.search(line)) and begin is not None:
            legal.update(j for j in range(begin, i) if 'Call Trace' in lines[j])
            victims.add(end[1])
            begin = None
        elif NO_PAGE.search(line):
            refused = set()
        elif refused is not None and (pid := re.search(r'PID: (\d+)', line)):
            refused = {pid[1]} & victims or 'Comm: kswapd' in line
        elif refused is not None and 'Call Trace' in line:
            if refused:
                legal.add(i)
            refused = None
    return [line for i, line in enumerate(lines)
            if i not in legal and SPLAT.search(line)]
