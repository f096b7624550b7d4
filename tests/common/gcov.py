# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of the driver were run, as gcov has counted them in guests."""

import collections
import json
import os
import pathlib
import re
import subprocess
import tarfile

# A script for a guest that puts all counts into /gcov. tar takes files in debugfs for empty,
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
    """(file, line) -> how often it was run.

    archive     the files that COLLECT has put into /gcov
    top         the directory in which the driver was compiled
    """
    run = collections.Counter()
    for data in top.rglob('*.gcda'):
        data.unlink()
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.name.endswith('.gcda'):
                continue
            # The file has the path that the object had when it was compiled.
            target = pathlib.Path('/') / member.name
            if top not in target.parents:
                continue
            target.write_bytes(tar.extractfile(member).read())
    for data in top.rglob('*.gcda'):
        # gcov looks for sources from the directory that the compiler was run in.
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
    """Print a table with a row for each file. Return the percentage of lines that were run."""
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
