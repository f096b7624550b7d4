# SPDX-License-Identifier: GPL-2.0-only
"""What pytest says came of its tests."""

import collections
import xml.etree.ElementTree


def cases(path):
    """File, name, passed or not, and properties of each test in a JUnit file."""
    if not path.exists():
        return
    for case in xml.etree.ElementTree.parse(path).iter('testcase'):
        properties = collections.defaultdict(list)
        for p in case.iter('property'):
            properties[p.get('name')].append(p.get('value'))
        # A test that was skipped has shown nothing.
        passed = not any(case.find(what) is not None for what in ('failure', 'error', 'skipped'))
        # With pytest-xdist the class is the path of the file, in dots.
        yield (case.get('classname') or '').split('.')[-1], case.get('name'), passed, properties
