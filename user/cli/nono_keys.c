/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each key of a nono profile. A key that stands in no table is unsafe: it may restrict something. */
#include "cli/nono_private.h"

#define NOT_DONE "is not done here; "

const struct nono_key nono_top_keys[] = {
	{ "network", NONO_READ, 0 },
	{ "extends", NONO_READ, 0 },
	{ "platform_overrides", NONO_READ, 0 },
	{ "filesystem", NONO_READ, 0 },
	{ "command_policies", NONO_LEFT,
	  "rules for single commands have no counterpart; start such a command with a policy of its own" },
	{ "credential_providers", NONO_LEFT,
	  "captured logins have no counterpart; write the token into a file and name it in custom_credentials" },
	{ "credential_routes", NONO_LEFT,
	  "captured logins have no counterpart; write the token into a file and name it in custom_credentials" },
	{ "env_credentials", NONO_LEFT,
	  "no secret is put into the program's environment; write a custom_credentials entry with \"env_var\", which "
	  "holds a placeholder" },
	{ "secrets", NONO_LEFT,
	  "no secret is put into the program's environment; write a custom_credentials entry with \"env_var\", which "
	  "holds a placeholder" },
	{ "packs", NONO_LEFT, "what packs add is not in this file; import their profiles too" },
	{ "credential_capture", NONO_ASIDE, 0 }, /* said where a credential names it */
	{ "$schema", NONO_ASIDE, 0 },
	{ "meta", NONO_ASIDE, 0 },
	{ "security", NONO_ASIDE, 0 },
	{ "groups", NONO_ASIDE, 0 },
	{ "commands", NONO_ASIDE, 0 },
	{ "diagnostics", NONO_ASIDE, 0 },
	{ "linux", NONO_ASIDE, 0 },
	{ "environment", NONO_ASIDE, 0 },
	{ "workdir", NONO_ASIDE, 0 },
	{ "hooks", NONO_ASIDE, 0 },
	{ "session_hooks", NONO_ASIDE, 0 },
	{ "rollback", NONO_ASIDE, 0 },
	{ "undo", NONO_ASIDE, 0 },
	{ "open_urls", NONO_ASIDE, 0 },
	{ "allow_launch_services", NONO_ASIDE, 0 },
	{ "allow_gpu", NONO_ASIDE, 0 },
	{ "interactive", NONO_ASIDE, 0 },
	{ "command_args", NONO_ASIDE, 0 },
	{ "unsafe_macos_seatbelt_rules", NONO_ASIDE, 0 },
	{ "allow_parent_of_protected", NONO_ASIDE, 0 },
	{ "skipdirs", NONO_ASIDE, 0 },
	{ "binary", NONO_ASIDE, 0 },
	{ 0 },
};

#define LOOPBACK \
	"a server inside the sandbox needs no rule for other programs inside; from outside nothing can connect yet"

const struct nono_key nono_network_keys[] = {
	{ "block", NONO_READ, 0 },
	{ "allow_domain", NONO_READ, 0 },
	{ "proxy_allow", NONO_READ, 0 },
	{ "allow_proxy", NONO_READ, 0 },
	{ "deny_domain", NONO_READ, 0 },
	{ "credentials", NONO_READ, 0 },
	{ "proxy_credentials", NONO_READ, 0 },
	{ "custom_credentials", NONO_READ, 0 },
	{ "network_profile", NONO_LEFT,
	  "its hosts stand inside nono's program, not in this file; write those that are needed into allow_domain" },
	{ "allow_http2", NONO_LEFT, "only HTTP/1.1 is spoken; leave it out, clients fall back" },
	{ "open_port", NONO_LEFT, LOOPBACK },
	{ "port_allow", NONO_LEFT, LOOPBACK },
	{ "allow_port", NONO_LEFT, LOOPBACK },
	{ "open_port_range", NONO_LEFT, LOOPBACK },
	{ "listen_port", NONO_LEFT, LOOPBACK },
	{ "listen_port_range", NONO_LEFT, LOOPBACK },
	{ "connect_port", NONO_LEFT, "a port without a host is never allowed; write host:port into allow_domain" },
	{ "upstream_proxy", NONO_LEFT, "a proxy behind bridle " NOT_DONE "let the machine reach the hosts itself" },
	{ "external_proxy", NONO_LEFT, "a proxy behind bridle " NOT_DONE "let the machine reach the hosts itself" },
	{ "upstream_bypass", NONO_ASIDE, 0 },
	{ "external_proxy_bypass", NONO_ASIDE, 0 },
	{ "no_proxy", NONO_ASIDE, 0 }, /* grants nothing; our programs need no proxy variable */
	{ "tls_intercept", NONO_LEFT, "the CA lives as long as the sandbox and is found by every usual variable" },
	{ "approval_backends", NONO_LEFT, "nobody is asked while a request waits; what no rule allows is refused" },
	{ "approval_defaults", NONO_LEFT, "nobody is asked while a request waits; what no rule allows is refused" },
	{ 0 },
};

const struct nono_key nono_credential_keys[] = {
	{ "upstream", NONO_READ, 0 },
	{ "credential_key", NONO_READ, 0 },
	{ "auth", NONO_READ, 0 },
	{ "inject_mode", NONO_READ, 0 },
	{ "inject_header", NONO_READ, 0 },
	{ "credential_format", NONO_READ, 0 },
	{ "path_pattern", NONO_READ, 0 },
	{ "path_replacement", NONO_READ, 0 },
	{ "query_param_name", NONO_READ, 0 },
	{ "env_var", NONO_READ, 0 },
	{ "endpoint_rules", NONO_READ, 0 },
	{ "endpoint_policy", NONO_READ, 0 },
	{ "tls_ca", NONO_READ, 0 },
	{ "tls_client_cert", NONO_READ, 0 },
	{ "tls_client_key", NONO_READ, 0 },
	{ "rate_limit", NONO_UNSAFE, "limits are not done yet; take it out and import again, if it may go without" },
	{ "aws_auth", NONO_UNSAFE, "signing for AWS is not done yet; the program needs a key of its own" },
	{ "spiffe", NONO_UNSAFE, "SPIFFE " NOT_DONE "write the token into a file and name it: \"file:///path\"" },
	{ "redeem_phantoms", NONO_LEFT,
	  "tokens of other credentials are not exchanged; give each host its own credential" },
	{ "proxy", NONO_ASIDE, 0 }, /* how the program presents its placeholder; it needs none here */
	{ 0 },
};

const struct nono_key nono_auth_keys[] = {
	{ "token_url", NONO_READ, 0 },
	{ "client_id", NONO_READ, 0 },
	{ "client_secret", NONO_READ, 0 },
	{ "scope", NONO_READ, 0 },
	{ "extra_params", NONO_READ, 0 },
	{ "client_assertion", NONO_UNSAFE, "SPIFFE " NOT_DONE "use client_id and client_secret" },
	{ 0 },
};

const struct nono_key nono_domain_keys[] = {
	{ "domain", NONO_READ, 0 },
	{ "endpoints", NONO_READ, 0 },
	{ 0 },
};

const struct nono_key nono_rule_keys[] = {
	{ "method", NONO_READ, 0 },
	{ "path", NONO_READ, 0 },
	{ 0 },
};

const struct nono_key nono_policy_keys[] = {
	{ "default", NONO_READ, 0 },
	{ "deny", NONO_READ, 0 },
	{ "approve", NONO_READ, 0 },
	{ "allow", NONO_READ, 0 },
	{ 0 },
};

const struct nono_key nono_policy_rule_keys[] = {
	{ "method", NONO_READ, 0 },   { "path", NONO_READ, 0 },		 { "reason", NONO_ASIDE, 0 },
	{ "backend", NONO_ASIDE, 0 }, { "timeout_secs", NONO_ASIDE, 0 }, { 0 },
};
