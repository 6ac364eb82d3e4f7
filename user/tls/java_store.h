/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merged bundle as a Java key store. JKS, the format that every JDK since 1.2 reads whatever keystore.type says, because
 * writing it needs no decoding of the roots.
 */
#ifndef BRIDLE_TLS_JAVA_STORE_H
#define BRIDLE_TLS_JAVA_STORE_H

#include "base/str.h"

#define JAVA_STORE_PASSWORD  "changeit" /* what every JDK ships; it keeps nothing secret */
#define JAVA_STORE_ROOTS_MAX 4096

/* Writes every certificate of the PEM text into fd. 0; -EINVAL: a block that is no base64; -E2BIG; or -errno. */
int java_store_write(int fd, struct str pem);

#endif
