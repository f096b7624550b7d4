# SPDX-License-Identifier: GPL-2.0-only
"""Blocks of 2 MiB: which memory the balloon is made of, and that nothing is lost by it."""

import random
import re

import pytest

from common.buffers import (BLOCK, EVENTS, PAGE, blocks, buffers, check_owned, check_reported,
                            share_in_blocks)
from common.guest import EVERYTHING, MIB
from common.hostram import check_transparent, huge, pool

REPORTING = {'free-page-reporting': True}
WORDS = 'larger', 'blocks', 'pages'
BLOCK_BYTES = BLOCK * PAGE
MOSTLY = 0.9            # of a balloon is in blocks, where it takes them
HARDLY = 0.1            # of a balloon is in blocks, where it takes pages
TRACING = '/sys/kernel/tracing'
# How a process leaves pieces behind: it keeps every other page, or a page of each 4 MiB, so
# that half of the memory is in blocks of 2 MiB, and none is in larger ones.
EVERY_OTHER, ONE_OF_4_MIB = 2, 1024


def load(guest, take_first='larger'):
    """Load the driver. The stock driver has no such parameter."""
    guest.load(**{'take_first': take_first} if guest.lab.driver == 'ours' else {})


def resize(guest, size):
    """Set the target and wait until exactly this size is reached."""
    guest.balloon(size)
    guest.wait_actual(size)
    assert guest.meminfo()['MemTotal'] == guest.total - (guest.memory - size)


def check_balloon(guest, size):
    """The host owns exactly the pages that the guest does not have."""
    assert len(check_owned(buffers(guest))) == (guest.memory - size) // PAGE


def check_whole(guest):
    """The guest gets all of its memory back, and can use it."""
    resize(guest, guest.memory)
    check_balloon(guest, guest.memory)
    guest.unload()
    assert guest.meminfo()['MemTotal'] == guest.total
    hog = guest.hog(guest.meminfo()['MemFree'] // MIB - 64)
    hog.verify()
    hog.kill()


@pytest.fixture
def start(boot):
    """As boot. Which pages the guest sends can be seen, and mm compacts nothing by itself."""
    def start(**options):
        guest = boot(events=EVENTS, **options)
        if 'incoming' not in options:
            guest.total = guest.meminfo()['MemTotal']
            guest.sh('echo 0 >/proc/sys/vm/compaction_proactiveness')
        return guest
    return start


@pytest.mark.anywhere
def test_made_of_blocks(start, shows):
    """The balloon of a guest that has just booted is made of blocks."""
    guest = start()
    load(guest)
    resize(guest, 256 * MIB)
    check_balloon(guest, 256 * MIB)
    share = share_in_blocks(buffers(guest), guest.machine.block // PAGE)
    if guest.lab.driver == 'stock':
        # The stock driver takes page after page, in whatever order mm hands them out.
        assert share < HARDLY
    else:
        assert share > MOSTLY
    shows('made of blocks of 2 MiB (s390x: 1 MiB)', share > MOSTLY)
    check_whole(guest)


@pytest.mark.ours
@pytest.mark.parametrize('take_first, balloon', [
    ('larger', {}), ('blocks', REPORTING), ('pages', {})], ids=WORDS)
def test_sizes(start, take_first, balloon):
    """Sizes are exact to the page, whether they are multiples of a block or a buffer or not."""
    guest = start(balloon=balloon)
    load(guest, take_first)
    rng = random.Random(take_first)
    odd = [rng.randrange(320 * MIB, guest.memory, PAGE) for _ in range(3)]
    for size in (384 * MIB, 383 * MIB, 384 * MIB - PAGE, 386 * MIB + PAGE, *odd,
                 guest.memory - PAGE, guest.memory - BLOCK_BYTES,
                 guest.memory - BLOCK_BYTES - PAGE, 384 * MIB - PAGE):
        resize(guest, size)
    check_balloon(guest, size)
    # A target between two pages is rounded. That is never more than a page away.
    guest.balloon(400 * MIB + 1)
    guest.wait_for(lambda: abs(guest.actual() - 400 * MIB) <= PAGE, what='size')
    check_whole(guest)


@pytest.mark.ours
def test_content(start):
    """No process loses content while blocks are reported, leave the guest, and come back."""
    guest = start(balloon=REPORTING)
    load(guest, 'blocks')
    hogs = [guest.hog(48), guest.hog(32)]
    for i in range(3):
        resize(guest, (256 + 16 * i) * MIB)
        # This process uses the pages at once that are left.
        other = guest.hog(48)
        resize(guest, guest.memory - i * (BLOCK_BYTES + PAGE))
        # Now a process uses memory that was in the balloon.
        hogs.append(guest.hog(32))
        for hog in [other, *hogs]:
            hog.verify()
        other.kill()
        hogs.pop(0).kill()
    sent = buffers(guest)
    assert share_in_blocks(sent) > 0.5
    assert check_reported(sent) == len(blocks(sent))
    check_whole(guest)
    for hog in hogs:
        hog.verify()


@pytest.mark.ours
def test_compaction(start):
    """mm migrates pages of a block. All pages of a block that has lost some come back."""
    guest = start(memory=384)
    load(guest, 'blocks')
    hog = guest.hog(32)
    # Give back the lower half of memory, which is in blocks then, and of the other half every
    # other page: compaction moves pages to there.
    pieces = guest.hog(guest.meminfo()['MemFree'] // MIB - 48, keep=f'{EVERY_OTHER} 50')
    size = guest.memory - 112 * MIB
    resize(guest, size)
    made_of = blocks(buffers(guest))
    assert BLOCK_BYTES * len(made_of) > 80 * MIB

    before = guest.vmstat()['balloon_migrate']
    guest.sh('echo 1 >/proc/sys/vm/compact_memory')
    assert guest.vmstat()['balloon_migrate'] - before > 4 * BLOCK
    assert guest.actual() == size
    assert guest.meminfo()['MemTotal'] == guest.total - (guest.memory - size)
    check_balloon(guest, size)
    owned = check_owned(buffers(guest))
    lost = [b for b in made_of if not owned.issuperset(range(b, b + BLOCK))]
    assert len(lost) >= 4
    for process in hog, pieces:
        process.verify()
    # Some pages come back, others go, and mm moves pages meanwhile.
    loop = guest.sh('while true; do echo 1 >/proc/sys/vm/compact_memory; done & echo $!').strip()
    rng = random.Random(5)
    for _ in range(6):
        resize(guest, rng.randrange(size, guest.memory, PAGE))
    guest.sh(f'kill {loop}; while test -d /proc/{loop}; do sleep 0.1; done')
    for process in hog, pieces:
        process.verify()
    pieces.kill()
    check_whole(guest)
    hog.verify()


@pytest.mark.ours
@pytest.mark.parametrize('balloon', [{}, REPORTING], ids=['', 'reporting'])
def test_oom(start, balloon):
    """A guest out of memory gets back pages of blocks, and no process is killed."""
    guest = start(balloon={**balloon, 'deflate-on-oom': True})
    load(guest, 'blocks')
    target = 128 * MIB
    for _ in range(2):
        guest.balloon(target)
        guest.wait_actual(target)
        hog = guest.hog(160)
        assert target < guest.actual() < guest.memory
        hog.verify()
        # The driver grows the balloon again as soon as there is memory.
        hog.kill()
        guest.wait_actual(target)
    sent = buffers(guest)
    assert BLOCK_BYTES * len(blocks(sent)) > 256 * MIB
    assert 'Killed process' not in guest.log()
    hog = guest.hog(160)
    guest.balloon(guest.memory)
    guest.wait_actual(guest.memory)
    check_balloon(guest, guest.memory)
    assert guest.meminfo()['MemTotal'] == guest.total
    hog.verify()
    guest.unload()
    assert 'Killed process' not in guest.log()


@pytest.mark.ours
@pytest.mark.parametrize('balloon', [{'free-page-hint': True}, EVERYTHING],
                         ids=['hint', 'everything'])
def test_hinting(start, balloon):
    """The balloon takes blocks while the guest hints its free blocks, and is migrated."""
    source = start(balloon=balloon)
    load(source, 'blocks')
    hog = source.hog(64)
    source.hog(256).kill()
    free = source.meminfo()['MemFree']

    target = start(balloon=balloon, incoming=source)
    source.begin_migration(target)
    # The guest hints most of its free blocks. The balloon takes the others and some of these.
    source.wait_for(lambda: source.meminfo()['MemFree'] < free / 2, what='hinting')
    size = 256 * MIB + PAGE
    source.balloon(size)
    source.wait_actual(size)
    source.balloon(size + 40 * MIB)
    source.wait_actual(size + 40 * MIB)
    source.balloon(size)
    source.qmp.cmd('migrate-set-parameters', **{'max-bandwidth': 1 << 30})
    source.finish_migration(target)
    hog.guest = target
    hog.verify()
    target.wait_actual(size)
    total = source.total - (0 if balloon.get('deflate-on-oom') else source.memory - size)
    assert target.meminfo()['MemTotal'] == total
    target.balloon(target.memory)
    target.wait_actual(target.memory)
    owned = check_owned(buffers(source) + buffers(target))
    assert not owned
    target.unload()
    assert target.meminfo()['MemTotal'] == source.total
    target.hog(256).verify()
    hog.verify()


@pytest.fixture
def hugetlb(lab):
    """Options of a guest whose memory is on hugetlbfs, and MiB that it has."""
    memory = 1280
    size = memory + lab.reserve
    with pool(size * MIB // BLOCK_BYTES):
        yield {'memory': memory, 'machine': 'q35,memory-backend=ram', 'qemu_args': [
            '-object', f'memory-backend-memfd,id=ram,size={size}M,hugetlb=on,hugetlbsize=2M']}


def on_hugetlbfs(guest):
    """How many pages of hugetlbfs the guest's memory takes on the host."""
    with open(f'/proc/{guest.proc.pid}/status') as f:
        size = int(re.search(r'^HugetlbPages:\s+(\d+) kB', f.read(), re.M)[1])
    return size * 1024 // BLOCK_BYTES


def mm_reports_larger_only(guest):
    """Have mm report no blocks of 2 MiB, only those of 4 MiB, where the kernel lets one choose.

    Otherwise mm itself might report the blocks before the balloon takes them. Returns whether
    the kernel does."""
    return not guest.try_sh(
        'echo 10 >/sys/module/page_reporting/parameters/page_reporting_order')[0]


def use_and_free(guest):
    """Use nearly all memory. Then half of it is free in blocks of 2 MiB, and none in larger ones.

    Returns the process that keeps the blocks from becoming larger."""
    guest.sh('echo 0 >/proc/sys/vm/compact_unevictable_allowed')
    return guest.hog(int(0.94 * guest.meminfo()['MemFree']) // MIB - 32, keep=ONE_OF_4_MIB)


def test_hugetlbfs(hugetlb, boot):
    """A host that backs the guest with hugetlbfs has its pages back when the balloon is there."""
    guest = boot(balloon=REPORTING, **hugetlb)
    guest.total = guest.meminfo()['MemTotal']
    load(guest, 'blocks')
    quiet = mm_reports_larger_only(guest)
    hog = use_and_free(guest)
    before = on_hugetlbfs(guest)
    # The process leaves more than that in blocks.
    resize(guest, guest.memory - 384 * MIB)
    back = (before - on_hugetlbfs(guest)) * BLOCK_BYTES // MIB
    if guest.lab.driver == 'ours':
        assert back >= 0.95 * 384
    elif quiet:
        assert back < 0.25 * 384
    hog.verify()
    resize(guest, guest.memory)
    guest.hog(768).verify()
    hog.verify()


def test_huge_pages_of_the_host(start, lab):
    """The host's huge pages survive that memory goes into the balloon and is used again."""
    check_transparent()
    guest = start(memory=768, balloon=REPORTING)
    load(guest, 'blocks')
    quiet = mm_reports_larger_only(guest)
    hog = use_and_free(guest)
    before = huge(guest.proc.pid)
    assert before > guest.memory // 2
    resize(guest, guest.memory - 256 * MIB)
    assert check_reported(buffers(guest)) * BLOCK_BYTES > 240 * MIB or lab.driver == 'stock'
    resize(guest, guest.memory)
    guest.hog(guest.meminfo()['MemFree'] // MIB - 64).verify()
    after = huge(guest.proc.pid)
    if guest.lab.driver == 'ours':
        assert after > 0.9 * before
    elif quiet:
        assert after < 0.8 * before
    hog.verify()


@pytest.mark.ours
def test_reported_first(start):
    """The host discards each block as one before the balloon takes it, and mm goes on reporting."""
    # With a second CPU, the pages that the first process kept may stay in the list of free pages
    # of one CPU while only the other one works. Each would keep a block from becoming whole.
    guest = start(memory=768, cpus=1, balloon=REPORTING)
    load(guest, 'blocks')
    mm_reports_larger_only(guest)
    hog = use_and_free(guest)
    mark = len(buffers(guest))
    resize(guest, guest.memory - 192 * MIB)
    sent = buffers(guest)[mark:]
    assert share_in_blocks(sent) > MOSTLY
    assert check_reported(sent) == len(blocks(sent))

    # mm reports what this process leaves, and at the same time the driver reports blocks.
    hog.kill()
    other = guest.hog(320)
    full = guest.rss()
    other.kill()
    for size in 512, 640, 480:
        resize(guest, size * MIB)
    sent = buffers(guest)
    assert check_reported(sent) == len(blocks(sent))
    # The balloon has 96 MiB more than when the process had its memory. The others are mm's.
    guest.wait_for(lambda: guest.rss() < full - 256 * MIB, what='free pages to reach the host')
    check_balloon(guest, 480 * MIB)
    check_whole(guest)


def trace(guest, event, condition):
    """Have the guest's kernel note such events of the kernel's own workers."""
    guest.sh(f'test -e {TRACING}/events || mount -t tracefs tracefs {TRACING}; '
             f'cd {TRACING}/events/kmem/{event} && echo "{condition}" >filter && echo 1 >enable')


def traced(guest, event):
    """How many such events there were since, and forget them."""
    return int(guest.try_sh(f'grep -c "kworker.* {event}:" {TRACING}/trace; '
                            f'echo >{TRACING}/trace')[1])


def frees_page_by_page(guest):
    """Whether the kernel notes something about each page, which only the page's own free undoes.

    Memory allocation profiling does so, and page_owner since 6.9."""
    code, profiling = guest.try_sh('cat /proc/sys/vm/mem_profiling')
    owner = guest.lab.kernel() >= (6, 9) and 'page_owner=on' in guest.read('/proc/cmdline')
    return owner or (code == 0 and profiling.startswith('1'))


@pytest.mark.ours
def test_taken_and_freed_as_one(start):
    """A block is allocated as one, and comes back in few pieces."""
    guest = start()
    load(guest, 'blocks')
    trace(guest, 'mm_page_alloc', 'order >= 9')
    trace(guest, 'mm_page_free', 'order >= 8')
    resize(guest, guest.memory - 192 * MIB)
    assert traced(guest, 'mm_page_alloc') >= MOSTLY * 96
    resize(guest, guest.memory)
    freed = traced(guest, 'mm_page_free')
    if frees_page_by_page(guest):
        assert freed < HARDLY * 96
    else:
        # Perhaps mm has migrated a few pages. A buffer without these is in pieces.
        assert freed >= MOSTLY * 96
    check_whole(guest)


@pytest.mark.ours
def test_take_first_pages(start):
    """With take_first=pages no block is taken, although all memory is in blocks."""
    guest = start(balloon=REPORTING)
    load(guest, 'pages')
    trace(guest, 'mm_page_alloc', 'order >= 8')
    resize(guest, 320 * MIB)
    # That pages follow each other in a buffer could be chance.
    assert traced(guest, 'mm_page_alloc') == 0
    # The same guest gives blocks when it is asked to.
    guest.sh(f'echo blocks >{guest.parameter("take_first")}')
    mark = len(buffers(guest))
    resize(guest, 192 * MIB)
    assert traced(guest, 'mm_page_alloc') > MOSTLY * 64
    assert share_in_blocks(buffers(guest)[mark:]) > MOSTLY
    check_whole(guest)


@pytest.mark.ours
def test_wrong_words(start):
    """Only the three words are taken. With another the module is not loaded, or nothing changes."""
    guest = start()
    parameter = guest.parameter('take_first')
    wrong = ['block', 'blockss', 'Pages', '1', 'larger,pages', '""']
    for word in wrong:
        code, said = guest.try_sh(f'modprobe {guest.lab.module} take_first={word} 2>&1')
        assert code and 'Invalid argument' in said
        assert guest.try_sh(f'test -d /sys/module/{guest.lab.module}')[0]
    guest.load()
    assert guest.read(parameter) == 'larger'
    for value in WORDS[1:] + WORDS:
        guest.sh(f'echo {value} >{parameter}')
        assert guest.read(parameter) == value
        for word in wrong:
            code, said = guest.try_sh(f'echo {word} >{parameter}')
            assert code and 'Invalid argument' in said
            assert guest.read(parameter) == value
    # A word without a line's end is a word, too.
    guest.sh(f'printf blocks >{parameter}')
    resize(guest, 384 * MIB)
    assert share_in_blocks(buffers(guest)) > MOSTLY
    check_whole(guest)


@pytest.mark.ours
@pytest.mark.parametrize('balloon', [{}, REPORTING], ids=['', 'reporting'])
def test_take_first_changes(start, balloon):
    """take_first changes again and again while the balloon grows and shrinks."""
    guest = start(balloon=balloon)
    load(guest)
    hog = guest.hog(32)
    parameter = guest.parameter('take_first')
    loop = guest.sh(f'while true; do for word in {" ".join(WORDS)}; do '
                    f'echo $word >{parameter} || exit; done; done & echo $!').strip()
    rng = random.Random(6)
    for _ in range(6):
        # It may end in the middle of a block.
        guest.balloon(rng.randrange(160 * MIB, guest.memory, PAGE))
        guest.meminfo()
        size = rng.randrange(160 * MIB, guest.memory, PAGE)
        resize(guest, size)
    check_balloon(guest, size)
    # It still runs, so each word was taken.
    guest.sh(f'kill {loop}; while test -d /proc/{loop}; do sleep 0.1; done')
    hog.verify()
    hog.kill()
    check_whole(guest)


def free_in_blocks(guest):
    """Which share of the free memory is in free blocks of 2 MiB or more."""
    in_order = [0] * 16
    for line in guest.sh('cat /proc/buddyinfo').splitlines():
        for order, count in enumerate(line.split('zone')[1].split()[1:]):
            in_order[order] += int(count) << order
    return sum(in_order[9:]) / sum(in_order)


@pytest.mark.ours
@pytest.mark.parametrize('part, low, high, reporting', [
    (0.86, 0.1, 0.35, False), (0.46, 0.58, 0.8, False), (0.46, 0.58, 0.8, True)],
    ids=['a quarter', 'two thirds', 'two thirds, reporting'])
def test_fragmented(start, part, low, high, reporting):
    """Where free memory is in pieces, "larger" takes pages, and "blocks" takes blocks.

    With free page reporting, "larger" already does so where fewer pieces are free."""
    guest = start(balloon=REPORTING if reporting else {})
    guest.sh('echo 0 >/proc/sys/vm/compact_unevictable_allowed')
    hog = guest.hog(int(part * guest.meminfo()['MemFree']) // MIB, keep=EVERY_OTHER)
    load(guest, 'larger')
    for word, size in ('larger', 488), ('blocks', 464), ('larger', 440):
        guest.sh(f'echo {word} >{guest.parameter("take_first")}')
        assert low < free_in_blocks(guest) < high
        mark = len(buffers(guest))
        resize(guest, size * MIB)
        share = share_in_blocks(buffers(guest)[mark:])
        if word == 'blocks' or (low > 0.5 and not reporting):
            assert share > MOSTLY
        else:
            assert share < HARDLY
    hog.verify()
    hog.kill()
    check_whole(guest)


@pytest.mark.ours
@pytest.mark.parametrize('append', [
    'init_on_free=1', 'page_poison=1', 'init_on_free=1 page_poison=1',
    pytest.param('page_owner=on', marks=pytest.mark.option('PAGE_OWNER')),
    pytest.param('page_owner=on page_poison=1', marks=pytest.mark.option('PAGE_OWNER')),
    pytest.param('sysctl.vm.mem_profiling=1',
                 marks=pytest.mark.option('MEM_ALLOC_PROFILING'))])
def test_checked_pages(start, append):
    """Blocks go and come back on kernels that look at each page, or note something about it."""
    guest = start(append=append, balloon={**REPORTING, 'page-poison': True})
    load(guest, 'blocks')
    hog = guest.hog(32)
    for size in 320, 511, 384:
        resize(guest, size * MIB)
    check_balloon(guest, size * MIB)
    assert share_in_blocks(buffers(guest)) > MOSTLY
    # The kernel looks at pages when they are used.
    guest.hog(192).kill()
    hog.verify()
    resize(guest, guest.memory)
    guest.hog(320).kill()
    hog.verify()
    hog.kill()
    check_whole(guest)
    assert 'memory corruption' not in guest.log()
