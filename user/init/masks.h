/* SPDX-License-Identifier: Apache-2.0 */
/* Directories that the command must not see, behind empty read-only file systems. */
#ifndef BRIDLE_INIT_MASKS_H
#define BRIDLE_INIT_MASKS_H

struct failure;
struct init_spec;

/* Hides one directory (a final symbolic link is followed) wherever it is mounted. 0, or -1 and *reterr. */
int mask_directory(const char *path, struct failure *reterr);

/* Every directory of spec->masks, and bridle's own where they exist. 0, or -1 and *reterr. */
int masks_apply(const struct init_spec *spec, struct failure *reterr);

#endif
