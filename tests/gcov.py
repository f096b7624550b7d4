# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of the driver were run: what gcov counted in a guest, put together."""

import collections
import json
import os
import pathlib
import re
import subprocess
import tarfile

# In a guest: puts all counts into /gcov. debugfs has files of length 0 for tar,
# so they are copied first.
COLLECT = '''
mkdir -p /gcov
cd /sys/kernel/debug/gcov || exit
find . -name '*.gcda' | while read -r file; do
	mkdir -p "/gcov/$(dirname "$file")"
	cat "$file" >"/gcov/$file"
done
'''


def counts(archive, top):
    """(file, line) -> how often it was run, below top, where it was compiled.

    archive     of what COLLECT found
    """
    run = collections.Counter()
    for data in top.rglob('*.gcda'):
        data.unlink()
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.name.endswith('.gcda'):
                continue
            # Named for where the object was when it was compiled.
            target = pathlib.Path('/') / member.name
            if top not in target.parents:
                continue
            target.write_bytes(tar.extractfile(member).read())
    for data in top.rglob('*.gcda'):
        # gcov looks for sources where the compiler was.
        done = subprocess.run(['gcov', '--json-format', '--stdout', data], cwd=data.parent,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        for part in done.stdout.splitlines():
            for file in json.loads(part)['files']:
                path = os.path.normpath(os.path.join(data.parent, file['file']))
                found = re.search(r'/(src/(?:compat/)?[\w.]+)$', path)
                if not found or not path.startswith(f'{top}/'):
                    continue
                for line in file['lines']:
                    key = found[1], line['line_number']
                    run[key] = max(run[key], line['count'])
    return run


def save(run, path):
    path.write_text(json.dumps([[*key, times] for key, times in sorted(run.items())]))


def load(path):
    return collections.Counter({(file, line): times
                                for file, line, times in json.loads(path.read_text())})


def ranges(numbers):
    """[1, 2, 3, 7] -> 1-3 7"""
    words, numbers = [], sorted(numbers)
    while numbers:
        n = 1
        while n < len(numbers) and numbers[n] == numbers[0] + n:
            n += 1
        words.append(f'{numbers[0]}-{numbers[n - 1]}' if n > 1 else str(numbers[0]))
        numbers = numbers[n:]
    return ' '.join(words)


def report(run):
    """Prints a line a file; returns the share of lines that were run, in percent."""
    lines = collections.defaultdict(dict)
    for (file, number), times in run.items():
        lines[file][number] = times
    total = covered = 0
    print(f'{"file":<22}{"lines":>6}{"run":>6}{"%":>7}  not run')
    for file in sorted(lines):
        missed = [number for number, times in lines[file].items() if not times]
        n = len(lines[file])
        total += n
        covered += n - len(missed)
        print(f'{file:<22}{n:>6}{n - len(missed):>6}{100 * (n - len(missed)) / n:>7.1f}  '
              f'{ranges(missed)}')
    share = 100 * covered / total if total else 0
    print(f'{"in all":<22}{total:>6}{covered:>6}{share:>7.1f}')
    return share
