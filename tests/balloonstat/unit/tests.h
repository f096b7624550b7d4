/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_H
#define TESTS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

int rate_tests(void);
int diagnose_tests(void);
int reply_tests(void);
int output_tests(void);

#endif
