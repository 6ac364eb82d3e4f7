/* SPDX-License-Identifier: Apache-2.0 */
/* How many origins a policy makes reachable: for the status line of `bridle run`. */
#include "policy/model.h"

size_t policy_route_count(const struct policy *p)
{
	return p->n_routes;
}
