/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs one leaf for one name and somebody else's public key. The name arrives from a worker that parses hostile
 * bytes, so it is checked here again: the CA signs host names and addresses and nothing else, for P-256 keys that
 * are not its own, and for no longer than it lives itself.
 */
#include <errno.h>
#include <stdlib.h>

#include "tls/ca_private.h"
#include "tls/name.h"

#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 A.1 */

static int set_common_name(X509 *leaf, const struct tls_name *name)
{
	if (name->len > COMMON_NAME_MAX)
		return 0; /* the subject stays empty and the alternative name becomes critical */
	return X509_NAME_add_entry_by_NID(X509_get_subject_name(leaf), NID_commonName, MBSTRING_UTF8,
					  (const unsigned char *)name->text, name->len, -1, 0)
		       ? 0
		       : -ENOMEM;
}

/* One dNSName or one iPAddress. */
static int set_alternative_name(X509 *leaf, const struct tls_name *name)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_STRING *value;
	int critical = name->len > COMMON_NAME_MAX, r = -ENOMEM;

	value = name->address_size ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	if (!names || !one || !value)
		goto out;
	if (!ASN1_STRING_set(value, name->address_size ? (const void *)name->address : name->text,
			     name->address_size ? name->address_size : name->len))
		goto out;
	GENERAL_NAME_set0_value(one, name->address_size ? GEN_IPADD : GEN_DNS, value);
	value = NULL;
	if (sk_GENERAL_NAME_push(names, one) <= 0)
		goto out;
	one = NULL;
	if (X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, critical, X509V3_ADD_APPEND) == 1)
		r = 0;
out:
	ASN1_STRING_free(value);
	GENERAL_NAME_free(one);
	GENERAL_NAMES_free(names);
	return r;
}

static int set_authority_key_id(X509 *leaf, const struct ca *ca)
{
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	int ok = 0;

	if (aki)
		aki->keyid = ASN1_OCTET_STRING_dup(ca->ski);
	if (aki && aki->keyid)
		ok = X509_add1_ext_i2d(leaf, NID_authority_key_identifier, aki, 0, X509V3_ADD_APPEND);
	AUTHORITY_KEYID_free(aki);
	return ok == 1 ? 0 : -ENOMEM;
}

/* From two days ago for a week, cut to the CA's own life. */
static int set_life(X509 *leaf, const struct ca *ca)
{
	const ASN1_TIME *ca_from = X509_get0_notBefore(ca->cert), *ca_to = X509_get0_notAfter(ca->cert);
	ASN1_TIME *from = X509_getm_notBefore(leaf), *to = X509_getm_notAfter(leaf);

	if (X509_cmp_current_time(ca_from) >= 0 || X509_cmp_current_time(ca_to) <= 0)
		return -EKEYEXPIRED; /* refuse: the CA itself is not valid now */
	if (!X509_gmtime_adj(from, -CA_BACKDATE_S) || !X509_gmtime_adj(to, LEAF_LIFE_S))
		return -ENOMEM;
	if (ASN1_TIME_compare(from, ca_from) < 0 && !X509_set1_notBefore(leaf, ca_from))
		return -ENOMEM;
	if (ASN1_TIME_compare(to, ca_to) > 0 && !X509_set1_notAfter(leaf, ca_to))
		return -ENOMEM;
	return 0;
}

static int set_extensions(X509 *leaf, const struct ca *ca, const struct tls_name *name)
{
	static const int usage[] = { 0 /* digitalSignature */ };
	ASN1_OCTET_STRING *id = cert_key_id(leaf);
	int r = id ? set_alternative_name(leaf, name) : -ENOMEM;

	if (r == 0)
		r = cert_set_basic_constraints(leaf, false);
	if (r == 0)
		r = cert_set_key_usage(leaf, usage, ARRAY_SIZE(usage));
	if (r == 0)
		r = cert_set_server_auth(leaf);
	if (r == 0)
		r = set_authority_key_id(leaf, ca);
	if (r == 0)
		r = cert_set_key_id(leaf, id);
	ASN1_OCTET_STRING_free(id);
	return r;
}

static int encode(const struct ca *ca, X509 *leaf, unsigned char **ret, size_t *ret_size)
{
	const EVP_MD *md = key_is_curve(ca->key, true) && !key_is_curve(ca->key, false) ? EVP_sha384() : EVP_sha256();
	const struct ca as_ca = { .cert = leaf };

	if (X509_sign(leaf, ca->key, md) <= 0)
		return -EIO;
	return ca_certificate(&as_ca, ret, ret_size);
}

int ca_sign_leaf(const struct ca *ca, struct str name_text, const unsigned char *spki, size_t spki_size,
		 unsigned char **ret, size_t *ret_size)
{
	auto_of(X509_free) X509 *leaf = NULL;
	auto_of(EVP_PKEY_free) EVP_PKEY *key = NULL;
	const unsigned char *at = spki;
	struct tls_name name;
	int r;

	if (tls_name_parse(name_text, &name) < 0)
		return -EINVAL; /* refuse: neither a host name nor an address */
	if (spki_size > INT16_MAX)
		return -EINVAL;
	key = d2i_PUBKEY(NULL, &at, (long)spki_size);
	if (!key || at != spki + spki_size || !key_is_curve(key, false))
		return -EINVAL; /* refuse: not one P-256 key */
	if (EVP_PKEY_eq(key, ca->key) == 1)
		return -EINVAL; /* refuse: a leaf with the CA's key would be the CA to some readers */
	leaf = X509_new();
	if (!leaf || !X509_set_version(leaf, X509_VERSION_3) || !X509_set_pubkey(leaf, key) ||
	    !X509_set_issuer_name(leaf, X509_get_subject_name(ca->cert)))
		return -ENOMEM;
	r = cert_set_serial(leaf);
	if (r == 0)
		r = set_life(leaf, ca);
	if (r == 0)
		r = set_common_name(leaf, &name);
	if (r == 0)
		r = set_extensions(leaf, ca, &name);
	return r < 0 ? r : encode(ca, leaf, ret, ret_size);
}
