# SPDX-License-Identifier: GPL-2.0-only
"""A system of the matrix, which is changed as its administrator would, and booted."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common.guest import CommandError, Lab, start_guest     # noqa: E402
from common.lab import qemu                                 # noqa: E402
from common.project import DRIVER, TOP, answer              # noqa: E402

# What an administrator unpacks, and where.
SOURCES = (*DRIVER, 'tools', 'Makefile', 'COPYING')
CLONE = '/usr/local/src/virtio-balloon'
# Seconds. This is a whole Debian under emulation, perhaps on a busy machine.
BOOT_TIMEOUT = 240
IMAGE_SIZE = '6G'

# Begins each script that works on the copy of a system. It has a mount namespace of its own,
# so that nothing is left mounted. The tree of the system stays as it is: changes go to an
# overlay.
ENTER = '''
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
shift; cd "$1/root"; shift
'''
# Our sources and dkms's directory are mounted noexec: the driver has to be built and
# installed there all the same.
MOUNTED = ENTER + '''
mount -t proc proc proc
for directory in usr/local/src var/lib/dkms; do
    [ -d $directory ] || continue
    mount --bind $directory $directory
    mount -o remount,bind,noexec $directory
done
clean() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
'''
CHROOT = MOUNTED + 'clean chroot . sh -c "$1"'
# From outside, since the system has no rpm. Debian's has its database in the home directory.
RPM = MOUNTED + 'clean rpm --root "$PWD" --dbpath /var/lib/rpm "$@"'


def rows():
    """The rows of the matrix, each as a list of words."""
    lines = (HERE / 'matrix').read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith('#')]


def names():
    """The names of the systems of the matrix."""
    return [row[0] for row in rows()]


def flavours():
    """Kernels of other architectures, each with its row of the file flavours: the architecture,
    the prefix of its tools, the size of pages, and what QEMU calls its machine."""
    lines = (HERE / 'flavours').read_text().splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if line and line[0] != '#'}


def kernels(*flavours):
    return {name: kernel for name, _, _, flavour, _, kernel in rows()
            if kernel != '-' and flavour in flavours}


def suites():
    """System -> kernel, for the systems that all guest tests run on, with both drivers."""
    return kernels('amd64')


def variants():
    """System -> kernel, for the real-time and the cloud kernels: some tests, with our driver."""
    return kernels('rt-amd64', 'cloud-amd64')


class System:
    """A copy of a system, which may be changed.

    name        of the system in the matrix, "unstable" (see make-system), or a flavour of
                another architecture. The module can be built for the kernel of such a
                flavour, but not installed.
    directory   an empty directory, for the changes, the disk image and the guests
    """

    def __init__(self, name, directory):
        self.name = name
        foreign = name in flavours()
        self.tree = pathlib.Path(answer(HERE / 'make-cross-system') if foreign else
                                 answer(HERE / 'make-system', name))
        self.directory = directory
        for part in 'upper', 'work', 'root':
            (directory / part).mkdir()
        # The kernel that it came with. A system of sources has none. The system for other
        # architectures has the headers of several.
        if foreign:
            self.release, = [release for release in self.releases()
                             if release.split('-', 1)[1] == name]
        else:
            self.release = None if name.endswith('-source') else self.releases()[0]

    def _enter(self, script, *args, **kwargs):
        return subprocess.run(
            ['unshare', '--mount', '--pid', '--fork', '--kill-child',
             'sh', '-euc', script, 'sh', self.tree, self.directory, *args], **kwargs)

    def _run(self, script, *args, data=None):
        done = self._enter(script, *args, input=data, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors='replace')

    def try_sh(self, cmd, data=None):
        """Run a shell command in the system. Return its exit code and its output."""
        return self._run(CHROOT, cmd, data=data)

    def try_rpm(self, *args):
        """Run this machine's rpm on the system. Return its exit code and its output."""
        return self._run(RPM, *args)

    def sh(self, cmd, data=None):
        """Run a shell command that must succeed. Return its output."""
        code, output = self.try_sh(cmd, data)
        if code:
            raise CommandError(f'{self.name}: {cmd}: exit code {code}\n{output}')
        return output

    def releases(self):
        """The releases of the kernels that are installed."""
        return self.sh('ls /lib/modules').split()

    def flavour(self):
        """What the names of its kernel's packages end in."""
        return re.search(r'-((rt-|cloud-)?amd64)$', self.release)[1]

    def installed(self, release):
        """The names of the modules that dkms has installed for the kernel of this release."""
        return self.sh(f'cd /lib/modules/{release}/updates/dkms; ls | sed "s/[.]ko.*//"').split()

    def unpack_clone(self, directory=CLONE):
        """Put our sources there, without what was built in them, and not executable."""
        tar = subprocess.run(
            ['tar', '-C', TOP, '--exclude=*.o', '--exclude=.*.cmd', '--exclude=facts.h',
             '--exclude=balloonstat', '--mode=a-x,a+X',
             '-c', *SOURCES], stdout=subprocess.PIPE, check=True).stdout
        self.sh(f'mkdir -p {directory} && tar -C {directory} -x --no-same-owner', tar)

    def build_module(self, target):
        """Build our module with the system's own compiler, and copy it to target."""
        self.unpack_clone()
        output = self.sh(f'make -C {CLONE} KDIR=/lib/modules/{self.release}/build W=1 2>&1')
        if 'warning' in output.lower():
            raise CommandError(f'{self.name}: the compiler warns\n{output}')
        return self.copy_out(f'{CLONE}/virtio_balloon.ko', target)

    def compile_programs(self, directory):
        """Put busybox and the programs of tests/guest there, for a flavour's architecture."""
        _, tools, _, _ = flavours()[self.name]
        sources = HERE.parent / 'guest'
        for source in sources.glob('*.c'):
            self.sh(f'cat >/tmp/{source.name}', source.read_bytes())
            self.sh(f'{tools}-gcc-14 -static -O2 -Wall -Wextra -o /tmp/program /tmp/{source.name}')
            self.copy_out('/tmp/program', directory / source.stem)
        self.copy_out(f'/srv/{self.name}/bin/busybox', directory / 'busybox')
        return directory

    def kernel(self):
        """The unpacked package of a flavour's kernel."""
        return self.tree / 'srv' / self.name

    def serve_tests(self, programs):
        """Have the system run the commands of Guest. The programs are put on its PATH."""
        for path in (HERE.parent / 'guest/serve', *programs):
            self.sh(f'cat >/usr/local/sbin/{path.name} && '
                    f'chmod 755 /usr/local/sbin/{path.name}', path.read_bytes())
        self.sh('cat >/etc/systemd/system/serve.service && systemctl -q enable serve',
                (HERE / 'serve.service').read_bytes())

    def image(self):
        """Make a disk image of the system as it is now."""
        path = self.directory / 'disk.img'
        done = self._enter(ENTER + 'exec /sbin/mke2fs -q -F -t ext4 -d . "$1" "$2"',
                           path, IMAGE_SIZE)
        if done.returncode:
            raise CommandError(f'{self.name}: mke2fs: exit code {done.returncode}')
        return path

    def copy_out(self, source, target):
        done = self._enter(ENTER + 'exec cp -L ".$1" "$2"', source, target)
        if done.returncode:
            raise CommandError(f'{self.name}: no {source}')
        return target

    def boot(self, image, release=None, **options):
        """Start a guest from the image, with the system's own kernel and initramfs."""
        release = release or self.release
        kernel = self.copy_out(f'/boot/vmlinuz-{release}', self.directory / 'vmlinuz')
        initrd = self.copy_out(f'/boot/initrd.img-{release}', self.directory / 'initrd')
        lab = Lab(qemu=qemu(), vmlinux=kernel, bzimage=kernel,
                  initramfs=initrd, release=release, driver='ours',
                  append='root=/dev/vda rw', boot_timeout=BOOT_TIMEOUT)
        # Only a pc suspends more than once, and only if it was booted from a bzImage.
        options = {'memory': 1024, 'machine': 'pc', 'bzimage': True, 'reboot': True} | options

        def new_directory():
            return pathlib.Path(tempfile.mkdtemp(prefix='guest', dir=self.directory))
        return start_guest(lab, new_directory, disks=[image], **options)

    def close(self):
        # It may be impossible to remove the overlay's workdir.
        shutil.rmtree(self.directory, ignore_errors=True)


def compile_programs(directory):
    """Compile the programs of tests/guest, statically linked."""
    programs = []
    for source in (HERE.parent / 'guest').glob('*.c'):
        program = directory / source.stem
        subprocess.run(['cc', '-static', '-O2', '-o', program, source], check=True)
        programs.append(program)
    return programs


def is_root():
    return os.geteuid() == 0
