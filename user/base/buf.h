/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer with a hard maximum: appended at the end, consumed at the front.
 * The only growable memory that holds bytes of a peer, so the maximum is not optional.
 */
#ifndef BRIDLE_BASE_BUF_H
#define BRIDLE_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
	char *mem;    /* owned; NULL until the first append */
	size_t head;  /* first byte that is not consumed */
	size_t tail;  /* one past the last byte */
	size_t size;  /* bytes of mem */
	size_t dirty; /* bytes of mem that may hold something, beside those before tail */
	size_t max;   /* never holds more than this many unconsumed bytes */
};

/* In place; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Frees the memory (wiped first) and leaves an empty buffer with the same maximum. */
void buf_done(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline char *buf_data(const struct buf *b)
{
	return b->mem + b->head;
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->mem ? b->mem + b->head : NULL, b->tail - b->head };
}

/* Bytes that may still be appended before the maximum. */
static inline size_t buf_room(const struct buf *b)
{
	return b->max - buf_len(b);
}

/*
 * Makes at least `want` bytes writable at the end and returns where; then buf_commit() what was written.
 * NULL when that would pass the maximum or memory is short. Invalidates earlier pointers.
 */
char *buf_reserve(struct buf *b, size_t want);
void buf_commit(struct buf *b, size_t n);

/* 0, or -ENOBUFS (maximum), -ENOMEM; nothing is appended then. */
int buf_append(struct buf *b, struct str s);
int buf_append_u64(struct buf *b, uint64_t n); /* in decimal */
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Appends s as the inside of a JSON string (RFC 8259): quotes, backslash, controls and invalid UTF-8 escaped. */
int buf_append_json(struct buf *b, struct str s);

/* Drops n bytes at the front; memory is given back when the buffer is empty. n must be <= buf_len(b). */
void buf_consume(struct buf *b, size_t n);

/* Empties, keeps the memory. */
void buf_clear(struct buf *b);

#endif
