/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a form body while it streams and finds a field called _method, by which Rails, Symfony and others take
 * another method than the request line's. application/x-www-form-urlencoded and multipart/form-data; a body without a type
 * is walked as the first, as Rack reads it; content of any other type is not walked. In multipart bodies a "_method" behind the first "name" (decoded, any case) counts,
 * wherever it stands: a reader that finds part boundaries elsewhere than we would must not be fooled either.
 */
#ifndef BRIDLE_HTTP_FORM_WALKER_H
#define BRIDLE_HTTP_FORM_WALKER_H

#include <stdbool.h>

#include "base/str.h"

struct form_walker {
	unsigned char kind;
	unsigned char escape; /* bytes of a %XX seen so far: 0, 1, 2 */
	unsigned char high;   /* its first digit */
	bool in_value;	      /* urlencoded: behind '=' */
	bool has_name;	      /* multipart: "name" was said */
	bool found;
	size_t key_len; /* bytes of the key so far, decoded; counts on beyond the window */
	char window[8]; /* the last decoded bytes, lower case */
};

/* content_type is the field's value (empty: none). Returns false when there is nothing to walk. */
bool form_walker_init(struct form_walker *w, struct str content_type);

/* true: a _method field is in it (now or before). */
bool form_walker_feed(struct form_walker *w, struct str content);
bool form_walker_finish(struct form_walker *w);

#endif
