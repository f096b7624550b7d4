# SPDX-License-Identifier: GPL-2.0-only
"""The module builds wherever a plain module does: whatever language the compiler
speaks, whatever flags it is given, wherever the sources lie.

For the kernel in KDIR, by default the newest that has its headers installed."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import in_namespace, run

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ('src', 'include', 'tools', 'Kbuild', 'Makefile', 'dkms.conf')
RANGE = '5.10 to 7.3'


def newest_headers():
    def version(path):
        return [int(part) if part.isdigit() else part
                for part in re.split(r'(\d+)', path.parent.name)]
    return max(pathlib.Path('/lib/modules').glob('*/build'), key=version)


KDIR = pathlib.Path(os.environ.get('KDIR') or newest_headers())


@pytest.fixture
def sources(tmp_path):
    """A copy, without what was built in ours."""
    directory = tmp_path / 'sources'
    directory.mkdir()
    files = subprocess.run(['git', '-C', TOP, 'ls-files', '-co', '--exclude-standard', '-z',
                            *SOURCES], stdout=subprocess.PIPE, check=True, text=True).stdout
    for name in filter(None, files.split('\0')):
        if (TOP / name).exists():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, directory / name)
    return directory


def build_one(sources, *args, **env):
    """What the kernel is like, and one object."""
    return run('make', '-C', KDIR, f'M={sources}', *args, 'src/pack.o', **env)


def facts(sources):
    return (sources / 'src/compat/facts.h').read_text()


@pytest.fixture(scope='session')
def known(tmp_path_factory):
    """What the compiler finds out about this kernel when nothing is in its way."""
    directory = tmp_path_factory.mktemp('known')
    for part in SOURCES:
        copy = shutil.copytree if (TOP / part).is_dir() else shutil.copy
        copy(TOP / part, directory / part)
    (directory / 'src/compat/facts.h').unlink(missing_ok=True)
    code, output = build_one(directory)
    assert code == 0, output
    text = facts(directory)
    assert '#define BALLOON_HAVE_SENTINEL_TRUE 1' in text
    assert 'HAVE_SENTINEL_FALSE does not hold' in text
    return text


def compiler():
    """The one that the kernel is built with."""
    code, output = run('make', '-s', '-C', KDIR, 'M=/nowhere', '--eval',
                       'print-cc: ; @echo cc=$(CC)', 'print-cc')
    return re.search(r'^cc=(.*)', output, re.M)[1].split()


# Each language with a flag of those that change what is said, or what is an error.
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
    """Its own words come first, and nothing of ours misleads."""
    code, output = build_one(sources, 'CC=no-such-compiler')
    assert code != 0
    *first, last = [line for line in output.splitlines() if 'facts.c: ' in line]
    assert not first and 'the compiler does not work' in last and 'no-such-compiler' in last
    assert 'no-such-compiler: not found' in output[:output.index(last)].splitlines()[-1]


def test_compiler_dies(sources, tmp_path):
    """An answer that is none is not taken for a fact that does not hold."""
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
    assert 'error: #error planted' in output[:output.index(RANGE)]


def test_asked_once(sources, known):
    """What is found out anew and is the same has nothing built anew."""
    assert build_one(sources)[0] == 0
    made = (sources / 'src/compat/facts.h').stat().st_mtime_ns
    os.utime(sources / 'src/compat/facts.c')
    code, output = build_one(sources)
    assert code == 0 and 'FACTS' in output and 'CC ' not in output, output
    assert (sources / 'src/compat/facts.h').stat().st_mtime_ns == made
    assert not list(sources.glob('src/compat/facts.h?*'))


@pytest.mark.parametrize('options', ['exec', 'noexec'])
def test_nothing_executed(sources, tmp_path, options):
    """With the mode bits lost, and where they do not count."""
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
    """Not every architecture can, riscv before 6.10 for one."""
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
    """Whatever is run by its path must be so by its interpreter."""
    files = set(subprocess.run(['git', '-C', TOP, 'ls-files'], stdout=subprocess.PIPE, check=True,
                               text=True).stdout.split())
    recipes = [line.strip().lstrip('@-+') for line in (TOP / 'Makefile').read_text().splitlines()
               if line.startswith('\t')]
    called = [(re.split(r'[|;&]|\$\$\(|xargs(?: -\S+)*', line), line) for line in recipes]
    assert [line for commands, line in called
            if any(command.split()[:1] and command.split()[0] in files
                   for command in commands)] == []
    # It reads them at all.
    assert any(line.split()[1:2] and line.split()[1] in files for _, line in called)


@pytest.mark.parametrize('name', ['a b', 'a\tb', 'a:b', 'a=b', 'a%b', 'a#b', 'a$b', "a'b", 'a"b', 'a\\b',
                                  'a;b', 'a,b', 'a(b', 'a[b]', 'a*b', 'a`b'])
def test_paths_refused(tmp_path, name):
    """What kbuild cannot is said in words."""
    directory = tmp_path / name
    directory.mkdir()
    shutil.copy(TOP / 'Makefile', directory)
    code, output = run('make', '-C', directory, f'KDIR={KDIR}')
    assert code != 0 and 'cannot be run in a directory with this name' in output
    assert str(directory) in output and 'No rule' not in output


def test_path_taken(sources):
    """And others are not refused."""
    directory = sources.with_name('a-b_c+dé~1{2}@x^!')
    sources.rename(directory)
    code, output = run('make', '-C', directory, f'KDIR={KDIR}')
    assert code == 0, output
    assert (directory / 'virtio_balloon.ko').exists()


def test_without_proc(sources):
    """dkms.conf has nothing to say where there is no /proc."""
    code, output = in_namespace('''
        mount -t tmpfs tmpfs /proc
        kernelver=6.1.0 bash -c '. "$1"; echo "$PACKAGE_NAME"' bash "$1"
        ''', sources / 'dkms.conf')
    assert code == 0 and output == 'virtio-balloon\n', output
