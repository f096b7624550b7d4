/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: text that others have made up, such as names. */
#ifndef BALLOONSTAT_TEXT_H
#define BALLOONSTAT_TEXT_H

#include <stddef.h>

/**
 * text_copy() - copy text, so that it can be shown and written everywhere
 * @to: where to write
 * @len: size of @to; longer text is cut, between two characters
 * @from: any bytes
 *
 * Control characters and bytes that are no UTF-8 become question marks.
 */
void text_copy(char *to, size_t len, const char *from);

/**
 * text_quote() - text as a word of a shell command
 * @from: any bytes
 *
 * As text_copy(), and in quotes if a shell would take it for more than a word.
 *
 * Return: the word, to be released with free(); NULL without memory.
 */
char *text_quote(const char *from);

/**
 * text_columns() - how wide text is
 * @text: of text_copy()
 *
 * Return: columns, if each character takes one.
 */
int text_columns(const char *text);

/**
 * text_fit() - how many bytes of text fit into so many columns
 * @text: of text_copy()
 * @columns: at most
 */
int text_fit(const char *text, int columns);

#endif
