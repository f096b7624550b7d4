# SPDX-License-Identifier: GPL-2.0-only
"""The module can be built with a compiler that speaks another language, with other flags, and
wherever the sources are.

It is built for the kernel in KDIR. The default is the newest one whose headers are installed."""

import os
import pathlib
import re
import shutil

import pytest

from common.project import DRIVER, KERNELS, TOP, copy, files, objects
from conftest import in_namespace, run

SOURCES = (*DRIVER, 'tools', 'Makefile')
# The compile checks' complaints begin with the path of the file that has them.
COMPLAINT = re.compile(r'^.*\bsrc/compat/\w+\.c: .*', re.M)


def newest_headers(kernels='*'):
    def version(path):
        return [int(part) if part.isdigit() else part
                for part in re.split(r'(\d+)', path.parent.name)]
    return max(pathlib.Path('/lib/modules').glob(f'{kernels}/build'), key=version)


KDIR = pathlib.Path(os.environ.get('KDIR') or newest_headers())


@pytest.fixture
def sources(tmp_path):
    """A copy of the sources, without what was built among them."""
    directory = tmp_path / 'sources'
    directory.mkdir()
    copy(directory, *SOURCES)
    return directory


def build_one(sources, *args, **env):
    """Run the compile checks, and build one object."""
    return run('make', '-C', KDIR, f'M={sources}', *args, objects()[0], **env)


def facts(sources):
    return (sources / 'src/compat/facts.h').read_text()


@pytest.fixture(scope='session')
def known(tmp_path_factory):
    """The facts about this kernel that the compile checks find in an ordinary build."""
    directory = tmp_path_factory.mktemp('known')
    copy(directory, *SOURCES)
    code, output = build_one(directory)
    assert code == 0, output
    text = facts(directory)
    assert '#define BALLOON_HAVE_SENTINEL_TRUE 1' in text
    assert 'HAVE_SENTINEL_FALSE does not hold' in text
    return text


def compiler():
    """The compiler that the kernel is built with."""
    code, output = run('make', '-s', '-C', KDIR, 'M=/nowhere', '--eval',
                       'print-cc: ; @echo cc=$(CC)', 'print-cc')
    return re.search(r'^cc=(.*)', output, re.M)[1].split()


# Each language comes with a flag that changes what the compiler says, or what is an error.
@pytest.mark.parametrize('language, flags', [
    ('de', '-fdiagnostics-color=always'), ('fr', '-Wfatal-errors'), ('ja', '-Werror'),
    ('zh_CN', '-w'),
    ('C', '-Wno-implicit-function-declaration -Wno-int-conversion -Wno-enum-conversion')])
def test_what_it_says(sources, known, tmp_path, language, flags):
    speak = {'LC_ALL': 'C.UTF-8', 'LANGUAGE': language}
    (tmp_path / 'wrong.c').write_text('#error wrong\n')
    code, said = run(*compiler(), '-fsyntax-only', tmp_path / 'wrong.c', **speak)
    assert code and 'wrong' in said
    assert ('error: ' in said) == (language == 'C'), 'the compiler has no such language'
    code, output = build_one(sources, f'KCFLAGS={flags}', **speak)
    assert code == 0, output
    assert facts(sources) == known


def test_compiler_missing(sources):
    """What the shell says about the missing compiler comes first. Our message does not mislead."""
    code, output = build_one(sources, 'CC=no-such-compiler')
    assert code != 0
    *first, last = COMPLAINT.findall(output)
    assert not first and 'the compiler does not work' in last and 'no-such-compiler' in last
    assert 'no-such-compiler: not found' in output[:output.index(last)].splitlines()[-1]


def test_compiler_dies(sources, tmp_path):
    """If the compiler crashes, this is not taken for a fact that does not hold."""
    fake = tmp_path / 'compiler'
    fake.write_text(f'''#!/bin/sh
case " $* " in *" -DCHECK_SHRINKER_NAME "*) kill -KILL $$ ;; esac
exec {" ".join(compiler())} "$@"
''')
    fake.chmod(0o755)
    code, output = build_one(sources, f'CC={fake}')
    assert code != 0 and 'the compiler does not work' in output, output


def test_headers_broken(sources):
    header = sources / 'include/uapi/linux/virtio_balloon.h'
    header.write_text(header.read_text() + '#error planted\n')
    code, output = build_one(sources)
    assert code != 0
    assert 'error: #error planted' in output[:output.index(KERNELS)]


def test_asked_once(sources, known):
    """If the checks are run again and find the same facts, nothing is built again."""
    assert build_one(sources)[0] == 0
    made = (sources / 'src/compat/facts.h').stat().st_mtime_ns
    for path in sources.glob('src/compat/*.c'):
        os.utime(path)
    code, output = build_one(sources)
    assert code == 0 and 'FACTS' in output and 'CC ' not in output, output
    assert (sources / 'src/compat/facts.h').stat().st_mtime_ns == made
    assert not list(sources.glob('src/compat/facts.h?*'))


@pytest.mark.parametrize('options', ['exec', 'noexec'])
def test_nothing_executed(sources, tmp_path, options):
    """The module is built where no file is executable, and on a file system mounted noexec."""
    if options == 'exec':
        for path in sources.rglob('*'):
            if path.is_file():
                path.chmod(0o644)
    where = tmp_path / 'mounted'
    where.mkdir()
    code, output = in_namespace('''
        mount -t tmpfs -o "$1" tmpfs "$2"
        cp -a "$3/." "$2"
        make -C "$2" KDIR="$4"
        test -e "$2/virtio_balloon.ko"
        make -s -C "$2" status
        ''', options, where, sources, KDIR)
    assert code == 0 and 'loaded: ' in output, output


def test_no_byte_exchanged(sources, tmp_path):
    """The driver exchanges no bytes atomically. Some architectures cannot: riscv before 6.10."""
    header = tmp_path / 'exchange.h'
    header.write_text('''
#include <linux/atomic.h>
#include <linux/build_bug.h>
#undef xchg
#undef cmpxchg
#define xchg(ptr, new) ({						\\
	static_assert(sizeof(*(ptr)) >= 4, "a byte exchanged");		\\
	arch_xchg(ptr, new); })
#define cmpxchg(ptr, old, new) ({					\\
	static_assert(sizeof(*(ptr)) >= 4, "a byte exchanged");		\\
	arch_cmpxchg(ptr, old, new); })
''')
    code, output = run('make', '-C', KDIR, f'M={sources}', f'KCFLAGS=-include {header}', 'modules')
    assert code == 0 and 'a byte exchanged' not in output, output


def test_recipes():
    """The Makefile runs our scripts by their interpreters."""
    ours = set(files())
    recipes = [line.strip().lstrip('@-+') for line in (TOP / 'Makefile').read_text().splitlines()
               if line.startswith('\t')]
    called = [(re.split(r'[|;&]|\$\$\(|xargs(?: -\S+)*', line), line) for line in recipes]
    assert [line for commands, line in called
            if any(command.split()[:1] and command.split()[0] in ours
                   for command in commands)] == []
    # The lines above do find scripts in the Makefile.
    assert any(line.split()[1:2] and line.split()[1] in ours for _, line in called)


@pytest.mark.parametrize('name', ['a b', 'a\tb', 'a:b', 'a=b', 'a%b', 'a#b', 'a$b', "a'b", 'a"b', 'a\\b',
                                  'a;b', 'a,b', 'a(b', 'a[b]', 'a*b', 'a`b'])
def test_paths_refused(tmp_path, name):
    """A directory that kbuild cannot build in is refused with a message."""
    directory = tmp_path / name
    directory.mkdir()
    shutil.copy(TOP / 'Makefile', directory)
    code, output = run('make', '-C', directory, f'KDIR={KDIR}')
    assert code != 0 and 'cannot be run in a directory with this name' in output
    assert str(directory) in output and 'No rule' not in output


def test_path_taken(sources):
    """A directory with other special characters is not refused."""
    directory = sources.with_name('a-b_c+dé~1{2}@x^!')
    sources.rename(directory)
    code, output = run('make', '-C', directory, f'KDIR={KDIR}')
    assert code == 0, output
    assert (directory / 'virtio_balloon.ko').exists()


def test_without_proc(sources):
    """dkms.conf can be read without /proc, and prints nothing."""
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /proc
        kernelver=6.1.0 bash -c '. "$1"; echo "$PACKAGE_NAME"' bash "$1"
        ''', sources / 'dkms.conf')
    assert code == 0 and output == 'virtio-balloon\n', output
