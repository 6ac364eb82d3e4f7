/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ex_data.h"

#include <stdlib.h>

#include <openssl/ssl.h>

static void value_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	free(ptr);
}

int tls_ex_data_index(void)
{
	return SSL_get_ex_new_index(0, NULL, NULL, NULL, value_free);
}
