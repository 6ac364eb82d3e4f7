/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a credential into a request, after everything the client sent in its place was taken out.
 */
#ifndef BRIDLE_INJECT_INJECT_H
#define BRIDLE_INJECT_INJECT_H

#include "base/str.h"
#include "base/why.h"

struct http_request;
struct policy_credential;

/*
 * On a host with a bound credential: removes every slot by which a client could authenticate itself (Authorization,
 * Proxy-Authorization, Cookie when bound, PRIVATE-TOKEN, JOB-TOKEN, X-Api-Key, …, the credential's own header, '_'
 * twins, …). Returns WHY_allowed, or the reason to refuse (a managed query key).
 */
enum why inject_strip(const struct policy_credential *c, struct http_request *request);

/* Adds the rendered value, which is borrowed until the head is written. WHY_allowed, WHY_feature_unavailable, WHY_internal. */
enum why inject_apply(const struct policy_credential *c, struct str value, struct http_request *request);

#endif
