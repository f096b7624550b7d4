// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

int main(void)
{
	int failed = 0;

	failed += rate_tests();
	failed += diagnose_tests();
	failed += reply_tests();
	failed += output_tests();
	return failed ? 1 : 0;
}
