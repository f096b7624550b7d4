# SPDX-License-Identifier: GPL-2.0-only
"""The RPM: what is in it, and that the same sources give the same package.

It is installed in tests/distro/test_rpm.py."""

import hashlib
import os

import pytest

from common.project import KERNELS, VERSION, copy_packaged
from conftest import in_namespace, run

NAMES = [f'virtio-balloon-dkms-{VERSION}-1.{kind}.rpm' for kind in ('noarch', 'src')]
TREE = f'/usr/src/virtio-balloon-{VERSION}'


def build(directory, **env):
    """Build the packages from these sources. Return their files."""
    code, output = run('sh', directory / 'tools/rpm', **env)
    assert code == 0, output
    assert '0 errors, 0 warnings' in output, output
    return sorted((directory / 'dist').iterdir())


@pytest.fixture
def sources(tmp_path):
    """The sources of a package, without what was built among them."""
    directory = tmp_path / 'sources'
    copy_packaged(directory)
    return directory


@pytest.fixture(scope='module')
def packages(tmp_path_factory):
    directory = tmp_path_factory.mktemp('packages')
    copy_packaged(directory)
    return build(directory)


def query(package, *args):
    """What rpm says of a package, without a database."""
    code, output = run('rpm', '--dbpath', '/nowhere', '-qp', *args, package)
    assert code == 0, output
    return output


def test_tags(packages):
    assert [package.name for package in packages] == NAMES
    assert 'dkms' in query(packages[0], '--requires').split()
    about = query(packages[0], '--qf', r'%{license}\n%{summary}\n%{description}')
    assert about.startswith('GPL-2.0-only\nVirtio memory balloon driver')
    # The text of the Debian package, without the marks of its format.
    assert KERNELS in about and '\n\nDKMS builds' in about
    scripts = query(packages[0], '--scripts')
    assert '@' not in scripts and VERSION in scripts


def dump(package):
    """The files of a package: name -> digest, mode, owner, group."""
    lines = [line.split() for line in query(package, '--dump').splitlines()]
    return {line[0]: (line[3], line[4][-4:], *line[5:7]) for line in lines}


def test_same_sources(packages, sources, tmp_path):
    """Both packages have the same sources of the module."""
    code, output = run('sh', sources / 'tools/deb')
    assert code == 0, output
    deb, = sources.glob('dist/*.deb')
    assert run('dpkg-deb', '-x', deb, tmp_path / 'deb')[0] == 0
    debian = {'/' + str(path.relative_to(tmp_path / 'deb')): path
              for path in (tmp_path / 'deb').rglob('*')}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest()
               for name, path in debian.items() if name.startswith(TREE) and path.is_file()}
    assert f'{TREE}/dkms.conf' in digests
    assert {name: file[0] for name, file in dump(packages[0]).items()
            if name.startswith(TREE) and file[0].strip('0')} == digests


def test_modes(packages):
    """Everybody can read the files, and only root can write them."""
    files = dump(packages[0])
    assert {file[2:] for file in files.values()} == {('root', 'root')}
    assert {file[1] for file in files.values()} == {'0644', '0755'}
    assert files[f'{TREE}/dkms.conf'][1] == '0644' and files[f'{TREE}/tools'][1] == '0755'
    assert files[f'{TREE}/tools/status'][1] == '0755'


def test_rebuild(packages, tmp_path):
    """The source package is all that rpmbuild needs."""
    code, output = run('rpmbuild', '--rebuild', '--define', f'_topdir {tmp_path}', packages[1],
                       HOME=tmp_path)
    assert code == 0, output
    again, = tmp_path.glob('RPMS/*/*.rpm')
    assert dump(again) == dump(packages[0])


@pytest.mark.parametrize('umask', ['022', '077'])
def test_reproducible(packages, sources, tmp_path, umask):
    """Neither the place, the user, the time nor the mode bits of the sources are in it."""
    for path in sources.rglob('*'):
        if path.is_file():
            path.chmod(0o600)
        os.utime(path, (1, 1))
    home = tmp_path / 'home'
    home.mkdir()
    (home / '.rpmmacros').write_text('%packager Somebody <somebody@virtio-balloon.invalid>\n')
    code, output = in_namespace('''
        umask "$2"
        unshare --uts sh -c 'hostname other && sh "$0"' "$1"
        ''', sources / 'tools/rpm', umask, TZ='Asia/Tokyo', HOME=home)
    assert code == 0, output
    again = sorted((sources / 'dist').iterdir())
    assert [package.name for package in again] == NAMES
    for first, second in zip(packages, again):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_rpmlint(sources):
    """A complaint of rpmlint ends the build."""
    spec = sources / 'rpm/virtio-balloon-dkms.spec'
    spec.write_text(spec.read_text().replace('@SUMMARY@', '@SUMMARY@.'))
    code, output = run('sh', sources / 'tools/rpm')
    assert code != 0 and 'summary-ended-with-dot' in output, output
    assert 'rpmlint has complaints' in output and not (sources / 'dist').exists()
