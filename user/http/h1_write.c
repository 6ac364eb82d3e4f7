/* SPDX-License-Identifier: Apache-2.0 */
/* Heads written anew from their parsed form: no byte of a peer's head is ever forwarded as it came. */
#include <inttypes.h>

#include "base/buf.h"
#include "http/h1.h"

struct phrase {
	unsigned status;
	const char *text;
};

static const struct phrase phrases[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 103, "Early Hints" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *http_reason_phrase(unsigned status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].text;
	}
	return "";
}

static int put_field(struct buf *out, struct str name, struct str value)
{
	int r = buf_append(out, name);

	if (r == 0)
		r = buf_append(out, STR(": "));
	if (r == 0)
		r = buf_append(out, value);
	return r == 0 ? buf_append(out, STR("\r\n")) : r;
}

static int put_fields(struct buf *out, const struct http_fields *fields)
{
	int r = 0;

	for (size_t i = 0; i < fields->n && r == 0; i++)
		r = put_field(out, fields->at[i].name, fields->at[i].value);
	return r;
}

static int put_framing(struct buf *out, const struct http_body *body)
{
	if (body->kind == HTTP_BODY_LENGTH)
		return buf_printf(out, "content-length: %" PRIu64 "\r\n", body->length);
	if (body->kind == HTTP_BODY_CHUNKED)
		return buf_append(out, STR("transfer-encoding: chunked\r\n"));
	return 0;
}

int h1_write_request(struct buf *out, struct str method, struct str target, struct str host,
		     const struct http_fields *fields, const struct http_body *body)
{
	int r = buf_append(out, method);

	if (r == 0)
		r = buf_append(out, STR(" "));
	if (r == 0)
		r = buf_append(out, target);
	if (r == 0)
		r = buf_append(out, STR(" HTTP/1.1\r\n"));
	if (r == 0)
		r = put_field(out, STR("host"), host);
	if (r == 0)
		r = put_fields(out, fields);
	if (r == 0)
		r = put_framing(out, body);
	return r == 0 ? buf_append(out, STR("\r\n")) : r;
}

int h1_write_response(struct buf *out, unsigned status, struct str phrase, const struct http_fields *fields,
		      const struct http_body *body, bool keep_alive, bool to_head)
{
	int r = buf_printf(out, "HTTP/1.1 %u ", status);

	if (r == 0)
		r = buf_append(out, phrase.n ? phrase : str_of(http_reason_phrase(status)));
	if (r == 0)
		r = buf_append(out, STR("\r\n"));
	if (r == 0)
		r = put_fields(out, fields);
	if (r == 0 && !to_head && status >= 200 && status != 204 && status != 304) {
		const struct http_body none = { .kind = HTTP_BODY_LENGTH };

		r = put_framing(out, body->kind == HTTP_BODY_NONE ? &none : body);
	}
	if (r == 0 && !keep_alive && status >= 200)
		r = buf_append(out, STR("connection: close\r\n"));
	return r == 0 ? buf_append(out, STR("\r\n")) : r;
}
