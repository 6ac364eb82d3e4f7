/* SPDX-License-Identifier: Apache-2.0 */
/* A value of ours for each SSL, for the files of this folder alone. */
#ifndef BRIDLE_TLS_EX_DATA_H
#define BRIDLE_TLS_EX_DATA_H

/*
 * For SSL_set_ex_data(): a value of malloc() that is freed with its SSL. One index for each kind of value and process. -1 when
 * memory is short.
 */
int tls_ex_data_index(void);

#endif
