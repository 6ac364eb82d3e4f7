/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of the build: prints the program's own tables as one JSON object, for the manuals and the completions. Linked
 * with the tables themselves, so that neither can say something else than the program does.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"
#include "cli/command.h"

#define OUTPUT_MAX ((size_t)4 << 20)
#define COLUMNS	   4

/* A table of texts: the rows' cells in the order of the columns; NULL: the row has fewer. */
struct text_table {
	const char *name;
	const char *columns[COLUMNS];
	const char *const (*rows)[COLUMNS];
	size_t n_rows;
};

#define DIGITS(x) #x

/* clang-format off */
static const char *const code_rows[][COLUMNS] = {
#define WHY(symbol, status, sentence, next) { #symbol, DIGITS(status), sentence, next },
#include "base/why.def"
#undef WHY
};

static const char *const deadline_rows[][COLUMNS] = {
#define DEADLINE(name, ms, what) { #name, DIGITS(ms), what },
#include "base/deadline.def"
#undef DEADLINE
};

static const char *const environment_rows[][COLUMNS] = {
#define ENV_BUNDLE(name)	{ "bundle", name },
#define ENV_EXTRA(name)		{ "extra", name },
#define ENV_SET(name, value)	{ "set", name, value },
#define ENV_APPEND(name, value)	{ "append", name, value },
#define ENV_PROXY(name)		{ "proxy", name },
#define ENV_DROP(name)		{ "drop", name },
#include "cli/env.def"
#undef ENV_BUNDLE
#undef ENV_EXTRA
#undef ENV_SET
#undef ENV_APPEND
#undef ENV_PROXY
#undef ENV_DROP
};

static const char *const finding_rows[][COLUMNS] = {
#define FINDING(symbol, meaning) { #symbol, meaning },
#include "audit/finding.def"
#undef FINDING
};
/* clang-format on */

static const char *const field_rows[][COLUMNS] = {
#define TEXT(name)   { #name, "text" },
#define NUMBER(name) { #name, "number" },
#include "audit/field.def"
#undef TEXT
#undef NUMBER
};

static const struct text_table tables[] = {
	{ "codes", { "symbol", "status", "sentence", "next" }, code_rows, ARRAY_SIZE(code_rows) },
	{ "deadlines", { "name", "ms", "what" }, deadline_rows, ARRAY_SIZE(deadline_rows) },
	{ "environment", { "kind", "name", "value" }, environment_rows, ARRAY_SIZE(environment_rows) },
	{ "findings", { "symbol", "meaning" }, finding_rows, ARRAY_SIZE(finding_rows) },
	{ "fields", { "name", "type" }, field_rows, ARRAY_SIZE(field_rows) },
};

/* "name":"value", or null; between is what stands in front. */
static int put(struct buf *out, const char *between, const char *name, const char *value)
{
	int r = buf_printf(out, "%s\"%s\":", between, name);

	if (r == 0 && !value)
		return buf_append(out, STR("null"));
	if (r == 0)
		r = buf_append(out, STR("\""));
	if (r == 0)
		r = buf_append_json(out, str_of(value));
	return r == 0 ? buf_append(out, STR("\"")) : r;
}

static int put_option(struct buf *out, const struct command *c, size_t index)
{
	const struct command_option *o = &c->options[index];
	const char letter[] = { c->letters[index], '\0' };
	int r = put(out, index ? ",\n    {" : "\n    {", "name", o->name);

	if (r == 0)
		r = put(out, ",", "letter", *letter ? letter : NULL);
	if (r == 0)
		r = put(out, ",", "argument", o->argument);
	if (r == 0)
		r = put(out, ",", "doc", o->doc);
	return r == 0 ? buf_append(out, STR("}")) : r;
}

static int put_command(struct buf *out, const struct command *c, const char *between)
{
	int r = put(out, between, "name", c->name);

	if (r == 0)
		r = put(out, ",", "rest", c->rest);
	if (r == 0)
		r = put(out, ",", "doc", c->doc);
	if (r == 0)
		r = buf_printf(out, ",\"rest_is_command\":%s,\"usage_status\":%d,\"options\":[",
			       c->rest_is_command ? "true" : "false", c->usage_status);
	for (size_t i = 0; c->options[i].name && r == 0; i++)
		r = put_option(out, c, i);
	return r == 0 ? buf_append(out, STR("]}")) : r;
}

static int put_commands(struct buf *out)
{
	int r = buf_append(out, STR("{\"commands\":["));

	for (size_t i = 0; commands[i] && r == 0; i++)
		r = put_command(out, commands[i], i ? ",\n  {" : "\n  {");
	return r == 0 ? buf_append(out, STR("]")) : r;
}

static int put_table(struct buf *out, const struct text_table *t)
{
	int r = buf_printf(out, ",\n\"%s\":[", t->name);

	for (size_t i = 0; i < t->n_rows && r == 0; i++) {
		for (size_t k = 0; k < COLUMNS && t->columns[k] && r == 0; k++)
			r = put(out, k ? "," : i ? ",\n  {" : "\n  {", t->columns[k], t->rows[i][k]);
		if (r == 0)
			r = buf_append(out, STR("}"));
	}
	return r == 0 ? buf_append(out, STR("]")) : r;
}

int main(void)
{
	struct buf out;
	int r;

	buf_init(&out, OUTPUT_MAX);
	r = put_commands(&out);
	for (size_t i = 0; i < ARRAY_SIZE(tables) && r == 0; i++)
		r = put_table(&out, &tables[i]);
	if (r == 0)
		r = buf_append(&out, STR("}\n"));
	if (r == 0 && (fwrite(buf_data(&out), 1, buf_len(&out), stdout) != buf_len(&out) || fflush(stdout) != 0))
		r = -1;
	buf_done(&out);
	return r == 0 ? 0 : 1;
}
