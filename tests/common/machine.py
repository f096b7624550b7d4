# SPDX-License-Identifier: GPL-2.0-only
"""The machines that QEMU emulates for guests: the PC, and those of other architectures."""

import dataclasses

MIB = 1 << 20


def _props(props):
    words = {True: 'on', False: 'off'}
    return ''.join(f',{k}={words.get(v, v) if isinstance(v, bool) else v}'
                   for k, v in props.items())


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine, and what is to be known about its kernel and its devices.

    emulator    QEMU's program is qemu-system-EMULATOR
    flavour     of Debian's kernel, as tests/distro/flavours has it. None: amd64's, or one of our
                own
    type        what QEMU calls the machine
    options     more arguments for QEMU
    bus         what the devices are on: 'pci', 'ccw' (channels of s390), or 'device' (virtio-mmio).
                The names of QEMU's devices end so
    balloon     properties that the balloon device has on this machine
    console     of the kernel, as it calls it
    shell       the device in the guest that serve takes commands from, without /dev
    serials     QEMU's devices for these two. None: the machine has serial ports of its own
    page        size of the guest's pages in bytes
    block       the largest piece, up to 2 MiB, in which mm has free memory, in bytes
    largest     the largest piece in which mm has free memory, in bytes
    reserve     MiB that this kernel takes and one of a PC does not
    step        MiB that the size of the memory is a multiple of
    args        more parameters of the kernel
    modules     that the devices need
    sleeps      whether the kernel can suspend
    hints       whether a guest with free page hinting can be migrated. QEMU 10 aborts on s390x
                and with virtio-mmio. After any migration a CPU stands still on ppc64, and
                sometimes on riscv64
    own         for a kernel of our own: the architecture, and fragments of tests/kernel that it has
                besides those of a PC. They are what tests/kernel/build takes
    """
    emulator: str = 'x86_64'
    flavour: str | None = None
    type: str = 'q35'
    options: tuple = ()
    bus: str = 'pci'
    balloon: tuple = ()
    console: str = 'ttyS0'
    shell: str = 'ttyS1'
    serials: tuple = (None, None)
    page: int = 4096
    block: int = 2 * MIB
    largest: int = 4 * MIB
    reserve: int = 0
    step: int = 1
    args: str = ''
    modules: tuple = ('virtio_pci', 'virtio_blk')
    sleeps: bool = True
    hints: bool = True
    own: tuple = (None,)

    def device(self, name, props=''):
        """The argument of -device for a virtio device, with properties as QEMU writes them."""
        return f'virtio-{name}-{self.bus}{props}'

    def balloon_device(self, props):
        """The argument of -device for a balloon with these properties."""
        props = {**dict(self.balloon), **props}
        if props.get('free-page-hint'):
            props = {'iothread': 'iothread0', **props}
        return self.device('balloon', ',id=balloon0' + _props(props))

    def backend(self, path):
        """Where the virtio device is in QEMU, of the device that is at this path."""
        return path if self.bus == 'device' else path + '/virtio-backend'

    def serial_ports(self, *chardevs):
        """QEMU's arguments for the console and the shell, on these two character devices."""
        args = []
        for device, chardev in zip(self.serials, chardevs):
            if device is None:
                args += ['-serial', f'chardev:{chardev}']
            else:
                for part in device.split():
                    args += ['-device', part.format(chardev=chardev)]
        return args

    def kernel_args(self):
        """Parameters of the kernel for all guests. It hands the last two to init."""
        return (f'console={self.console} loglevel=7 panic=-1 panic_on_warn=1 '
                f'oops=panic hung_task_panic=1 softlockup_panic=1 {self.args} '
                f'port=/dev/{self.shell} modules={",".join(self.modules)}')


PC = Machine()

# Debian's kernel would keep 64 MiB for contiguous buffers, which nobody but user space may use.
NO_CMA = 'cma=0'
_VIRT = Machine(emulator='aarch64', flavour='arm64', type='virt,gic-version=3',
                options=('-cpu', 'neoverse-n1'), console='ttyAMA0', shell='ttyAMA1',
                args=NO_CMA)
_MMIO = dataclasses.replace(_VIRT, bus='device', modules=('virtio_mmio', 'virtio_blk'),
                            hints=False)
# Debian has no kernel with such pages.
_ARM64_64K = dataclasses.replace(_VIRT, flavour=None, page=64 << 10, largest=512 * MIB,
                                 own=('arm64', 'pages-64k'))
_S390 = Machine(emulator='s390x', flavour='s390x', type='s390-ccw-virtio',
                options=('-cpu', 'max'), bus='ccw', console='ttyS1', shell='hvc0',
                serials=('sclpconsole,chardev={chardev}',
                         'virtio-serial-ccw virtconsole,chardev={chardev}'),
                block=MIB, largest=MIB, modules=('virtio_blk',), sleeps=False, hints=False)

# Machines of other architectures, by the names that --machine takes.
OTHERS = {
    'arm64': _VIRT,
    'arm64-16k': dataclasses.replace(_VIRT, flavour='arm64-16k', page=16 << 10, largest=32 * MIB),
    'arm64-64k': _ARM64_64K,
    'arm64-mmio': dataclasses.replace(
        _MMIO, options=(*_MMIO.options, '-global', 'virtio-mmio.force-legacy=off')),
    'arm64-mmio-legacy': dataclasses.replace(
        _MMIO, options=(*_MMIO.options, '-global', 'virtio-mmio.force-legacy=on')),
    's390x': _S390,
    # Below revision 1 a device on a channel is a legacy device, whose fields are big-endian.
    's390x-legacy': dataclasses.replace(_S390, balloon=(('max_revision', 0),)),
    'ppc64el-64k': Machine(emulator='ppc64', flavour='powerpc64le-64k', type='pseries,x-vof=on',
                           # QEMU makes partitions in the NVRAM if it is to keep something there.
                           options=('-cpu', 'power9', '-prom-env', 'auto-boot?=true'),
                           console='hvc0', shell='hvc1',
                           page=64 << 10, largest=16 * MIB, reserve=32, step=256, hints=False),
    'riscv64': Machine(emulator='riscv64', flavour='riscv64', type='virt', args=NO_CMA,
                       serials=(None, 'pci-serial,chardev={chardev}'), hints=False),
}

# Machines that the KUnit suites run on besides a PC, with kernels of our own: the byte order is the
# other one, or pages are larger than page numbers.
KUNIT = {
    's390x': dataclasses.replace(_S390, own=('s390x',)),
    'arm64-64k': _ARM64_64K,
}
