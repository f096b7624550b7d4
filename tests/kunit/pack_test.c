// SPDX-License-Identifier: GPL-2.0-only
/*
 * pack.c: the bytes of the statistics, and of page numbers. Tables, without a device.
 *
 * What is expected is written down as literals: none of it is computed from the header or from the
 * code under test. On 5.10 both sides of KUNIT_EXPECT_*() have to be of one type, hence the casts;
 * and there is no KUNIT_CASE_PARAM(), hence the loops.
 */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include "pack.h"
#include "suites.h"

#define NR	16	/* tags */
#define ENTRY	10	/* bytes of an entry */
#define SUBSETS	0x10000	/* of 16 tags */

enum unit { EVENTS, BYTES };

/*
 * One row for each tag, in the order of the tags. With pages of 4 KiB, a value of @in in the sample
 * is sent as @out. The bytes of the entry are @le for a little-endian device, @be for a big-endian
 * one. All values need more than 32 bits, so that one which is cut short shows.
 */
static const struct {
	unsigned int constant;
	u16 tag;
	const char *name;
	const char *prefixed;
	enum unit unit;
	u64 in;
	u64 out;
	u8 le[ENTRY];
	u8 be[ENTRY];
} tags[] = {
	{ VIRTIO_BALLOON_S_SWAP_IN, 0, "swap-in", "test-swap-in", BYTES,
	  0xfedcba98700c3, 0xfedcba98700c3000,
	  { 0x00, 0x00, 0x00, 0x30, 0x0c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x00, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x0c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_SWAP_OUT, 1, "swap-out", "test-swap-out", BYTES,
	  0xfedcba98701c3, 0xfedcba98701c3000,
	  { 0x01, 0x00, 0x00, 0x30, 0x1c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x01, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x1c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_MAJFLT, 2, "major-faults", "test-major-faults", EVENTS,
	  0xfedcba98765402c3, 0xfedcba98765402c3,
	  { 0x02, 0x00, 0xc3, 0x02, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x02, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x02, 0xc3 } },
	{ VIRTIO_BALLOON_S_MINFLT, 3, "minor-faults", "test-minor-faults", EVENTS,
	  0xfedcba98765403c3, 0xfedcba98765403c3,
	  { 0x03, 0x00, 0xc3, 0x03, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x03, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x03, 0xc3 } },
	{ VIRTIO_BALLOON_S_MEMFREE, 4, "free-memory", "test-free-memory", BYTES,
	  0xfedcba98704c3, 0xfedcba98704c3000,
	  { 0x04, 0x00, 0x00, 0x30, 0x4c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x04, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x4c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_MEMTOT, 5, "total-memory", "test-total-memory", BYTES,
	  0xfedcba98705c3, 0xfedcba98705c3000,
	  { 0x05, 0x00, 0x00, 0x30, 0x5c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x05, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x5c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_AVAIL, 6, "available-memory", "test-available-memory", BYTES,
	  0xfedcba98706c3, 0xfedcba98706c3000,
	  { 0x06, 0x00, 0x00, 0x30, 0x6c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x06, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x6c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_CACHES, 7, "disk-caches", "test-disk-caches", BYTES,
	  0xfedcba98707c3, 0xfedcba98707c3000,
	  { 0x07, 0x00, 0x00, 0x30, 0x7c, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x07, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0x7c, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_HTLB_PGALLOC, 8, "hugetlb-allocations", "test-hugetlb-allocations",
	  EVENTS,
	  0xfedcba98765408c3, 0xfedcba98765408c3,
	  { 0x08, 0x00, 0xc3, 0x08, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x08, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x08, 0xc3 } },
	{ VIRTIO_BALLOON_S_HTLB_PGFAIL, 9, "hugetlb-failures", "test-hugetlb-failures", EVENTS,
	  0xfedcba98765409c3, 0xfedcba98765409c3,
	  { 0x09, 0x00, 0xc3, 0x09, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x09, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x09, 0xc3 } },
	{ VIRTIO_BALLOON_S_OOM_KILL, 10, "oom-kills", "test-oom-kills", EVENTS,
	  0xfedcba9876540ac3, 0xfedcba9876540ac3,
	  { 0x0a, 0x00, 0xc3, 0x0a, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0a, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x0a, 0xc3 } },
	{ VIRTIO_BALLOON_S_ALLOC_STALL, 11, "alloc-stalls", "test-alloc-stalls", EVENTS,
	  0xfedcba9876540bc3, 0xfedcba9876540bc3,
	  { 0x0b, 0x00, 0xc3, 0x0b, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0b, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x0b, 0xc3 } },
	{ VIRTIO_BALLOON_S_ASYNC_SCAN, 12, "async-scans", "test-async-scans", BYTES,
	  0xfedcba9870cc3, 0xfedcba9870cc3000,
	  { 0x0c, 0x00, 0x00, 0x30, 0xcc, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0c, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0xcc, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_DIRECT_SCAN, 13, "direct-scans", "test-direct-scans", BYTES,
	  0xfedcba9870dc3, 0xfedcba9870dc3000,
	  { 0x0d, 0x00, 0x00, 0x30, 0xdc, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0d, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0xdc, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_ASYNC_RECLAIM, 14, "async-reclaims", "test-async-reclaims", BYTES,
	  0xfedcba9870ec3, 0xfedcba9870ec3000,
	  { 0x0e, 0x00, 0x00, 0x30, 0xec, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0e, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0xec, 0x30, 0x00 } },
	{ VIRTIO_BALLOON_S_DIRECT_RECLAIM, 15, "direct-reclaims", "test-direct-reclaims", BYTES,
	  0xfedcba9870fc3, 0xfedcba9870fc3000,
	  { 0x0f, 0x00, 0x00, 0x30, 0xfc, 0x70, 0x98, 0xba, 0xdc, 0xfe },
	  { 0x00, 0x0f, 0xfe, 0xdc, 0xba, 0x98, 0x70, 0xfc, 0x30, 0x00 } },
};

static void fill(struct balloon_sample *sample)
{
	unsigned int tag;

	for (tag = 0; tag < NR; tag++)
		sample->value[tag] = tags[tag].in;
}

/* Writes the expected bytes: the rows of the tags in @mask. Returns how many bytes. */
static size_t expect(u8 *out, u32 mask, bool little_endian)
{
	size_t size = 0;
	unsigned int tag;

	for (tag = 0; tag < NR; tag++) {
		if (!(mask & (1u << tag)))
			continue;
		memcpy(out + size, little_endian ? tags[tag].le : tags[tag].be, ENTRY);
		size += ENTRY;
	}
	return size;
}

static size_t pack(const struct balloon_sample *sample, u32 mask,
		   unsigned int page_shift, bool little_endian, u8 *out)
{
	return balloon_pack(sample, mask, page_shift, little_endian,
			    (struct virtio_balloon_stat *)out);
}

/* Packs @tag alone, and returns the value of the entry, read byte by byte. */
static u64 pack_one(const struct balloon_sample *sample, unsigned int tag,
		    unsigned int page_shift)
{
	u8 out[NR * ENTRY] = {};
	u64 value = 0;
	int i;

	pack(sample, 1u << tag, page_shift, true, out);
	for (i = 7; i >= 0; i--)
		value = value << 8 | out[2 + i];
	return value;
}

static void tag_numbers(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_S_NR, 16);
	KUNIT_ASSERT_EQ(test, (int)ARRAY_SIZE(tags), 16);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_EQ_MSG(test, tags[i].constant, (unsigned int)tags[i].tag,
				    "constant of %s", tags[i].name);
		KUNIT_EXPECT_EQ_MSG(test, (unsigned int)tags[i].tag, i,
				    "row of %s", tags[i].name);
	}
}

/* Each tag alone: the entry has its number, and its value in the right unit. */
static void tag_units(struct kunit *test)
{
	struct balloon_sample sample;
	u8 out[NR * ENTRY];
	unsigned int i;

	fill(&sample);
	for (i = 0; i < NR; i++) {
		memset(out, 0, sizeof(out));
		KUNIT_EXPECT_EQ_MSG(test, (int)pack(&sample, 1u << i, 12, true, out), 10,
				    "size of %s", tags[i].name);
		KUNIT_EXPECT_EQ_MSG(test, out[0] | out[1] << 8, (int)tags[i].tag,
				    "tag of %s", tags[i].name);
		KUNIT_EXPECT_EQ_MSG(test, pack_one(&sample, i, 12), tags[i].out,
				    "value of %s, in %s", tags[i].name,
				    tags[i].unit == BYTES ? "bytes" : "events");
	}
}

/* All tags together: the entry of each begins at ten times its number. */
static void tag_positions(struct kunit *test)
{
	struct balloon_sample sample;
	u8 out[NR * ENTRY] = {};
	unsigned int i;

	fill(&sample);
	KUNIT_ASSERT_EQ(test, (int)pack(&sample, 0xffff, 12, true, out), 160);
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, out[10 * i] | out[10 * i + 1] << 8, (int)tags[i].tag,
				    "tag at the position of %s", tags[i].name);
}

static void little_endian_bytes(struct kunit *test)
{
	struct balloon_sample sample;
	u8 out[NR * ENTRY] = {};
	unsigned int i;

	fill(&sample);
	KUNIT_ASSERT_EQ(test, (int)pack(&sample, 0xffff, 12, true, out), 160);
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, memcmp(out + i * ENTRY, tags[i].le, ENTRY), 0,
				    "%s: %*ph, not %*ph", tags[i].name,
				    ENTRY, out + i * ENTRY, ENTRY, tags[i].le);
}

/* S9. */
static void big_endian_bytes(struct kunit *test)
{
	struct balloon_sample sample;
	u8 out[NR * ENTRY] = {};
	unsigned int i;

	fill(&sample);
	KUNIT_ASSERT_EQ(test, (int)pack(&sample, 0xffff, 12, false, out), 160);
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, memcmp(out + i * ENTRY, tags[i].be, ENTRY), 0,
				    "%s: %*ph, not %*ph", tags[i].name,
				    ENTRY, out + i * ENTRY, ENTRY, tags[i].be);
}

static const struct {
	const char *name;
	unsigned int page_shift;
	u64 pages;
	u64 bytes;
} sizes[] = {
	{ "4K, none",			12, 0x0,		0x0 },
	{ "4K, one",			12, 0x1,		0x1000 },
	{ "4K, last below 32 bits",	12, 0xfffff,		0xfffff000 },
	{ "4K, first above 32 bits",	12, 0x100000,		0x100000000 },
	{ "4K, page count of 32 bits",	12, 0xffffffff,		0xffffffff000 },
	{ "4K, page count of 33 bits",	12, 0x100000000,	0x100000000000 },
	{ "4K, top bit",		12, 0x8000000000000,	0x8000000000000000 },
	{ "4K, largest exact",		12, 0xfffffffffffff,	0xfffffffffffff000 },
	{ "4K, first to wrap",		12, 0x10000000000000,	0x0 },
	{ "4K, second to wrap",		12, 0x10000000000001,	0x1000 },
	{ "4K, all bits set",		12, 0xffffffffffffffff,	0xfffffffffffff000 },
	{ "16K, one",			14, 0x1,		0x4000 },
	{ "16K, last below 32 bits",	14, 0x3ffff,		0xffffc000 },
	{ "16K, first above 32 bits",	14, 0x40000,		0x100000000 },
	{ "16K, largest exact",		14, 0x3ffffffffffff,	0xffffffffffffc000 },
	{ "16K, first to wrap",		14, 0x4000000000000,	0x0 },
	{ "16K, all bits set",		14, 0xffffffffffffffff,	0xffffffffffffc000 },
	{ "64K, one",			16, 0x1,		0x10000 },
	{ "64K, last below 32 bits",	16, 0xffff,		0xffff0000 },
	{ "64K, first above 32 bits",	16, 0x10000,		0x100000000 },
	{ "64K, largest exact",		16, 0xffffffffffff,	0xffffffffffff0000 },
	{ "64K, first to wrap",		16, 0x1000000000000,	0x0 },
	{ "64K, all bits set",		16, 0xffffffffffffffff,	0xffffffffffff0000 },
};

static void pages_to_bytes(struct kunit *test)
{
	struct balloon_sample sample = {};
	unsigned int i, tag;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (tag = 0; tag < NR; tag++) {
			if (tags[tag].unit != BYTES)
				continue;
			sample.value[tag] = sizes[i].pages;
			KUNIT_EXPECT_EQ_MSG(test, pack_one(&sample, tag, sizes[i].page_shift),
					    sizes[i].bytes, "%s: %s",
					    sizes[i].name, tags[tag].name);
		}
	}
}

static void events_stay_as_they_are(struct kunit *test)
{
	static const u64 events[] = {
		0x0, 0x1, 0xffffffff, 0x100000000, 0x8000000000000000, 0xffffffffffffffff
	};
	static const unsigned int shifts[] = { 12, 14, 16 };
	struct balloon_sample sample = {};
	unsigned int i, j, tag;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		for (j = 0; j < ARRAY_SIZE(shifts); j++) {
			for (tag = 0; tag < NR; tag++) {
				if (tags[tag].unit != EVENTS)
					continue;
				sample.value[tag] = events[i];
				KUNIT_EXPECT_EQ_MSG(test, pack_one(&sample, tag, shifts[j]),
						    events[i], "%s, page shift %u",
						    tags[tag].name, shifts[j]);
			}
		}
	}
}

/* The order of the tags in memory, with -1 after the last. */
static const struct {
	const char *name;
	u32 mask;
	int size;
	int order[NR + 1];
} subsets[] = {
	{ "none", 0x0, 0, { -1 } },
	{ "all", 0xffff, 160, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, -1 } },
	{ "first", 0x1, 10, { 0, -1 } },
	{ "last", 0x8000, 10, { 15, -1 } },
	{ "first and last", 0x8001, 20, { 0, 15, -1 } },
	{ "the old ten", 0x3ff, 100, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1 } },
	{ "the new six", 0xfc00, 60, { 10, 11, 12, 13, 14, 15, -1 } },
	{ "no hugetlb", 0xfcff, 140, { 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, -1 } },
	{ "no events", 0x00f0, 40, { 4, 5, 6, 7, -1 } },
	{ "even", 0x5555, 80, { 0, 2, 4, 6, 8, 10, 12, 14, -1 } },
	{ "odd", 0xaaaa, 80, { 1, 3, 5, 7, 9, 11, 13, 15, -1 } },
	{ "no tag at all", 0xffff0000, 0, { -1 } },
	{ "a tag and no tag", 0x80000400, 10, { 10, -1 } },
};

static void subsets_in_ascending_order(struct kunit *test)
{
	struct balloon_sample sample;
	unsigned int i;
	int j;

	fill(&sample);
	for (i = 0; i < ARRAY_SIZE(subsets); i++) {
		u8 out[NR * ENTRY] = {};

		KUNIT_ASSERT_EQ_MSG(test, (int)pack(&sample, subsets[i].mask, 12, true, out),
				    subsets[i].size, "%s", subsets[i].name);
		for (j = 0; subsets[i].order[j] >= 0; j++)
			KUNIT_EXPECT_EQ_MSG(test, out[10 * j] | out[10 * j + 1] << 8,
					    subsets[i].order[j], "%s, entry %d",
					    subsets[i].name, j);
		KUNIT_EXPECT_EQ_MSG(test, 10 * j, subsets[i].size, "row %s", subsets[i].name);
	}
}

/* All 65536 sets of tags, in both byte orders. */
static void every_subset(struct kunit *test)
{
	struct balloon_sample sample;
	u8 wanted[NR * ENTRY];
	u8 out[NR * ENTRY];
	unsigned int order;
	u32 mask;

	fill(&sample);
	for (mask = 0; mask < SUBSETS; mask++) {
		for (order = 0; order < 2; order++) {
			size_t size = expect(wanted, mask, order);

			memset(out, 0, sizeof(out));
			KUNIT_ASSERT_EQ_MSG(test, pack(&sample, mask, 12, order, out), size,
					    "mask %04x", mask);
			KUNIT_ASSERT_EQ_MSG(test, memcmp(out, wanted, size), 0,
					    "mask %04x, order %u", mask, order);
		}
	}
}

/* S7: whatever the values are, the tags and the size stay the same. */
static void same_tags_every_time(struct kunit *test)
{
	unsigned int i, j, round;

	for (i = 0; i < ARRAY_SIZE(subsets); i++) {
		for (round = 0; round < 4; round++) {
			/* 0 and 1 are no reason to leave a tag out. */
			static const u64 values[] = { 0, 1, 0x123456789, 0xffffffffffffffff };
			struct balloon_sample sample;
			u8 out[NR * ENTRY] = {};

			for (j = 0; j < NR; j++)
				sample.value[j] = values[round];
			KUNIT_ASSERT_EQ_MSG(test,
					    (int)pack(&sample, subsets[i].mask, 12, true, out),
					    subsets[i].size, "%s, round %u",
					    subsets[i].name, round);
			for (j = 0; subsets[i].order[j] >= 0; j++)
				KUNIT_ASSERT_EQ_MSG(test, out[10 * j] | out[10 * j + 1] << 8,
						    subsets[i].order[j], "%s, round %u, entry %u",
						    subsets[i].name, round, j);
		}
	}
}

/* No byte is written before the statistics or after them, for each set of tags. */
static void nothing_outside(struct kunit *test)
{
	const size_t guard = 32;
	struct balloon_sample sample;
	u8 area[32 + NR * ENTRY + 32];
	unsigned int order;
	u32 mask;

	fill(&sample);
	for (mask = 0; mask < SUBSETS; mask++) {
		size_t end = guard + (size_t)hweight16(mask) * ENTRY;

		for (order = 0; order < 2; order++) {
			memset(area, 0x5a, sizeof(area));
			pack(&sample, mask, 12, order, area + guard);
			KUNIT_ASSERT_PTR_EQ_MSG(test, memchr_inv(area, 0x5a, guard), (void *)NULL,
						"mask %04x: written before the statistics", mask);
			KUNIT_ASSERT_PTR_EQ_MSG(test, memchr_inv(area + end, 0x5a,
								 sizeof(area) - end),
						(void *)NULL,
						"mask %04x: written after the statistics", mask);
		}
	}
}

/* Values that the kernel has not sampled are garbage, and are not sent. */
static void unsampled_stays_inside(struct kunit *test)
{
	static const u8 garbage[] = { 0xa5, 0x00, 0xff };
	struct balloon_sample sample;
	u8 wanted[NR * ENTRY];
	u8 out[NR * ENTRY];
	unsigned int i, tag;
	u32 mask;

	for (mask = 0; mask < SUBSETS; mask++) {
		size_t size = expect(wanted, mask, true);

		for (i = 0; i < ARRAY_SIZE(garbage); i++) {
			memset(&sample, garbage[i], sizeof(sample));
			for (tag = 0; tag < NR; tag++)
				if (mask & (1u << tag))
					sample.value[tag] = tags[tag].in;
			memset(out, 0, sizeof(out));
			pack(&sample, mask, 12, true, out);
			KUNIT_ASSERT_EQ_MSG(test, memcmp(out, wanted, size), 0,
					    "mask %04x, garbage %02x", mask, garbage[i]);
		}
	}
}

static const struct {
	const char *name;
	u32 supported;
	unsigned int max_stat_tag;
	u32 sent;
} limits[] = {
	{ "0", 0xffff, 0, 0x0001 },
	{ "1", 0xffff, 1, 0x0003 },
	{ "2", 0xffff, 2, 0x0007 },
	{ "3", 0xffff, 3, 0x000f },
	{ "4", 0xffff, 4, 0x001f },
	{ "5", 0xffff, 5, 0x003f },
	{ "6", 0xffff, 6, 0x007f },
	{ "7", 0xffff, 7, 0x00ff },
	{ "8", 0xffff, 8, 0x01ff },
	{ "9", 0xffff, 9, 0x03ff },
	{ "10", 0xffff, 10, 0x07ff },
	{ "11", 0xffff, 11, 0x0fff },
	{ "12", 0xffff, 12, 0x1fff },
	{ "13", 0xffff, 13, 0x3fff },
	{ "14", 0xffff, 14, 0x7fff },
	{ "15", 0xffff, 15, 0xffff },
	{ "9 without hugetlb", 0xfcff, 9, 0x00ff },
	{ "12 without hugetlb", 0xfcff, 12, 0x1cff },
	{ "15 without events", 0x00f0, 15, 0x00f0 },
	{ "3 without events", 0x00f0, 3, 0x0000 },
	{ "15 of nothing", 0x0000, 15, 0x0000 },
};

static void limit_by_max_stat_tag(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    balloon_pack_limit(limits[i].supported, limits[i].max_stat_tag),
				    limits[i].sent, "limit %s", limits[i].name);
}

/* With a limit of 9, an old host gets what it knows: 100 bytes, tags 0 to 9. */
static void limit_9_is_what_stock_sends(struct kunit *test)
{
	struct balloon_sample sample;
	u8 out[NR * ENTRY] = {};
	u32 mask = balloon_pack_limit(0xffff, 9);
	int i;

	fill(&sample);
	KUNIT_ASSERT_EQ(test, (int)pack(&sample, mask, 12, true, out), 100);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ_MSG(test, memcmp(out + i * ENTRY, tags[i].le, ENTRY), 0,
				    "%s", tags[i].name);
}

static void names(struct kunit *test)
{
	static const char * const plain[] = VIRTIO_BALLOON_S_NAMES;
	static const char * const prefixed[] = VIRTIO_BALLOON_S_NAMES_WITH_PREFIX("test-");
	unsigned int i;

	KUNIT_ASSERT_EQ(test, (int)ARRAY_SIZE(plain), 16);
	KUNIT_ASSERT_EQ(test, (int)ARRAY_SIZE(prefixed), 16);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_STREQ_MSG(test, plain[i], tags[i].name, "tag %u", i);
		KUNIT_EXPECT_STREQ_MSG(test, prefixed[i], tags[i].prefixed, "tag %u", i);
	}
}

static void entry_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (int)sizeof(struct virtio_balloon_stat), 10);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_stat, tag), 0);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_stat, val), 2);
	KUNIT_EXPECT_EQ(test, (int)sizeof_field(struct virtio_balloon_stat, tag), 2);
	KUNIT_EXPECT_EQ(test, (int)sizeof_field(struct virtio_balloon_stat, val), 8);
}

/* C1. */
static void config_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_config, num_pages), 0);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_config, actual), 4);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_config, free_page_hint_cmd_id),
			8);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_config, free_page_report_cmd_id),
			8);
	KUNIT_EXPECT_EQ(test, (int)offsetof(struct virtio_balloon_config, poison_val), 12);
	KUNIT_EXPECT_EQ(test, (int)sizeof(struct virtio_balloon_config), 16);
}

static void numbers_of_the_contract(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_MUST_TELL_HOST, 0);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_STATS_VQ, 1);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_DEFLATE_ON_OOM, 2);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_FREE_PAGE_HINT, 3);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_PAGE_POISON, 4);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_F_REPORTING, 5);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_PFN_SHIFT, 12);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_CMD_ID_STOP, 0);
	KUNIT_EXPECT_EQ(test, (int)VIRTIO_BALLOON_CMD_ID_DONE, 1);
}

/* O10: the last page that has a number of 32 bits, and the first that has none. */
static void page_numbers_end(struct kunit *test)
{
	static const struct {
		unsigned int page_shift;
		u64 last;
	} pages[] = {
		{ 12, 0xffffffff },
		{ 14, 0x3fffffff },
		{ 16, 0x0fffffff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		KUNIT_EXPECT_TRUE(test, balloon_pack_addressable(0, pages[i].page_shift));
		KUNIT_EXPECT_TRUE(test, balloon_pack_addressable(pages[i].last,
								 pages[i].page_shift));
		KUNIT_EXPECT_FALSE(test, balloon_pack_addressable(pages[i].last + 1,
								  pages[i].page_shift));
		/* Cut to 32 bits, these would be the numbers of other pages. */
		KUNIT_EXPECT_FALSE(test, balloon_pack_addressable(0x100000000,
								  pages[i].page_shift));
		KUNIT_EXPECT_FALSE(test, balloon_pack_addressable(0x7ffffffffffff,
								  pages[i].page_shift));
	}
}

/* C2 O10: a page of the guest has a number for each 4 KiB, in the device's byte order. */
static void page_numbers(struct kunit *test)
{
	static const u8 le[] = { 0xfc, 0xcd, 0xab, 0xf8, 0xfd, 0xcd, 0xab, 0xf8,
				 0xfe, 0xcd, 0xab, 0xf8, 0xff, 0xcd, 0xab, 0xf8 };
	static const u8 be[] = { 0xf8, 0xab, 0xcd, 0xfc, 0xf8, 0xab, 0xcd, 0xfd,
				 0xf8, 0xab, 0xcd, 0xfe, 0xf8, 0xab, 0xcd, 0xff };
	static const u8 one[] = { 0xff, 0xff, 0xff, 0xff };
	__virtio32 out[5];

	memset(out, 0xa5, sizeof(out));
	KUNIT_EXPECT_EQ(test, balloon_pack_pfns(0x3e2af37f, 14, true, out), 4U);
	KUNIT_EXPECT_EQ(test, memcmp(out, le, sizeof(le)), 0);
	KUNIT_EXPECT_EQ(test, balloon_pack_pfns(0x3e2af37f, 14, false, out), 4U);
	KUNIT_EXPECT_EQ(test, memcmp(out, be, sizeof(be)), 0);
	KUNIT_EXPECT_EQ(test, ((u8 *)out)[16], (u8)0xa5);

	memset(out, 0xa5, sizeof(out));
	KUNIT_EXPECT_EQ(test, balloon_pack_pfns(0xffffffff, 12, true, out), 1U);
	KUNIT_EXPECT_EQ(test, memcmp(out, one, sizeof(one)), 0);
	KUNIT_EXPECT_EQ(test, ((u8 *)out)[4], (u8)0xa5);
}

static struct kunit_case pack_cases[] = {
	KUNIT_CASE(tag_numbers),
	KUNIT_CASE(tag_units),
	KUNIT_CASE(tag_positions),
	KUNIT_CASE(little_endian_bytes),
	KUNIT_CASE(big_endian_bytes),
	KUNIT_CASE(pages_to_bytes),
	KUNIT_CASE(events_stay_as_they_are),
	KUNIT_CASE(subsets_in_ascending_order),
	KUNIT_CASE(every_subset),
	KUNIT_CASE(same_tags_every_time),
	KUNIT_CASE(nothing_outside),
	KUNIT_CASE(unsampled_stays_inside),
	KUNIT_CASE(limit_by_max_stat_tag),
	KUNIT_CASE(limit_9_is_what_stock_sends),
	KUNIT_CASE(names),
	KUNIT_CASE(entry_layout),
	KUNIT_CASE(config_layout),
	KUNIT_CASE(numbers_of_the_contract),
	KUNIT_CASE(page_numbers_end),
	KUNIT_CASE(page_numbers),
	{}
};

struct kunit_suite balloon_pack_suite = {
	.name = "balloon_pack",
	.test_cases = pack_cases,
};
