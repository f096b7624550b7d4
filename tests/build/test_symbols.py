# SPDX-License-Identifier: GPL-2.0-only
"""docs/kernel-symbols.md lists what the module needs from Debian's kernel 6.1.

Only what our sources name is compared. The rest comes from the kernel's headers, from its
configuration and from the compiler, and an update of the kernel may change it."""

import re

import pytest

from common.project import DRIVER, TOP, copy
from conftest import run
from test_build import newest_headers

KERNEL = '6.1'
ROW = re.compile(r'^\| `.*', re.M)


@pytest.fixture(scope='module')
def build(tmp_path_factory):
    """The module, and the file that lists what its kernel exports."""
    headers = newest_headers(f'{KERNEL}.*-amd64')
    directory = tmp_path_factory.mktemp('module')
    copy(directory, *DRIVER, 'tools', 'Makefile')
    code, output = run('make', '-C', directory, f'KDIR={headers}')
    assert code == 0, output
    return directory / 'virtio_balloon.ko', headers / 'Module.symvers'


def tables(*args):
    """Run the script. Return the rows of its two tables."""
    code, output = run('sh', TOP / 'tools/kernel-symbols', *args)
    assert code == 0, output
    named, other = output.split("\nFrom the kernel's headers")
    return ROW.findall(named), ROW.findall(other)


def test_document(build):
    named, other = tables(*build)
    document = (TOP / 'docs/kernel-symbols.md').read_text()
    section, = re.findall(r'^## Named in the sources\n(.*?)^## ', document, re.M | re.S)
    assert ROW.findall(section) == named
    assert 'missing' not in ''.join(named + other)


def test_complete(build):
    """The tables have the symbols whose checksums the module has, and no others."""
    code, output = run('/sbin/modprobe', '--dump-modversions', build[0])
    assert code == 0, output
    checked = {line.split()[-1] for line in output.splitlines()} - {'module_layout'}
    rows = sum(tables(*build), [])
    assert sorted(row.split('`')[1] for row in rows) == sorted(checked)


def test_missing(build, tmp_path):
    """A symbol that a kernel does not export is called so."""
    symvers = tmp_path / 'Module.symvers'
    symvers.write_text(re.sub(r'.*\tsi_mem_available\t.*\n', '', build[1].read_text()))
    rows = sum(tables(build[0], symvers), [])
    assert [row for row in rows if 'missing' in row] == ['| `si_mem_available` | missing | |']


def test_no_list(build, tmp_path):
    code, output = run('sh', TOP / 'tools/kernel-symbols', build[0], tmp_path / 'none')
    assert code != 0 and f'there is no {tmp_path}/none' in output
