// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages that the host owns. It fills each of them with a pattern. If the pattern is gone when
 * a page comes back, the guest has used the page while it was the host's.
 *
 * All functions are called with fake->lock held.
 */
#include <linux/mm.h>

#include "fake_internal.h"

/* What the host writes to a page that it owns. */
#define FAKE_PATTERN	0x5a5a5a5a

/* Words at each end of 4 KiB that are written and checked. */
#define FAKE_WORDS	8

/* KASAN would complain of writes to a page that is free, as a reported one is. */
static __no_sanitize_address void fake_fill(void *data, u32 value)
{
	u32 *words = data;
	unsigned int i, last = FAKE_PFN_SIZE / sizeof(*words) - 1;

	for (i = 0; i < FAKE_WORDS; i++) {
		WRITE_ONCE(words[i], value);
		WRITE_ONCE(words[last - i], value);
	}
}

/* KASAN does not check this. So the fake itself says that a page was freed too early. */
static __no_sanitize_address bool fake_untouched(void *data)
{
	u32 *words = data;
	unsigned int i, last = FAKE_PFN_SIZE / sizeof(*words) - 1;

	for (i = 0; i < FAKE_WORDS; i++)
		if (words[i] != FAKE_PATTERN || words[last - i] != FAKE_PATTERN)
			return false;
	return true;
}

static void *fake_address(u32 pfn)
{
	return page_address(pfn_to_page(pfn / FAKE_PER_PAGE)) +
	       ((pfn % FAKE_PER_PAGE) << FAKE_PFN_SHIFT);
}

/**
 * fake_pages_inflate - become the owner of 4 KiB
 * @fake: the device
 * @pfn: page number, as the driver has sent it
 */
void fake_pages_inflate(struct fake_balloon *fake, u32 pfn)
{
	if (!pfn_valid(pfn / FAKE_PER_PAGE)) {
		fake_breach(fake, "inflated page %u, which the guest does not have", pfn);
	} else if (xa_load(&fake->owned, pfn)) {
		fake_breach(fake, "inflated page %u, which is the host's already", pfn);
	} else {
		xa_store(&fake->owned, pfn, xa_mk_value(1), GFP_ATOMIC);
		fake->nr_owned++;
		fake_fill(fake_address(pfn), FAKE_PATTERN);
	}
}

/**
 * fake_pages_deflate - give 4 KiB back
 * @fake: the device
 * @pfn: page number, as the driver has sent it
 */
void fake_pages_deflate(struct fake_balloon *fake, u32 pfn)
{
	if (!xa_load(&fake->owned, pfn)) {
		fake_breach(fake, "deflated page %u, which is not the host's", pfn);
		return;
	}
	if (!fake->early_use && !fake_untouched(fake_address(pfn)))
		fake_breach(fake, "page %u was used while it was the host's", pfn);
	xa_erase(&fake->owned, pfn);
	fake->nr_owned--;
}

/**
 * fake_pages_report - discard free pages
 * @fake: the device
 * @data: the first of them
 * @len: bytes of all of them
 *
 * The guest's pages then have the value that it has told the host, or else just any.
 */
void fake_pages_report(struct fake_balloon *fake, void *data, u32 len)
{
	u32 value = FAKE_PATTERN;
	u32 at;

	if (fake_negotiated(fake, VIRTIO_BALLOON_F_PAGE_POISON))
		value = le32_to_cpu(fake->config.poison_val);
	for (at = 0; at < len; at += FAKE_PFN_SIZE)
		fake_fill(data + at, value);
}

/**
 * fake_pages_lose - own no page any more, as after a reset
 * @fake: the device
 */
void fake_pages_lose(struct fake_balloon *fake)
{
	fake->lost = fake->nr_owned;
	xa_destroy(&fake->owned);
	fake->nr_owned = 0;
}
