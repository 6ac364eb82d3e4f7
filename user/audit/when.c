/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 5.6, strictly; a leap second is the second behind it. */
#include "audit/when.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "base/util.h"

#define SECOND_US INT64_C(1000000)

/* Exactly n digits at the start of *s, which moves on. -1 when there are fewer. */
static int take_digits(struct str *s, size_t n)
{
	int value = 0;

	if (s->n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return -1;
		value = value * 10 + (s->p[i] - '0');
	}
	*s = str_from(*s, n);
	return value;
}

static bool take_char(struct str *s, const char *any)
{
	if (s->n == 0 || !s->p[0] || !strchr(any, s->p[0]))
		return false;
	*s = str_from(*s, 1);
	return true;
}

/* What the six fields may be; a month has 31 days until timegm() has said otherwise. */
static const struct part {
	size_t digits;
	int from, to;
	const char *behind; /* one of these follows; NULL: nothing of its own */
} parts[] = {
	{ 4, 1970, 9999, "-" }, { 2, 1, 12, "-" }, { 2, 1, 31, "Tt " },
	{ 2, 0, 23, ":" },	{ 2, 0, 59, ":" }, { 2, 0, 60, NULL },
};

static int take_date_time(struct str *s, int64_t *ret)
{
	int v[ARRAY_SIZE(parts)];
	struct tm tm;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		v[i] = take_digits(s, parts[i].digits);
		if (v[i] < parts[i].from || v[i] > parts[i].to || (parts[i].behind && !take_char(s, parts[i].behind)))
			return -EINVAL;
	}
	tm = (struct tm){ .tm_year = v[0] - 1900,
			  .tm_mon = v[1] - 1,
			  .tm_mday = v[2],
			  .tm_hour = v[3],
			  .tm_min = v[4],
			  .tm_sec = v[5] };
	*ret = (int64_t)timegm(&tm) * SECOND_US;
	return tm.tm_mon == v[1] - 1 ? 0 : -EINVAL; /* the 31st of a shorter month */
}

static int take_fraction(struct str *s, int64_t *us)
{
	int64_t unit = SECOND_US / 10;

	if (!take_char(s, "."))
		return 0;
	if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9')
		return -EINVAL;
	for (int digit; (digit = take_digits(s, 1)) >= 0; unit /= 10)
		*us += digit * unit;
	return 0;
}

static int take_offset(struct str *s, int64_t *us)
{
	const bool west = s->n > 0 && s->p[0] == '-';
	int hours, minutes;

	if (take_char(s, "Zz"))
		return 0;
	if (!take_char(s, "+-"))
		return -EINVAL;
	hours = take_digits(s, 2);
	if (!take_char(s, ":"))
		return -EINVAL;
	minutes = take_digits(s, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*us += (west ? 1 : -1) * (hours * 60 + minutes) * 60 * SECOND_US;
	return 0;
}

int audit_when_parse(struct str text, int64_t *ret)
{
	int64_t us = 0;

	if (take_date_time(&text, &us) < 0 || take_fraction(&text, &us) < 0 || take_offset(&text, &us) < 0 ||
	    text.n > 0)
		return -EINVAL;
	*ret = us;
	return 0;
}

int audit_when_parse_ago(struct str text, int64_t now_us, int64_t *ret)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (text.n < 2 || text.p[text.n - 1] != units[i].letter)
			continue;
		if (str_to_u64(str_make(text.p, text.n - 1), &number) < 0 || number > 1000000000)
			return -EINVAL;
		*ret = now_us - (int64_t)number * units[i].seconds * SECOND_US;
		return 0;
	}
	return audit_when_parse(text, ret);
}
