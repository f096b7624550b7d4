/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines over a non-blocking socket, with bounded buffers. */
#ifndef BALLOONSTAT_STREAM_H
#define BALLOONSTAT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* No answer that balloonstat asks for comes near this. */
#define STREAM_LINE_MAX		(256 * 1024)
/* Read at once, so that a chatterbox leaves others their turn. */
#define STREAM_BUDGET		(64 * 1024)

/**
 * struct stream - a socket, what came and what is to go
 * @fd: non-blocking; -1: closed
 * @in: what was received and not yet taken
 * @in_used: bytes of it
 * @in_size: allocated
 * @taken: bytes of @in that stream_line() has handed out
 * @out: what is to be sent
 * @out_used: bytes of it
 * @out_size: allocated
 * @eof: the other side has closed
 */
struct stream {
	int fd;
	char *in;
	size_t in_used, in_size, taken;
	char *out;
	size_t out_used, out_size;
	bool eof;
};

/**
 * stream_connect() - connect to a socket, without waiting
 * @address: the path of a UNIX socket, or "tcp:HOST:PORT"
 *
 * A connection over TCP may yet fail: stream_fill() then says why.
 *
 * Return: a non-blocking descriptor, or -errno; -EAGAIN: its queue is full.
 */
int stream_connect(const char *address);

/**
 * stream_open() - begin with a descriptor
 * @s: all zero, or closed
 * @fd: non-blocking; the stream's from now on
 */
void stream_open(struct stream *s, int fd);

/**
 * stream_close() - let go of the descriptor and the buffers
 * @s: may be closed already
 */
void stream_close(struct stream *s);

/**
 * stream_put() - have a line sent, now or when the socket takes it
 * @s: an open stream
 * @line: without the line's end
 *
 * Return: 0, or -errno if the stream is of no more use.
 */
int stream_put(struct stream *s, const char *line);

/**
 * stream_flush() - send what waits, as far as the socket takes it
 * @s: an open stream
 *
 * Return: 0, or -errno if the stream is of no more use.
 */
int stream_flush(struct stream *s);

/**
 * stream_fill() - receive what has come, at most STREAM_BUDGET
 * @s: an open stream; @s->eof is set at the end
 *
 * Return: 0, or -errno; -EMSGSIZE: a line is longer than STREAM_LINE_MAX.
 */
int stream_fill(struct stream *s);

/**
 * stream_line() - take the next complete line
 * @s: a stream
 * @len: its length, without the line's end
 *
 * An object that is spread over lines, as QEMU does with pretty=on, is one.
 *
 * Return: the line, valid until the next call of any stream function, with a
 * 0 byte behind it; NULL if there is none.
 */
char *stream_line(struct stream *s, size_t *len);

#endif
