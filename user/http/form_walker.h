/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a form body while it streams and finds a field called _method, by which Rails, Symfony and others take
 * another method than the request line's. application/x-www-form-urlencoded and multipart/form-data; content of
 * any other type is not walked. Names are compared after decoding; a name that cannot be decoded, or a multipart
 * body that is malformed or has no usable boundary, counts as found: refuse.
 */
#ifndef BRIDLE_HTTP_FORM_WALKER_H
#define BRIDLE_HTTP_FORM_WALKER_H

#include <stdbool.h>

#include "base/str.h"

struct form_walker {
	unsigned char kind;
	unsigned char state;
	bool found;
	size_t used;
	size_t boundary_len;
	size_t matched;
	char boundary[80];
	char window[1024]; /* the name or part-header line being read */
};

/* content_type is the field's value (empty: none). Returns false when there is nothing to walk. */
bool form_walker_init(struct form_walker *w, struct str content_type);

/* true: a _method field is in it (now or before). */
bool form_walker_feed(struct form_walker *w, struct str content);
bool form_walker_finish(struct form_walker *w);

/* Whether a query string holds a key that decodes to _method, in any spelling that a form decoder accepts ("_method", "%5Fmethod", "_method[]"). */
bool form_query_has_method(struct str query);

#endif
