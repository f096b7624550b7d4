# SPDX-License-Identifier: GPL-2.0-only
"""A balloon in a PCI Express slot, which can be reset by itself and pulled out.

The guest is started with ports=1, balloon={'bus': 'port0'} and qemu_args=PULLABLE. The
commands below are for its shell."""

from common.guest import DEVICE

# Without this option QEMU gives a root port no slot that can be switched off.
PULLABLE = ('-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off')
FUNCTION = f'$(readlink -f {DEVICE}/..)'
RESET = f'{FUNCTION}/reset'       # file
REMOVE = f'{FUNCTION}/remove'     # file
# The slot's Slot Control register, counted in words of 2 bytes, and the value that switches
# the slot off.
SLOT_CONTROL, OFF = 0x6c // 2, r'\361\007'
# Takes the device out of its slot, without telling any driver first.
PULL = f"printf '{OFF}' | dd of={FUNCTION}/../config bs=2 seek={SLOT_CONTROL} conv=notrunc"


def check_pulled(guest):
    """The slot is empty."""
    port = next(device for device in guest.qmp.cmd('query-pci')[0]['devices']
                if device['qdev_id'] == 'port0')
    assert port['pci_bridge']['devices'] == []
