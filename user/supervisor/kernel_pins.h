/* SPDX-License-Identifier: Apache-2.0 */
/* The directory below bpffs that holds what one run pinned: PIN_DIR/{links,maps,progs}/NAME, root's alone. */
#ifndef BRIDLE_SUPERVISOR_KERNEL_PINS_H
#define BRIDLE_SUPERVISOR_KERNEL_PINS_H

#include <stdbool.h>
#include <stdint.h>

#define PINS_PATH_MAX 256

/* Whether anything is pinned there. pin_dir is spelled with the sandbox's name, here as everywhere in this file. */
bool pins_exist(const char *pin_dir);

/* Makes the name of a sandbox out of that of its directory in bpffs, which cannot hold a dot. In place. */
void pins_restore_name(char *name);

/* The BRIDLE_ABI of what is pinned there, ours when there is nothing. 0 or -errno. */
int pins_read_abi(const char *pin_dir, uint32_t *ret);
uint32_t pins_own_abi(void);

/* Writes PIN_DIR/kind/name; -ENAMETOOLONG. */
int pins_path(char path[PINS_PATH_MAX], const char *pin_dir, const char *kind, const char *name);

/* Makes pin_dir and what is in it, and the directories above as needed; -EEXIST when pin_dir is there. */
int pins_make(const char *pin_dir);

/*
 * Detaches the links, then removes everything below pin_dir and pin_dir. -ENOTSUP when the pins are of another
 * BRIDLE_ABI: they are not touched. Fine when there is nothing.
 */
int pins_remove(const char *pin_dir);

/* Detaches and removes the links alone. */
int pins_remove_links(const char *pin_dir);

#endif
