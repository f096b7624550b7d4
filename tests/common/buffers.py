# SPDX-License-Identifier: GPL-2.0-only
"""The buffers that a guest sends to its balloon, and which page numbers are in them."""

import dataclasses
import re

from common.guest import DEFLATE_QUEUE, INFLATE_QUEUE

# Those of QEMU's events that tell it. It notes two for each page, so keep balloons small.
EVENTS = ('virtio_queue_notify', 'virtqueue_pop', 'virtio_balloon_handle_output',
          'ram_block_discard_range')
PAGE = 4096
BLOCK = 512             # pages
HALF = BLOCK // 2       # what a buffer names


@dataclasses.dataclass
class Buffer:
    """A buffer that QEMU has taken from a queue of the balloon.

    queue       as QEMU's events name it
    pages       the numbers in it, in their order, where it is the inflate or deflate queue
    discarded   for each range that QEMU discarded: its address in QEMU and its size, in bytes
    """
    queue: str
    pages: list = dataclasses.field(default_factory=list)
    discarded: list = dataclasses.field(default_factory=list)

    def half(self):
        """The first page if these are one half of a block, in their order. None if not."""
        first = self.pages[0] if self.pages else None
        if self.pages and first % HALF == 0 and \
                self.pages == list(range(first, first + HALF)):
            return first
        return None


def buffers(guest):
    """The buffers that QEMU has taken so far, oldest first. The guest has no other device."""
    found, numbers = [], {}
    for _, name, arguments in guest.noted():
        if name == 'virtio_queue_notify':
            number, queue = re.fullmatch(r'vdev \S+ n (\d+) vq (\S+)', arguments).groups()
            numbers[queue] = number
        elif name == 'virtqueue_pop':
            queue = re.match(r'vq (\S+) ', arguments)[1]
            # QEMU's thread for hinting may take buffers while the main thread works on another.
            found.append(Buffer(numbers.get(queue, '')))
        elif name == 'virtio_balloon_handle_output':
            address = int(re.search(r'gpa: (\S+)', arguments)[1], 16)
            last = next(b for b in reversed(found) if b.queue in (INFLATE_QUEUE, DEFLATE_QUEUE))
            last.pages.append(address // PAGE)
        elif name == 'ram_block_discard_range' and found:
            start, size = re.search(r'@(\S+) \+ (0x[0-9a-f]+)', arguments).groups()
            found[-1].discarded.append((int(start, 16), int(size, 16)))
    return found


def check_owned(sent):
    """What the host owns after these buffers, as a set of page numbers.

    Fails if a page joins the balloon that is in it, or leaves it and is not in it."""
    owned = set()
    for buffer in sent:
        if buffer.queue == INFLATE_QUEUE:
            assert len(set(buffer.pages)) == len(buffer.pages)
            assert owned.isdisjoint(buffer.pages)
            owned.update(buffer.pages)
        elif buffer.queue == DEFLATE_QUEUE:
            assert owned.issuperset(buffer.pages)
            owned.difference_update(buffer.pages)
    return owned


def blocks(sent):
    """The first page of each block that was inflated: in two buffers, one after the other."""
    halves = [half for buffer in sent if buffer.queue == INFLATE_QUEUE
              for half in [buffer.half()] if half is not None]
    return [a for a, b in zip(halves, halves[1:]) if a % BLOCK == 0 and b == a + HALF]


def share_in_blocks(sent):
    """Which share of the pages that were inflated came in blocks.

    A page that mm migrates has a buffer of its own. Such pages are not counted."""
    pages = sum(len(buffer.pages) for buffer in sent
                if buffer.queue == INFLATE_QUEUE and len(buffer.pages) > 1)
    return BLOCK * len(blocks(sent)) / pages


def check_reported(sent):
    """Fail unless the host discarded each block in one piece just before it was inflated.

    Returns how many blocks that were."""
    # Where QEMU has the guest's memory is seen from a page that it discarded by itself.
    base = next(buffer.discarded[0][0] - buffer.pages[0] * PAGE for buffer in sent
                if buffer.queue == INFLATE_QUEUE and buffer.discarded)
    inflated = iter(blocks(sent))
    following = next(inflated, None)
    reported, checked = set(), 0
    for buffer in sent:
        if buffer.queue not in (INFLATE_QUEUE, DEFLATE_QUEUE):
            for start, size in buffer.discarded:
                first, pages = (start - base) // PAGE, size // PAGE
                reported.update(range(-(-first // BLOCK), (first + pages) // BLOCK))
        elif buffer.queue == INFLATE_QUEUE and following is not None and \
                buffer.half() == following:
            assert following // BLOCK in reported, f'block {following:#x} was not reported'
            # It has to be reported again when it joins the balloon again.
            reported.remove(following // BLOCK)
            following = next(inflated, None)
            checked += 1
    return checked
