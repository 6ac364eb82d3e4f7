/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaves one worker has, by canonical name: least recently used goes first, names that were asked of the keeper
 * stay until it answers, refusals are remembered for a moment so that waiting handshakes learn of them.
 */
#ifndef BRIDLE_TLS_LEAF_CACHE_H
#define BRIDLE_TLS_LEAF_CACHE_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/str.h"

#define LEAF_FRESH_MS	(24 * 3600 * 1000ULL) /* asked again afterwards; a leaf is valid for seven days */
#define LEAF_REFUSED_MS 5000ULL

enum leaf_state { LEAF_ABSENT = 0, LEAF_WAITING, LEAF_REFUSED, LEAF_READY };

struct leaf_cache;

int leaf_cache_new(size_t leaves_max, size_t waiting_max, struct leaf_cache **ret);
struct leaf_cache *leaf_cache_free(struct leaf_cache *c); /* NULL is fine; returns NULL */

/* What is known of name; *ret_cert (borrowed until the next call) only with LEAF_READY. */
enum leaf_state leaf_cache_get(struct leaf_cache *c, struct str name, uint64_t now_ms, X509 **ret_cert);

/* Makes a LEAF_WAITING entry for an absent name. 0, or -EBUSY when too many wait, -ENOMEM. */
int leaf_cache_wait(struct leaf_cache *c, struct str name, uint32_t *ret_id);

/* Ends the waiting: takes a reference on cert, NULL is a refusal. An id that nobody waits for is ignored. */
void leaf_cache_answer(struct leaf_cache *c, uint32_t id, X509 *cert, uint64_t now_ms);

size_t leaf_cache_count(const struct leaf_cache *c);

#endif
