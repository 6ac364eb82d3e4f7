/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of why.def. */
#include "base/why.h"

struct why_text {
	const char *symbol;
	int status;
	const char *sentence;
	const char *next;
};

static const struct why_text texts[] = {
#define WHY(symbol, status, sentence, next) { #symbol, status, sentence, next },
#include "base/why.def"
#undef WHY
};

static const struct why_text *text_of(enum why why)
{
	unsigned i = (unsigned)why;

	return &texts[i < WHY_COUNT_ ? i : WHY_undecided];
}

const char *why_symbol(enum why why)
{
	return text_of(why)->symbol;
}

int why_status(enum why why)
{
	return text_of(why)->status;
}

const char *why_sentence(enum why why)
{
	return text_of(why)->sentence;
}

const char *why_next(enum why why)
{
	return text_of(why)->next;
}
