/* SPDX-License-Identifier: Apache-2.0 */
/* What other parts need to know from the text: ports, pins, trust, credentials, files. */
#include <errno.h>
#include <stdlib.h>

#include "policy/model.h"

static void add_port(uint16_t port, uint16_t *out, size_t max, size_t *n)
{
	size_t i = 0, kept = *n < max ? *n : max;

	while (i < kept && out[i] < port)
		i++;
	if (i < kept && out[i] == port)
		return;
	if (i < max) {
		size_t move = (kept < max ? kept : max - 1) - i;

		memmove(out + i + 1, out + i, move * sizeof(*out));
		out[i] = port;
	}
	(*n)++;
}

size_t policy_ports(const struct policy *p, uint16_t *out, size_t max)
{
	size_t n = 0;

	add_port(80, out, max, &n);
	add_port(443, out, max, &n);
	for (size_t i = 0; i < p->n_proxy_ports; i++)
		add_port(p->proxy_ports[i], out, max, &n);
	for (size_t i = 0; i < p->n_routes; i++)
		add_port(p->routes[i].origin.port, out, max, &n);
	return n;
}

bool policy_is_proxy_port(const struct policy *p, uint16_t port)
{
	for (size_t i = 0; i < p->n_proxy_ports; i++) {
		if (p->proxy_ports[i] == port)
			return true;
	}
	return false;
}

int policy_add_proxy_port(struct policy *p, uint16_t port)
{
	if (policy_is_proxy_port(p, port))
		return 0;
	if (p->n_proxy_ports == POLICY_PROXY_PORTS_MAX)
		return -ENOSPC;
	p->proxy_ports[p->n_proxy_ports++] = port;
	return 0;
}

size_t policy_resolve_pins(const struct policy *p, const struct host *host, const struct address **ret)
{
	for (size_t i = 0; i < p->n_pins; i++) {
		if (str_eq(str_of(p->pins[i].name), host_str(host))) {
			*ret = p->pins[i].addresses;
			return p->pins[i].n;
		}
	}
	return 0;
}

size_t policy_trust_count(const struct policy *p)
{
	return p->n_trust;
}

const char *policy_trust_at(const struct policy *p, size_t i)
{
	return i < p->n_trust ? p->trust[i] : NULL;
}

const char *policy_ca_cert_uri(const struct policy *p)
{
	return p->ca_cert;
}

const char *policy_ca_key_uri(const struct policy *p)
{
	return p->ca_key;
}

size_t policy_credential_count(const struct policy *p)
{
	return p->n_credentials;
}

const struct policy_credential *policy_credential_at(const struct policy *p, size_t i)
{
	return i < p->n_credentials ? &p->credentials[i] : NULL;
}

size_t policy_secret_file_count(const struct policy *p)
{
	return p->n_files;
}

const char *policy_secret_file_at(const struct policy *p, size_t i)
{
	return i < p->n_files ? p->files[i] : NULL;
}
