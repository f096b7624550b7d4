/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_LOG_H
#define BALLOON_LOG_H

#include <linux/compiler.h>

struct balloon;

void balloon_log_init(struct balloon *b);
__printf(3, 4)
void balloon_log(struct balloon *b, const char *level, const char *format, ...);

#endif /* BALLOON_LOG_H */
