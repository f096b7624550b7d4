# SPDX-License-Identifier: GPL-2.0-only
"""The version and the range of kernels are in dkms.conf. Files that cannot read them from
there repeat them, and must not say otherwise."""

import re

import pytest

from common.project import KERNELS, TOP, VERSION, files, objects

FIRST, LAST = KERNELS.split(' to ')
# These have to name the range.
NAME_THE_RANGE = ('README.md', 'debian/control', 'tools/balloonstat/balloonstat.1')
# These may name it, but have to name the right one. CHANGELOG.md is about the past, too.
DOCUMENTS = sorted({*NAME_THE_RANGE, *(name for name in files() if name.endswith('.md'))} -
                   {'CHANGELOG.md'})


def text(name):
    """A file with all white space in it replaced by single spaces."""
    return ' '.join((TOP / name).read_text().split())


@pytest.mark.parametrize('name', NAME_THE_RANGE)
def test_range_is_named(name):
    assert KERNELS in text(name)


@pytest.mark.parametrize('name', DOCUMENTS)
def test_no_other_range(name):
    """No range begins or ends like this one and is another."""
    named = re.findall(rf'\b{re.escape(FIRST)} to \d+\.\d+|\bfrom \d+\.\d+ to {re.escape(LAST)}\b',
                       text(name))
    assert {found.removeprefix('from ') for found in named} <= {KERNELS}


def test_range_is_read():
    """No script or program has the range as a literal, except dkms.conf."""
    readers = [name for name in files('src', 'tests', 'tools', 'Makefile', 'Kbuild')
               if name not in DOCUMENTS and not name.endswith('.patch')]
    assert [name for name in readers if KERNELS in (TOP / name).read_text()] == []


def test_version():
    assert (TOP / 'debian/changelog').read_text().startswith(f'virtio-balloon ({VERSION}) ')
    assert re.search(rf'^## .*\b{re.escape(VERSION)}\b', (TOP / 'CHANGELOG.md').read_text(), re.M)


def test_objects():
    """Kbuild has the list of the module's objects, and each source is in it."""
    compiled = {name.replace('.c', '.o') for name in files('src') if name.endswith('.c')}
    # The file with the compile checks is no part of the module.
    checks = {name.replace('.c', '.o') for name in files('src')
              if name.endswith('.c') and '#ifdef CHECK_' in (TOP / name).read_text()}
    assert set(objects()) == compiled - checks and len(checks) == 1
