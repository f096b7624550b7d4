# SPDX-License-Identifier: GPL-2.0-only
"""A guest under QEMU: start it, give it commands, look at it from outside."""

import base64
import ctypes
import dataclasses
import itertools
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time

from common import gcov
from common.machine import MIB, PC, Machine
from common.qmp import QMP, QMPClosed, QMPError
from common.splats import OOM_BEGIN, find_splats

UNSET = (1 << 64) - 1           # a statistic that the guest has never sent
BALLOON = '/machine/peripheral/balloon0'
# Properties of QEMU's device that turn on all of its features.
EVERYTHING = {'deflate-on-oom': True, 'free-page-hint': True,
              'free-page-reporting': True, 'page-poison': True}
# Queues of the balloon, as QEMU's events name them.
INFLATE_QUEUE, DEFLATE_QUEUE, STATS_QUEUE, HINT_QUEUE = '0', '1', '2', '3'
EVENTS_OF_QUEUES = ('virtio_queue_notify',)
EVENT = re.compile(r'^\d+@(\d+\.\d+):(\w+) (.*)$', re.M)
# The driver that the kernel has of its own. A module of ours has another name where this one is
# built in.
BUILTIN = 'virtio_balloon'
# In a guest's shell: the balloon device, whichever of the two drivers has it.
DEVICE = '$(echo /sys/bus/virtio/drivers/virtio_balloon*/virtio*)'
# Seconds. These are far more than anything should take, also on a busy machine.
BOOT_TIMEOUT = 60
TIMEOUT = 60
# The emulated serial port of a busy guest may lose what it received, or keep it until
# something more comes. So after this many seconds the guest is asked whether it has the
# request.
NUDGE = 2

QEMU_ASSERTION = 'iotlb_to_section: Assertion'
# A part of what the kernel says when it starts the first program.
INIT = ' as init process'

# kmemleak takes half of the guest's time.
NO_KMEMLEAK = ' kmemleak=off'

# From 6.12 on the stock driver warns when the bus has broken its queues, so that they take
# no more buffers. No function of ours has this name.
STOCK_WARNS = r'WARNING: .* tell_host\+'


class GuestError(AssertionError):
    """Something about the guest is not as it should be."""


class CommandError(GuestError):
    """A command failed, in a guest or in the system that is to be one."""


# The first kernel whose stock driver sends the six statistics of memory pressure.
FIRST_WITH_PRESSURE = (6, 12)


def version(release):
    """A kernel's version, as in (5, 10), from what uname -r says, such as 5.10.0-30-amd64."""
    return tuple(int(n) for n in re.match(r'(\d+)\.(\d+)', release).groups())


@dataclasses.dataclass
class Lab:
    """What a guest is made of."""
    qemu: str
    vmlinux: str                # the kernel in the format that boots fast
    bzimage: str                # the kernel in the format that firmware boots
    initramfs: str
    release: str                # of the kernel, as uname -r says
    driver: str                 # 'ours' or 'stock'
    append: str                 # kernel parameters
    module: str = BUILTIN       # the driver's name
    builtin: bool = False       # whether the kernel has the stock driver built in
    reserve: int = 0            # MiB that this kernel takes and other kernels do not
    patience: int = 1           # factor for all timeouts
    boot_timeout: float = BOOT_TIMEOUT
    lines: pathlib.Path | None = None   # where to keep which lines of the driver were run
    machine: Machine = PC

    def kernel(self):
        """The kernel's version, as in (5, 10)."""
        return version(self.release)

    def has_pressure(self):
        """Whether the driver sends the six statistics of memory pressure."""
        return self.driver == 'ours' or self.kernel() >= FIRST_WITH_PRESSURE

    def poisons(self):
        """Whether page_poison=1 has free pages keep their value.

        Debian's 5.10 overwrites them, but does not look at them again."""
        return self.kernel() >= (5, 11)

    def reports_asleep(self):
        """Whether the driver lets mm report free pages on queues that are gone.

        Stock drivers before 7.3 do. Such a guest may survive, or not."""
        return self.driver == 'stock' and self.kernel() < (7, 3)

    def reports_too_large(self):
        """Whether the driver has mm report free pages only in blocks that hardly ever are free.

        Those of the stock driver are as large as mm's page blocks: 32 MiB with pages of 16 KiB. It
        has 2 MiB for the pages of 64 KiB that arm64 may have."""
        return self.driver == 'stock' and self.machine.page == 16 << 10

    def hint(self):
        """How large a free page hint is, in bytes: as large as mm has any, but ours at most 4 MiB."""
        largest = self.machine.largest
        return min(largest, 4 * MIB) if self.driver == 'ours' else largest

    def asks_the_driver(self, no_soft_reset):
        """Whether the driver is told to give everything back before a PCI Express device sleeps.

        It is not where the device says that it keeps its state. Kernels read that since 6.12."""
        return not (no_soft_reset and self.kernel() >= (6, 12))

    def tells_of_reset(self):
        """Whether the driver hears of a reset of the function below its device."""
        return self.driver == 'ours' and self.kernel() >= (7, 3)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class Guest:
    """One QEMU process.

    memory, swap, disk  MiB, without what the lab reserves. swap (vda, switched on) and
                        disk (the next one, ext4) are sparse files
    nodes               MiB of each NUMA node, in place of memory. Each node has one CPU
    disks               of another guest, as it left them
    balloon             properties of the balloon device. With None there is no balloon
    ports               how many root ports there are, for devices that come and go (q35
                        only). They are named from "port0" on
    append              more kernel parameters
    bzimage             boot as firmware does. This takes 4 s more, but a guest that was
                        booted the fast way (PVH) cannot resume from suspend to RAM
    leaks               leave kmemleak on, in a kernel that has it
    reboot              let the guest reboot instead of ending QEMU
    target              the size that the host wants from power-on, in bytes; see balloon()
    incoming            a guest that is to be migrated to this one, see migrate_to()
    events              of QEMU's tracing, which it writes down with their times, see noted()
    qemu_args           more arguments
    """

    def __init__(self, lab, directory, memory=512, cpus=2, machine=None,
                 balloon=(), append='', bzimage=False, leaks=False, swap=0, disk=0, disks=(),
                 ports=0, accel='tcg,thread=multi', reboot=False,
                 target=None, incoming=None, nodes=(), events=(), qemu_args=()):
        if nodes:
            memory, cpus = sum(nodes), len(nodes)
        self.lab = lab
        self.machine = lab.machine
        self.page = self.machine.page
        self.memory = memory * MIB
        # MiB that the guest does not count as its own. The kernel leaves out those that are only
        # there because the machine's memory has such steps.
        used = memory + lab.reserve
        whole = -(-used // self.machine.step) * self.machine.step
        self.reserve = whole - memory
        if whole != used:
            append = f'mem={used}M {append}'
        self.cpus = cpus
        self.console = directory / 'console.log'
        self.qemu_log = directory / 'qemu.log'
        self.events_path = directory / 'events.log'
        self.qmp_path = directory / 'qmp.sock'      # for another client
        self.migration_path = directory / 'migration.sock'
        self.exit_expected = False
        self.disks = list(disks)
        self._ids = itertools.count()
        self._buffer = b''
        self.nudges = 0
        self.booted = False

        if incoming:
            self.disks = incoming.disks
        else:
            for name, size in ('swap', swap), ('disk', disk):
                if size:
                    path = directory / name
                    with path.open('wb') as f:
                        f.truncate(size * MIB)
                    if name == 'disk':
                        subprocess.run(['/sbin/mke2fs', '-q', '-t', 'ext4', path],
                                       check=True)
                    self.disks.append(path)

        theirs_qmp, ours_qmp = socket.socketpair()
        theirs_shell, self._shell = socket.socketpair()
        args = [
            lab.qemu, '-nodefaults', '-no-user-config', '-display', 'none',
            '-machine', machine or self.machine.type, '-accel', accel,
            *self.machine.options,
            '-m', f'{whole}M',
            # A kernel warns if two nodes share a socket.
            '-smp', f'{cpus},sockets={cpus}' if nodes else str(cpus),
            '-kernel', lab.bzimage if bzimage else lab.vmlinux,
            '-initrd', lab.initramfs,
            '-append', f'{self.machine.kernel_args()} {lab.append} {append}'
                       f'{"" if leaks else NO_KMEMLEAK}',
            '-chardev', f'socket,id=qmp,fd={theirs_qmp.fileno()}',
            '-mon', 'chardev=qmp,mode=control',
            '-qmp', f'unix:{self.qmp_path},server=on,wait=off',
            '-chardev', f'file,id=console,path={self.console}',
            '-chardev', f'socket,id=shell,fd={theirs_shell.fileno()}',
            *self.machine.serial_ports('console', 'shell'),
        ]
        if not reboot:
            args += ['-no-reboot']
        if incoming:
            args += ['-incoming', 'defer']
        for i, path in enumerate(self.disks):
            args += ['-drive', f'if=none,id=disk{i},file={path},format=raw',
                     '-device', self.machine.device('blk', f',drive=disk{i}')]
        for i in range(ports):
            args += ['-device', f'pcie-root-port,id=port{i},chassis={i + 1}']
        for i, size in enumerate(nodes):
            # What the lab reserves is taken early, and therefore from the first node.
            size += 0 if i else lab.reserve
            args += ['-object', f'memory-backend-ram,id=node{i},size={size}M',
                     '-numa', f'node,nodeid={i},cpus={i},memdev=node{i}']
        for event in events:
            args += ['-trace', event]
        if events:
            args += ['-D', self.events_path, '-msg', 'timestamp=on']
        # This one is always there, so that a hot-plugged balloon can use it, too.
        args += ['-object', 'iothread,id=iothread0']
        if balloon is not None:
            args += ['-device', self.machine.balloon_device(dict(balloon))]
        args += qemu_args

        self.console.touch()
        with self.qemu_log.open('wb') as log:
            self.proc = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(theirs_qmp.fileno(), theirs_shell.fileno()),
                preexec_fn=_die_with_parent)
        theirs_qmp.close()
        theirs_shell.close()
        try:
            self.qmp = QMP(ours_qmp)
            if target is not None:
                self.balloon(target)
            if not incoming:
                self.wait_ready()
                if swap:
                    self.sh('mkswap /dev/vda && swapon /dev/vda')
        except QMPClosed as e:
            error = str(e) + self.tail()
            self.close()
            raise GuestError(error) from e
        except BaseException:
            self.close()
            raise
        self.booted = True

    # --- failing, and waiting with an end ----------------------------------

    def tail(self, lines=60):
        text = self.console.read_text(errors='replace').splitlines()
        qemu = self.qemu_log.read_text(errors='replace')
        return (f'\n--- QEMU (exit code {self.proc.poll()}) said:\n{qemu}'
                '--- end of the console:\n' + '\n'.join(text[-lines:]))

    def fail(self, what):
        raise GuestError(what + self.tail())

    def wait_for(self, condition, timeout=TIMEOUT, what='the condition'):
        """Poll until condition() is true, and return what it returned."""
        timeout *= self.lab.patience
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if self.proc.poll() is not None:
                self.fail(f'QEMU exited while waiting for {what}')
            if time.monotonic() > deadline:
                self.fail(f'no {what} within {timeout} s')
            time.sleep(0.05)

    def wait_log(self, pattern, timeout=TIMEOUT):
        """Wait until the console shows a match of the regular expression."""
        return self.wait_for(
            lambda: re.search(pattern, self.log(), re.MULTILINE),
            timeout, f'"{pattern}" on the console')

    # --- the shell in the guest --------------------------------------------

    def _read(self, deadline, what, nudge=None):
        left = deadline - time.monotonic()
        if left <= 0:
            self.fail(f'timeout: {what} (nudged {self.nudges} times, '
                      f'unread {bytes(self._buffer[:80])!r})')
        self._shell.settimeout(min(left, NUDGE) if nudge else left)
        try:
            data = self._shell.recv(65536)
        except TimeoutError:
            if nudge:
                self._send(f'{nudge}\n'.encode(), what)
                self.nudges += 1
            return
        except OSError as e:
            self.fail(f'{e}: {what}')
        if not data:
            self.proc.wait(10)
            self.fail(f'QEMU exited: {what}')
        self._buffer += data

    def _line(self, deadline, what, nudge=None):
        while b'\n' not in self._buffer:
            self._read(deadline, what, nudge)
        line, self._buffer = self._buffer.split(b'\n', 1)
        return line

    def wait_ready(self):
        """Wait for the guest to have booted (again, after a reset)."""
        deadline = time.monotonic() + self.lab.boot_timeout * self.lab.patience
        while self._line(deadline, 'waiting for the guest to boot') != b'ready':
            pass

    def _send(self, data, what):
        try:
            self._shell.sendall(data)
        except OSError as e:
            self.fail(f'{e}: {what}')

    def _request(self, ident, cmd):
        code = base64.b64encode(cmd.encode()).decode()
        self._send(f'{ident} {len(code)} {code}\n'.encode(), cmd)

    def send(self, cmd):
        """Begin a command; result() waits for it."""
        ident = str(next(self._ids))
        self._request(ident, cmd)
        return ident, cmd

    def result(self, sent, timeout=TIMEOUT):
        ident, cmd = sent
        timeout *= self.lab.patience
        deadline = time.monotonic() + timeout
        while True:
            # An answer with another id is that to a command which was given up.
            line = self._line(deadline, cmd, nudge=ident)
            if line == b'ready':
                self.fail(f'the guest rebooted: {cmd}')
            if line == b'again':
                self._request(ident, cmd)
                continue
            # While it wakes up, a guest may echo the id that it was asked about.
            if not line.strip() or line.strip().isdigit():
                continue
            try:
                found, code, length = line.split()
            except ValueError:
                self.fail(f'the guest answers {line!r}: {cmd}')
            while len(self._buffer) < int(length):
                self._read(deadline, cmd)
            output = self._buffer[:int(length)]
            self._buffer = self._buffer[int(length):]
            if found.decode() == ident:
                return int(code), output.decode(errors='replace')

    def try_sh(self, cmd, timeout=TIMEOUT):
        """Run a shell command; return its exit code and its output."""
        return self.result(self.send(cmd), timeout)

    def sh(self, cmd, timeout=TIMEOUT):
        """Run a shell command that must succeed; return its output."""
        code, output = self.try_sh(cmd, timeout)
        if code:
            raise CommandError(f'{cmd}: exit code {code}\n{output}{self.tail()}')
        return output

    def read(self, path):
        return self.sh(f'cat {shlex.quote(path)}').strip()

    def _table(self, path):
        return [line.split() for line in self.sh(f'cat {path}').splitlines()]

    def meminfo(self):
        """/proc/meminfo, sizes in bytes."""
        return {name.rstrip(':'): int(value) * (1024 if unit else 1)
                for name, value, *unit in self._table('/proc/meminfo')}

    def node_meminfo(self, name):
        """One of the sizes that each NUMA node has in its meminfo, in bytes."""
        return [int(line.split()[3]) * 1024 for line in self.sh(
            f'cat /sys/devices/system/node/node*/meminfo | grep " {name}:"').splitlines()]

    def vmstat(self):
        return {name: int(value) for name, value in self._table('/proc/vmstat')}

    def huge_page(self):
        """The size in bytes of the smallest huge pages of hugetlbfs. None if there are none.

        Those of less than 1 MiB do not count. There are always more, until no memory is left."""
        _, names = self.try_sh('ls /sys/kernel/mm/hugepages')
        sizes = [1024 * int(size) for size in re.findall(r'hugepages-(\d+)kB', names)]
        return min((size for size in sizes if size >= MIB), default=None)

    def mount_disk(self):
        """Mount the disk at /mnt. It is to be the only one."""
        self.sh('modprobe ext4 && mount -t ext4 /dev/vda /mnt')

    def hog(self, mib, timeout=TIMEOUT, cgroup=None, keep=''):
        """Start a process that fills this much memory, and wait until it has.

        keep says which pages it does not give back then, as tests/guest/hog.c describes it."""
        hog = Hog(self, mib, cgroup, keep)
        hog.expect('filled', timeout)
        return hog

    # --- the driver --------------------------------------------------------

    def load(self, **params):
        """Load the driver under test, and check that it is that one."""
        module = self.lab.module
        self.sh(f'modprobe {module} ' + ' '.join(f'{k}={v}' for k, v in params.items()))
        code, _ = self.try_sh(f'test -d /sys/module/{module}')
        if code:
            self.fail(f'{module} is not loaded')
        # The stock module has no version.
        ours = not self.try_sh(f'test -e /sys/module/{module}/version')[0]
        if ours != (self.lab.driver == 'ours'):
            self.fail(f'{"our" if ours else "the stock"} driver is loaded, '
                      f'not {self.lab.driver}')

    def parameter(self, name):
        """The path of a parameter of the module."""
        return f'/sys/module/{self.lab.module}/parameters/{name}'

    def unload(self):
        """Unload the driver. One that is built in has the device then, and would inflate."""
        if self.lab.builtin:
            self.balloon(self.memory)
        self.sh(f'rmmod {self.lab.module}')

    def features(self):
        """Names of the feature bits the driver has negotiated."""
        backend = self.machine.backend(BALLOON)
        device = self.qmp.cmd('qom-get', path=backend, property='type')
        assert device == 'virtio-balloon-device'
        status = self.qmp.cmd('x-query-virtio-status', path=backend)
        bits = status['guest-features']
        names = bits.get('transports', []) + bits.get('dev-features', [])
        return {name.split(':')[0] for name in names}

    def driver_ok(self):
        """Whether a driver runs the device."""
        status = self.qmp.cmd('x-query-virtio-status', path=self.machine.backend(BALLOON))
        return any(name.startswith('VIRTIO_CONFIG_S_DRIVER_OK')
                   for name in status['status'].get('statuses', []))

    def plug(self, port=0, **props):
        """Hot-plug a balloon with these properties."""
        if props.get('free-page-hint'):
            props['iothread'] = 'iothread0'
        self.qmp.cmd('device_add', driver='virtio-balloon-pci', id='balloon0',
                     bus=f'port{port}', **props)

    def unplug(self):
        """Have the guest let go of the balloon, and remove it."""
        self.qmp.cmd('device_del', id='balloon0')
        # The parts of the device have such events, too.
        self.wait_for(lambda: (self.qmp.take_event('DEVICE_DELETED', 1) or {})
                      .get('device') == 'balloon0', what='DEVICE_DELETED')

    def preempts(self):
        """Whether the kernel can be preempted while it runs in kernel mode."""
        _, mode = self.try_sh('cat /sys/kernel/debug/sched/preempt 2>/dev/null')
        if mode:
            return bool(re.search(r'\((full|lazy)\)', mode))
        return bool(re.search(r' PREEMPT(_RT)? ', self.read('/proc/version')))

    def trace(self, *functions):
        """Have the guest's kernel note each call of these functions."""
        self.sh('mount -t tracefs tracefs /sys/kernel/tracing && '
                'cd /sys/kernel/tracing && '
                f'echo {" ".join(functions)} >set_ftrace_filter && '
                'echo function >current_tracer')

    def traced(self, function):
        """How often it has been called since."""
        return int(self.try_sh(
            f'grep -c " {function} <-" /sys/kernel/tracing/trace')[1])

    def trace_times(self, function):
        """When it has been called since, in seconds of the guest's clock."""
        return [float(time) for time in re.findall(
            rf' (\d+\.\d+): {function} <-', self.sh('cat /sys/kernel/tracing/trace'))]

    # --- the balloon, as the host sees it ----------------------------------

    def balloon(self, size):
        """Set the target, which is what the guest is left with, in bytes."""
        self.qmp.cmd('balloon', value=size + self.reserve * MIB)

    def actual(self):
        return self.qmp.cmd('query-balloon')['actual'] - self.reserve * MIB

    def wait_actual(self, size, timeout=TIMEOUT):
        self.wait_for(lambda: self.actual() == size, timeout,
                      f'guest size of {size >> 10} KiB')

    def noted(self):
        """Time in seconds, name and arguments of each event of QEMU's so far."""
        return [(float(when), name, arguments) for when, name, arguments in
                EVENT.findall(self.events_path.read_text())]

    def notified(self, queue):
        """When the guest has told the host of something on this queue of the balloon."""
        calls = [(when, *re.fullmatch(r'vdev (\S+) n (\d+) vq \S+', arguments).groups())
                 for when, name, arguments in self.noted() if name == 'virtio_queue_notify']
        # Disks have a queue for each CPU, of which there are two.
        balloon = next(device for _, device, number in calls if number == STATS_QUEUE)
        return [when for when, device, number in calls if (device, number) == (balloon, queue)]

    def buffers_inflated(self):
        """How many buffers the guest has sent so that the balloon grows.

        A page that mm migrates costs a notification of its own. It is not counted, since how much
        kcompactd migrates in the meantime is chance."""
        return len(self.notified(INFLATE_QUEUE)) - self.vmstat()['balloon_migrate']

    def _get(self, name):
        return self.qmp.cmd('qom-get', path=BALLOON, property=name)

    def poll_stats(self, seconds):
        """Have the host ask for statistics every so many seconds, or not at all for 0."""
        self.qmp.cmd('qom-set', path=BALLOON, value=seconds,
                     property='guest-stats-polling-interval')

    def last_stats(self):
        """When the last report came, and name -> value of what was in it."""
        report = self._get('guest-stats')
        return (report['last-update'],
                {name.removeprefix('stat-'): value
                 for name, value in report['stats'].items() if value != UNSET})

    def stats(self, timeout=TIMEOUT):
        """Statistics that were read after this call began."""
        was_polling = self._get('guest-stats-polling-interval')
        self.poll_stats(0)
        # The first report comes unasked: the driver sends it when it takes the device.
        self.wait_for(lambda: self.last_stats()[0], timeout, 'first report')
        # A report that is already on its way does not count.
        for _ in range(2 if was_polling else 1):
            before = self.last_stats()[0]
            # last-update is in seconds, so two reports within one second look the same.
            self.wait_for(lambda: time.time() >= before + 1)
            self.poll_stats(0)
            # When polling is turned on, the host asks at once.
            self.poll_stats(1)
            self.wait_for(lambda: self.last_stats()[0] > before, timeout,
                          'report from the guest')
        self.poll_stats(0)
        return self.last_stats()[1]

    def rss(self):
        """Resident anonymous memory of QEMU, which is mainly the guest's memory."""
        with open(f'/proc/{self.proc.pid}/status') as f:
            for line in f:
                if line.startswith('RssAnon:'):
                    return int(line.split()[1]) * 1024
        raise GuestError('QEMU has no RssAnon')

    def begin_migration(self, target):
        """Begin a migration that will not end in the time of a test."""
        self.qmp.cmd('migrate-set-parameters', **{'max-bandwidth': 4 * MIB})
        uri = f'unix:{target.migration_path}'
        target.qmp.cmd('migrate-incoming', uri=uri)
        self.qmp.cmd('migrate', uri=uri)

    def cancel_migration(self, target):
        self.qmp.cmd('migrate_cancel')
        self.wait_for(lambda: self.qmp.cmd('query-migrate')['status'] == 'cancelled',
                      what='cancelled migration')
        target.wait_exit()

    def migrate_to(self, target, timeout=TIMEOUT):
        """Move this guest to one that was started with incoming=this, and end this one."""
        uri = f'unix:{target.migration_path}'
        target.qmp.cmd('migrate-incoming', uri=uri)
        self.qmp.cmd('migrate', uri=uri)
        return self.finish_migration(target, timeout)

    def finish_migration(self, target, timeout=TIMEOUT):
        """Let a migration that has begun end, and end this guest.

        From then on the target is what talks to the guest's shell. Returns what QEMU says
        about the migration."""
        def info():
            return self.qmp.cmd('query-migrate')
        self.wait_for(lambda: info().get('status') in ('completed', 'failed'),
                      timeout, 'end of the migration')
        result = info()
        if result['status'] != 'completed':
            self.fail('migration failed')
        target.wait_for(lambda: target.qmp.cmd('query-status')['running'],
                        timeout, 'target running')
        target._ids = self._ids
        self.close()
        return result

    # --- the end -----------------------------------------------------------

    def log(self):
        return self.console.read_text(errors='replace')

    def splats(self):
        """What the kernel has complained of."""
        # The victim of an OOM kill is dead before its report on the console is complete.
        deadline = time.monotonic() + 5
        while (splats := find_splats(self.log())) and \
                self.proc.poll() is None and time.monotonic() < deadline and \
                OOM_BEGIN.search(self.log()):
            time.sleep(0.1)
        return splats

    def forgive(self, pattern):
        """Forget what the kernel complained of, if the first complaint matches this pattern.

        What came after the first one belongs to the same fault. Returns whether it matched."""
        splats = self.splats()
        if not splats or not re.search(pattern, splats[0]):
            return False
        self.console.write_text('')
        return True

    def check_log(self):
        """Fail if the kernel has complained."""
        splats = self.splats()
        if splats:
            self.fail('on the console:\n' + '\n'.join(splats))

    def check_leaks(self):
        """Fail if kmemleak finds leaked memory, on a kernel that has it."""
        if self.try_sh('test -w /sys/kernel/debug/kmemleak')[0]:
            return
        # kmemleak takes an object for leaked only when it is five seconds old.
        leaks = self.sh('cd /sys/kernel/debug; sleep 6; echo scan >kmemleak; '
                        'echo scan >kmemleak; cat kmemleak')
        if leaks:
            self.fail(f'kmemleak:\n{leaks}')

    def wait_exit(self, timeout=TIMEOUT):
        """Wait for QEMU to end because the guest has switched itself off."""
        self.exit_expected = True
        timeout *= self.lab.patience
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.fail(f'QEMU still runs after {timeout} s')

    def keep_lines(self):
        """Save which lines of the driver were run, if this guest still answers."""
        try:
            if not self.qmp.cmd('query-status')['running']:
                return
            archive = base64.b64decode(self.sh(
                f'{gcov.COLLECT}\ntar -C /gcov -cz . | base64', timeout=10))
        except (GuestError, QMPError, QMPClosed):
            return
        with tempfile.NamedTemporaryFile(dir=self.lab.lines, suffix='.tar.gz', delete=False) as f:
            f.write(archive)

    def close(self):
        """End QEMU if it still runs. Returns whether it had ended by itself."""
        ended = self.proc.poll() is not None and not self.exit_expected
        if self.lab.lines and self.booted and not ended:
            self.keep_lines()
        self.exit_expected = True
        self.proc.kill()
        self.proc.wait()
        self._shell.close()
        return ended


def start_guest(lab, new_directory, **options):
    """Start a guest in a new directory. If QEMU failed and not the guest, try once more.

    QEMU 10 sometimes fails an assertion while a guest with two CPUs sets up its devices. A
    guest may also hang while it starts its CPUs, before it runs any program. Neither has to
    do with the driver, which was not loaded yet."""
    directory = new_directory()
    try:
        return Guest(lab, directory, **options)
    except GuestError as e:
        if QEMU_ASSERTION in str(e):
            why = QEMU_ASSERTION
        elif INIT not in (directory / 'console.log').read_text(errors='replace'):
            why = 'nothing but the kernel was running'
        else:
            raise
        print(f'the guest did not boot: {why}: once more')
        return Guest(lab, new_directory(), **options)


class Process:
    """A program in the guest that prints a word whenever it has got somewhere."""

    def __init__(self, guest, name, command):
        self.guest = guest
        self.name = name
        self.output = guest.sh(f'mktemp /tmp/{name}.XXXXXX').strip()
        self.pid = int(guest.sh(
            f"sh -c '{command}' >{self.output} 2>&1 & echo $!"))
        self.said = 0           # lines of output seen

    def alive(self):
        code, state = self.guest.try_sh(f'grep State /proc/{self.pid}/status')
        return code == 0 and 'zombie' not in state

    def expect(self, word, timeout):
        """Wait for its next line. Fail if that is not this word."""
        self.guest.wait_for(
            lambda: self._lines()[self.said:] or not self.alive(),
            timeout, f'{self.name} to be {word}')
        lines = self._lines()[self.said:]
        self.said += 1
        if lines[:1] != [word]:
            self.guest.fail(f'{self.name} is not {word}, but {lines or "dead"}')

    def _lines(self):
        return self.guest.sh(f'cat {self.output}').splitlines()

    def kill(self):
        self.guest.try_sh(f'kill -9 {self.pid}')
        self.guest.wait_for(lambda: not self.alive(), what=f'end of the {self.name}')


class Hog(Process):
    """A process in the guest that holds memory with a pattern in it."""

    def __init__(self, guest, mib, cgroup=None, keep=''):
        command = f'exec hog {mib} {keep}'
        if cgroup:
            command = f'echo 0 >/sys/fs/cgroup/{cgroup}/cgroup.procs && {command}'
        super().__init__(guest, 'hog', command)

    def verify(self, timeout=TIMEOUT):
        """Fail unless all of its memory is what it wrote."""
        self.guest.sh(f'kill -USR1 {self.pid}')
        self.expect('intact', timeout)

    def churn(self):
        """Have it write to its memory over and over, until verify()."""
        self.guest.sh(f'kill -USR2 {self.pid}')
