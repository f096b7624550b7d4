// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the character of UTF-8 that @p begins with; 0: there is none. */
static size_t character(const char *p)
{
	unsigned char first = (unsigned char)p[0], second;
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 :
		   first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	/* The 0 byte at the end continues nothing. */
	for (size_t i = 1; i < n; i++)
		if (!continues(p[i]))
			return 0;
	second = n > 1 ? (unsigned char)p[1] : 0;
	/* Too long for what it means, a half of a pair, or beyond the last character. */
	if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
	    (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90))
		return 0;
	/* The control characters from 128 on. */
	if (first == 0xc2 && second < 0xa0)
		return 0;
	return n;
}

void text_copy(char *to, size_t len, const char *from)
{
	size_t used = 0;

	while (*from) {
		size_t n = character(from);
		bool bad = !n || (unsigned char)*from < ' ' || *from == 127;

		n = bad ? 1 : n;
		if (used + n >= len)
			break;
		for (size_t i = 0; i < n; i++)
			to[used + i] = bad ? '?' : from[i];
		used += n;
		from += n;
	}
	to[used] = '\0';
}

/* A shell takes it for itself. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-.,:/@+=", c));
}

char *text_quote(const char *from)
{
	size_t len = strlen(from), n = 0;
	/* A quote in quotes takes four characters. */
	char *copy = malloc(len + 1), *word = malloc(4 * len + 3);

	if (!copy || !word) {
		free(copy);
		free(word);
		return NULL;
	}
	text_copy(copy, len + 1, from);
	while (is_plain(copy[n]))
		n++;
	if (n && !copy[n]) {
		free(word);
		return copy;
	}
	n = 0;
	word[n++] = '\'';
	for (const char *p = copy; *p; p++) {
		if (*p == '\'') {
			memcpy(word + n, "'\\''", 4);
			n += 4;
		} else {
			word[n++] = *p;
		}
	}
	word[n++] = '\'';
	word[n] = '\0';
	free(copy);
	return word;
}

int text_columns(const char *text)
{
	int columns = 0;

	for (; *text; text++)
		columns += !continues(*text);
	return columns;
}

int text_fit(const char *text, int columns)
{
	int n = 0;

	while (text[n]) {
		if (!continues(text[n]) && columns-- <= 0)
			break;
		n++;
	}
	return n;
}
