/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that stands at /etc/ssl/certs inside a sandbox: everything the system has there, and the sandbox's
 * CA as one root more. Made and removed by the supervisor; it holds nothing secret and everybody may read it.
 */
#ifndef BRIDLE_TLS_TRUST_STORE_H
#define BRIDLE_TLS_TRUST_STORE_H

#include <stddef.h>

#define TRUST_STORE_BUNDLE   "ca-certificates.crt" /* the system's roots and the CA */
#define TRUST_STORE_CA	     "bridle-ca.pem"	   /* the CA alone */
#define TRUST_STORE_JAVA     "bridle-cacerts.jks"
#define TRUST_STORE_JAVA_DIR "java" /* holds the link cacerts to it */

/*
 * Makes dir (or fills it when it is there and empty) from /etc/ssl/certs and the system's bundle. 0, or -errno with
 * a sentence in reason; what was made until then is removed again.
 */
int trust_store_stage(const char *dir, const unsigned char *ca_der, size_t ca_size, char *reason, size_t reason_size);

/* The same from other places, for tests; bundle may be NULL. */
int trust_store_stage_from(const char *certs, const char *bundle, const char *dir, const unsigned char *ca_der,
			   size_t ca_size, char *reason, size_t reason_size);

/* Removes dir and what is beneath; follows no link. 0 (also when it is not there) or -errno. */
int trust_store_remove(const char *dir);

#endif
