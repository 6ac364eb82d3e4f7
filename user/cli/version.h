/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_CLI_VERSION_H
#define BRIDLE_CLI_VERSION_H

#define BRIDLE_VERSION "0.1.0"

#endif
