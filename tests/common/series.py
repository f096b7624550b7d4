# SPDX-License-Identifier: GPL-2.0-only
"""Series of samples of real guests, which tests/balloonstat/series.c judges again.

A series is a text of lines that begin with "#", and of a row for each sample: the time, when
the last report came, the polling interval, whether the guest runs, its memory, that of its
machine, and the statistics in the order of their tags. Both times are in seconds since the
first whole second; "-" is not known."""

import math

COLUMNS = ('polling', 'running', 'actual', 'max')


def word(value):
    return '-' if value is None else str(int(value))


def rows(objects):
    """What balloonstat --json has said of one guest, as rows."""
    objects = [o for o in objects if 'stats' in o]
    begin = math.floor(objects[0]['time'])
    for o in objects:
        reported = o['reported'] and o['reported'] - begin
        yield ' '.join((f'{o["time"] - begin:.3f}', word(reported),
                        *(word(o[name]) for name in COLUMNS),
                        *map(word, o['stats'].values())))


def verdicts(objects):
    """The names of its diagnoses, each as long as it lasts."""
    names = []
    for o in objects:
        name = o.get('diagnosis', {}).get('name')
        if name and names[-1:] != [name]:
            names.append(name)
    return names


def write(path, what, kernel, limits, objects, expect=None):
    """Write a series. What is to be said of it is what was said, unless there is @expect."""
    head = [('what', what), ('kernel', kernel), *(('set', limit) for limit in limits),
            ('verdicts', expect or ' '.join(verdicts(objects)))]
    path.write_text('# SPDX-License-Identifier: GPL-2.0-only\n' +
                    ''.join(f'# {name}: {value}\n' for name, value in head) +
                    ''.join(f'{row}\n' for row in rows(objects)))
