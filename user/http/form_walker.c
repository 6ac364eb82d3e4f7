/* SPDX-License-Identifier: Apache-2.0 */
/* One byte at a time, eight bytes of memory: no chunk boundary can hide a name. */
#include "http/form_walker.h"

#include "base/percent.h"

#define METHOD_KEY "_method"
#define METHOD_LEN 7

enum form_kind { FORM_NONE = 0, FORM_URLENCODED, FORM_MULTIPART };

/* Readers cut a media type at ';' and some at ',' too. */
static struct str media_type(struct str content_type)
{
	size_t end = 0;

	while (end < content_type.n && content_type.p[end] != ';' && content_type.p[end] != ',')
		end++;
	return str_trim_ows(str_make(content_type.p, end));
}

bool form_walker_init(struct form_walker *w, struct str content_type)
{
	struct str type = media_type(content_type);

	*w = (struct form_walker){ 0 };
	if (type.n == 0 || str_eq_nocase(type, STR("application/x-www-form-urlencoded")))
		w->kind = FORM_URLENCODED; /* Rack reads a POST without a type as a form */
	else if (type.n >= 10 && str_eq_nocase(str_make(type.p, 10), STR("multipart/")))
		w->kind = FORM_MULTIPART;
	return w->kind != FORM_NONE;
}

static void push(struct form_walker *w, char c)
{
	memmove(w->window, w->window + 1, sizeof(w->window) - 1);
	w->window[sizeof(w->window) - 1] = ascii_lower(c);
	w->key_len++;
}

static bool window_ends(const struct form_walker *w, struct str text)
{
	return w->key_len >= text.n && memcmp(w->window + sizeof(w->window) - text.n, text.p, text.n) == 0;
}

static void forget(struct form_walker *w)
{
	memset(w->window, 0, sizeof(w->window));
	w->key_len = 0;
}

static void end_key(struct form_walker *w)
{
	char first = w->window[sizeof(w->window) - METHOD_LEN];

	/* PHP reads '.', ' ' and '[' in a name as '_' */
	if (!w->in_value && w->key_len == METHOD_LEN && window_ends(w, STR("method")) && memchr("_. [", first, 4))
		w->found = true;
}

/* What Rack and PHP drop before a name. */
static bool is_blank(char c)
{
	return c == ' ' || c == '+' || (c >= '\t' && c <= '\r') || c == '\0';
}

/* decoded: c came out of a %XX, so it separates nothing but '[' still begins an index. */
static void in_urlencoded(struct form_walker *w, char c, bool decoded)
{
	if (!decoded && (c == '&' || c == ';' || c == '\r' || c == '\n')) {
		end_key(w);
		forget(w);
		w->in_value = false;
	} else if (!w->in_value && ((!decoded && c == '=') || (c == '[' && w->key_len > 0) ||
				    (c == '\0' && w->key_len > 0))) { /* some readers cut a name at NUL */
		end_key(w);
		w->in_value = true;
	} else if (!w->in_value && !(w->key_len == 0 && is_blank(c))) {
		push(w, c);
	}
}

static void in_multipart(struct form_walker *w, char c)
{
	if (c == '\n' || c == '\r') {
		forget(w);
		return; /* "name" said before still counts: a header may be folded, and a false alarm only refuses */
	}
	if (c == '\\' || c == '\0')
		return;
	push(w, c);
	if (window_ends(w, STR("name")))
		w->has_name = true;
	if (w->has_name && window_ends(w, STR(METHOD_KEY)))
		w->found = true;
}

static void in_decoded(struct form_walker *w, char c, bool decoded)
{
	if (w->kind == FORM_URLENCODED)
		in_urlencoded(w, c, decoded);
	else
		in_multipart(w, c);
}

static void feed_one(struct form_walker *w, char c)
{
	if (w->escape == 0) {
		if (c == '%')
			w->escape = 1;
		else
			in_decoded(w, c, false);
		return;
	}
	if (percent_digit(c) < 0) { /* no escape after all: the held bytes are data */
		w->escape = 0;
		feed_one(w, c);
		return;
	}
	if (w->escape == 1) {
		w->high = (unsigned char)percent_digit(c);
		w->escape = 2;
		return;
	}
	w->escape = 0;
	in_decoded(w, (char)(w->high * 16 + percent_digit(c)), true);
}

bool form_walker_feed(struct form_walker *w, struct str content)
{
	for (size_t i = 0; i < content.n && !w->found && w->kind != FORM_NONE; i++)
		feed_one(w, content.p[i]);
	return w->found;
}

bool form_walker_finish(struct form_walker *w)
{
	if (w->kind == FORM_URLENCODED)
		end_key(w);
	return w->found;
}
