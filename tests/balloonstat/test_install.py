# SPDX-License-Identifier: GPL-2.0-only
"""balloonstat is built and installed, and its documents agree with it."""

import re
import subprocess

import pytest

from common.project import TOP, VERSION, command

TOOL = TOP / 'tools' / 'balloonstat'


def make(*args):
    return subprocess.run(['make', '-s', '-C', TOOL, *map(str, args)], check=True,
                          capture_output=True, text=True)


def options(text):
    return set(re.findall(r'--([a-z]+)', text))


def limits():
    """Name -> default value, from the program's source."""
    return dict(re.findall(r'\{ "([a-z-]+)", "[^"]*", ([\d.]+),', (TOOL / 'limits.c').read_text()))


def test_install(tmp_path):
    make('install', f'DESTDIR={tmp_path}', 'PREFIX=/usr')
    files = {str(p.relative_to(tmp_path)): p.stat().st_mode & 0o777
             for p in tmp_path.rglob('*') if p.is_file()}
    assert files == {'usr/bin/balloonstat': 0o755,
                     'usr/share/man/man1/balloonstat.1': 0o644,
                     'usr/share/bash-completion/completions/balloonstat': 0o644}
    ran = subprocess.run([tmp_path / 'usr/bin/balloonstat', '--version'], capture_output=True)
    assert ran.stdout == f'balloonstat {VERSION}\n'.encode()


def test_without_libvirt(tmp_path):
    """It can be built without libvirt, and says so when libvirt is asked for."""
    built = make('WITHOUT_LIBVIRT=1', f'BUILD={tmp_path}')
    assert built.stderr == ''
    program = tmp_path / 'balloonstat'
    assert 'libvirt' not in subprocess.run(['ldd', program], capture_output=True, text=True).stdout
    ran = subprocess.run([program, '--connect'], capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith('balloonstat: built without libvirt: install libvirt-dev and build')


def test_man_page_is_sound():
    ran = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', TOOL / 'balloonstat.1'],
                         capture_output=True, text=True)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, '')


@pytest.fixture
def man():
    ran = subprocess.run(['mandoc', '-T', 'utf8', TOOL / 'balloonstat.1'], check=True,
                         capture_output=True, text=True)
    return re.sub(r'.\x08', '', ran.stdout)


def test_documents_name_all_options(run, man):
    said = options(run('--help').out)
    assert len(said) == 15
    # The options that the program takes, from its source.
    taken = set(re.findall(r'\{ "([a-z]+)", (?:no|required|optional)_argument',
                           (TOOL / 'options.c').read_text()))
    assert said == taken
    assert said - {'help', 'version'} <= options(man.replace('‐', '-'))
    assert said == options((TOOL / 'completion.bash').read_text().split('COMPREPLY')[-1])


def test_man_page_has_the_limits(man):
    table = limits()
    assert len(table) == 16
    for name, default in table.items():
        assert re.search(rf'^ +{name}={re.escape(default)}( |$)', man, re.M), name


def test_man_page_has_the_names(man):
    names = re.findall(r'\[REGIME_\w+\] = "([a-z-]+)"', (TOOL / 'diagnose.c').read_text())
    assert len(names) == 10
    for name in names:
        assert re.search(rf'^ +{name}( \(row \d\))?(  \S.*)?$', man, re.M), name


def test_documents_have_the_verdicts():
    """The table is what print-verdicts prints."""
    ran = subprocess.run(command(TOP / 'tests/balloonstat/print-verdicts'), check=True,
                         capture_output=True, text=True)
    assert f'\n\n{ran.stdout}\n' in (TOP / 'docs/diagnosis.md').read_text()


def complete(*words):
    script = '''
    . "$0"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _balloonstat
    printf '%s\\n' "${COMPREPLY[@]}"
    '''
    ran = subprocess.run(['bash', '-c', script, TOOL / 'completion.bash', *map(str, words)],
                         capture_output=True, text=True)
    return set(ran.stdout.split('\n')) - {''}


def test_completion(tmp_path):
    (tmp_path / 'vm.sock').touch()
    assert complete('balloonstat', '--pr') == {'--prometheus'}
    assert complete('balloonstat', '--qmp', tmp_path / 'v') == {str(tmp_path / 'vm.sock')}
    assert complete('balloonstat', '--connect', '=', 'qemu:///sy') == {'qemu:///system'}
    assert complete('balloonstat', '--set', 'stall') == {'stall-high=', 'stall-min='}
    assert complete('balloonstat', '--set', '') == {f'{name}=' for name in limits()}
    assert complete('balloonstat', '--poll', '') == set()
