/* SPDX-License-Identifier: Apache-2.0 */
/* Times of records, and what people write for one. Microseconds since 1970 (UTC). */
#ifndef BRIDLE_AUDIT_WHEN_H
#define BRIDLE_AUDIT_WHEN_H

#include <stdint.h>

#include "base/str.h"

/* RFC 3339: "2026-11-25T17:03:00Z", with a fraction, with an offset. 0, or -EINVAL and *ret untouched. */
int audit_when_parse(struct str text, int64_t *ret);

/* The same, or a time before now_us: a number and s, m, h, d or w ("10m"). */
int audit_when_parse_ago(struct str text, int64_t now_us, int64_t *ret);

#endif
