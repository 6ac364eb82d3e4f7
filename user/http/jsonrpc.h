/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out whether the beginning of a JSON body is a JSON-RPC 2.0 call, and the id that its answer must carry. Decides nothing but the
 * form of a refusal; whatever it cannot read is no call, or has the id null.
 */
#ifndef BRIDLE_HTTP_JSONRPC_H
#define BRIDLE_HTTP_JSONRPC_H

#include <stdbool.h>

#include "base/str.h"

#define JSONRPC_PREFIX_MAX ((size_t)16 * 1024) /* bytes of a body that are looked at */
#define JSONRPC_ID_MAX	   128

/*
 * body may end anywhere. true: a call (or a batch of them, whose refusal has the id null). *ret_id is the id as JSON text, a span into
 * body or "null"; untouched otherwise.
 */
bool jsonrpc_find_id(struct str body, struct str *ret_id);

#endif
