/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of JSON strings (RFC 8259 7), for bodies and audit records. A byte that is not valid UTF-8 becomes
 * U+FFFD: the reader's parser must never fail on what a peer sent.
 */
#include "base/buf.h"
#include "base/utf8.h"

static struct str escape_of(unsigned char c, char hex[7])
{
	static const char digits[] = "0123456789abcdef";

	switch (c) {
	case '"':
		return STR("\\\"");
	case '\\':
		return STR("\\\\");
	case '\n':
		return STR("\\n");
	case '\r':
		return STR("\\r");
	case '\t':
		return STR("\\t");
	default:
		memcpy(hex, "\\u00", 4);
		hex[4] = digits[c >> 4];
		hex[5] = digits[c & 15];
		hex[6] = '\0';
		return str_make(hex, 6);
	}
}

int buf_append_json(struct buf *b, struct str s)
{
	while (s.n > 0) {
		size_t run = 0;
		char hex[7];
		int r;

		while (run < s.n) {
			unsigned char c = (unsigned char)s.p[run];
			size_t n;

			if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
				break;
			n = utf8_sequence(str_from(s, run));
			if (n == 0)
				break;
			run += n;
		}
		r = buf_append(b, str_make(s.p, run));
		if (r < 0)
			return r;
		s = str_from(s, run);
		if (s.n == 0)
			break;
		if ((unsigned char)s.p[0] >= 0x80)
			r = buf_append(b, STR("\\ufffd"));
		else
			r = buf_append(b, escape_of((unsigned char)s.p[0], hex));
		if (r < 0)
			return r;
		s = str_from(s, 1);
	}
	return 0;
}
