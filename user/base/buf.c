/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with a hard maximum. Memory grows by doubling from 4 KiB, is moved to the front before it
 * grows, and is given back when the buffer runs empty, so that an idle connection holds none.
 */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "base/util.h"

#define BUF_SIZE_MIN 4096

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

static void buf_release(struct buf *b)
{
	if (b->mem)
		secret_wipe(b->mem, MAX(b->dirty, b->tail)); /* heads hold injected credentials */
	free(b->mem);
	b->mem = NULL;
	b->head = b->tail = b->size = b->dirty = 0;
}

void buf_done(struct buf *b)
{
	buf_release(b);
}

static int buf_grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : MIN(BUF_SIZE_MIN, b->max);
	char *mem;

	while (size < need)
		size *= 2;
	size = MIN(size, b->max);
	mem = malloc(size);
	if (!mem)
		return -ENOMEM;
	if (buf_len(b) > 0)
		memcpy(mem, b->mem + b->head, buf_len(b));
	if (b->mem)
		secret_wipe(b->mem, MAX(b->dirty, b->tail));
	free(b->mem);
	b->tail -= b->head;
	b->head = b->dirty = 0;
	b->mem = mem;
	b->size = size;
	return 0;
}

char *buf_reserve(struct buf *b, size_t want)
{
	if (want > buf_room(b))
		return NULL;
	if (b->size - b->tail >= want && b->mem)
		return b->mem + b->tail;
	if (b->mem && b->size - buf_len(b) >= want) {
		b->dirty = MAX(b->dirty, b->tail);
		memmove(b->mem, b->mem + b->head, buf_len(b));
		b->tail -= b->head;
		b->head = 0;
	} else if (buf_grow(b, buf_len(b) + MAX(want, (size_t)1)) < 0) {
		return NULL;
	}
	return b->mem + b->tail;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->size - b->tail);
	b->tail += n;
}

int buf_append(struct buf *b, struct str s)
{
	char *to;

	if (s.n == 0)
		return 0;
	if (s.n > buf_room(b))
		return -ENOBUFS;
	to = buf_reserve(b, s.n);
	if (!to)
		return -ENOMEM;
	memcpy(to, s.p, s.n);
	b->tail += s.n;
	return 0;
}

int buf_append_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return buf_append(b, str_make(digits + at, sizeof(digits) - at));
}

int buf_vprintf(struct buf *b, const char *format, va_list args)
{
	size_t left = b->mem ? b->size - b->tail : 0;
	va_list again;
	char *to;
	int n;

	va_copy(again, args);
	n = vsnprintf(left ? b->mem + b->tail : NULL, left, format, again);
	va_end(again);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n < left) {
		b->tail += (size_t)n;
		return 0;
	}
	b->dirty = b->size; /* the beginning of it was written */
	if ((size_t)n > buf_room(b))
		return -ENOBUFS;
	if ((size_t)n + 1 > buf_room(b)) { /* no room for the NUL of vsnprintf: print beside, then append */
		auto_free char *text = malloc((size_t)n + 1);

		if (!text)
			return -ENOMEM;
		(void)vsnprintf(text, (size_t)n + 1, format, args);
		return buf_append(b, str_make(text, (size_t)n));
	}
	to = buf_reserve(b, (size_t)n + 1);
	if (!to)
		return -ENOMEM;
	(void)vsnprintf(to, (size_t)n + 1, format, args);
	b->tail += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vprintf(b, format, args);
	va_end(args);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += n;
	if (b->head == b->tail)
		buf_release(b);
}

void buf_clear(struct buf *b)
{
	b->dirty = MAX(b->dirty, b->tail);
	b->head = b->tail = 0;
}
