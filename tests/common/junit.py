# SPDX-License-Identifier: GPL-2.0-only
"""Reads the results of tests, which pytest leaves in JUnit files."""

import collections
import xml.etree.ElementTree


def cases(path):
    """Yield file, name, whether it passed, and properties of each test in a JUnit file."""
    if not path.exists():
        return
    for case in xml.etree.ElementTree.parse(path).iter('testcase'):
        properties = collections.defaultdict(list)
        for p in case.iter('property'):
            properties[p.get('name')].append(p.get('value'))
        # A test that was skipped does not count as passed.
        passed = not any(case.find(what) is not None for what in ('failure', 'error', 'skipped'))
        # With pytest-xdist the class is the path of the file, in dots.
        yield (case.get('classname') or '').split('.')[-1], case.get('name'), passed, properties
