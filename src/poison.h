/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_POISON_H
#define BALLOON_POISON_H

#include <linux/types.h>

extern const struct balloon_feature balloon_poison_feature;

bool balloon_poison_value(u32 *value);

#endif /* BALLOON_POISON_H */
