/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the fake device share with one another. Cases include fake.h alone.
 */
#ifndef FAKE_BALLOON_INTERNAL_H
#define FAKE_BALLOON_INTERNAL_H

#include "fake.h"

/* Counts a breach of the specification, and logs what it is. */
#define fake_breach(fake, format, ...)						\
do {										\
	(fake)->breaches++;							\
	pr_err("fake balloon: breach: " format "\n", ##__VA_ARGS__);		\
} while (0)

static inline struct fake_balloon *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_balloon, vdev);
}

static inline bool fake_negotiated(struct fake_balloon *fake, unsigned int bit)
{
	return fake->vdev.features & BIT_ULL(bit);
}

/* fake_transport.c */
extern const struct virtio_config_ops fake_config_ops;
extern const struct virtio_config_ops fake_config_ops_no_config;
void fake_lose_state(struct fake_balloon *fake);

/* fake_queues.c */
enum fake_role fake_queue_role(struct fake_balloon *fake, unsigned int index);
struct virtqueue *fake_queue_create(struct fake_balloon *fake, unsigned int index,
				    vq_callback_t *callback, const char *name);
void fake_queues_delete(struct fake_balloon *fake);
bool fake_pop(struct fake_balloon *fake, enum fake_role role, struct fake_buffer *buffer);
void fake_irq(struct irq_work *work);

/* fake_host.c */
void fake_host_work(struct work_struct *work);

/* fake_pages.c */
void fake_pages_inflate(struct fake_balloon *fake, u32 pfn);
void fake_pages_deflate(struct fake_balloon *fake, u32 pfn);
void fake_pages_report(struct fake_balloon *fake, void *data, u32 len);
void fake_pages_lose(struct fake_balloon *fake);

/* fake_death.c */
void fake_give_up(struct fake_balloon *fake);

/* fake_calls.c */
bool fake_calls_end(struct fake_balloon *fake);

/* fake_wait.c */
bool fake_test_failed(struct fake_balloon *fake);
void fake_wake_case(struct fake_balloon *fake);

#endif /* FAKE_BALLOON_INTERNAL_H */
