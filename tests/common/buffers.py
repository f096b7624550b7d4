# SPDX-License-Identifier: GPL-2.0-only
"""The buffers that a guest sends to its balloon, and which page numbers are in them."""

import dataclasses
import re

from common.guest import DEFLATE_QUEUE, INFLATE_QUEUE

# Those of QEMU's events that tell it. It notes two for each page, so keep balloons small.
EVENTS = ('virtio_queue_notify', 'virtqueue_pop', 'virtio_balloon_handle_output',
          'ram_block_discard_range')
PAGE = 4096             # what a number stands for, whatever the guest's pages are
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


def _queues(noted):
    """Queue -> its number, of the balloon's queues. Other devices have queues, too."""
    devices, numbers, popped, balloon = {}, {}, None, None
    for _, name, arguments in noted:
        if name == 'virtio_queue_notify':
            device, number, queue = re.fullmatch(r'vdev (\S+) n (\d+) vq (\S+)',
                                                 arguments).groups()
            devices[queue], numbers[queue] = device, number
        elif name == 'virtqueue_pop':
            popped = re.match(r'vq (\S+) ', arguments)[1]
        elif name == 'virtio_balloon_handle_output' and not balloon:
            balloon = devices[popped]
    return {queue: number for queue, number in numbers.items() if devices[queue] == balloon}


def buffers(guest):
    """The buffers that QEMU has taken from the balloon's queues so far, oldest first."""
    noted = guest.noted()
    found, numbers = [], _queues(noted)
    for _, name, arguments in noted:
        if name == 'virtqueue_pop':
            queue = re.match(r'vq (\S+) ', arguments)[1]
            # QEMU's thread for hinting may take buffers while the main thread works on another.
            if queue in numbers:
                found.append(Buffer(numbers[queue]))
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


def check_whole_pages(sent, page):
    """Fail unless each buffer names whole pages of this size in bytes, each number in its order."""
    step = page // PAGE
    for buffer in sent:
        for i in range(0, len(buffer.pages), step):
            first = buffer.pages[i]
            assert first % step == 0
            assert buffer.pages[i:i + step] == list(range(first, first + step))


def halves(sent):
    """The first page of each half of a block that was inflated. On s390x it is a whole block."""
    return [half for buffer in sent if buffer.queue == INFLATE_QUEUE
            for half in [buffer.half()] if half is not None]


def blocks(sent):
    """The first page of each block that was inflated: in two buffers, one after the other."""
    found = halves(sent)
    return [a for a, b in zip(found, found[1:]) if a % BLOCK == 0 and b == a + HALF]


def share_in_blocks(sent, block=BLOCK):
    """Which share of the pages that were inflated came in blocks, of BLOCK or of HALF as many pages.

    A page that mm migrates has a buffer of its own. Such pages are not counted."""
    pages = sum(len(buffer.pages) for buffer in sent
                if buffer.queue == INFLATE_QUEUE and len(buffer.pages) > 1)
    return block * len(blocks(sent) if block == BLOCK else halves(sent)) / pages


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
