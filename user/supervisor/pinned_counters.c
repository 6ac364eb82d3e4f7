/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a map by its pin alone. Refuses the map of another ABI or another size: its numbers would mean something else.
 */
#include "supervisor/pinned_counters.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "bpf/abi.h"
#include "supervisor/kernel_pins.h"

static int check_layout(const char *pin_dir, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info), abi;
	int r = pins_read_abi(pin_dir, &abi);

	if (r < 0)
		return r;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	return abi == pins_own_abi() && info.value_size == sizeof(struct sandbox_counters) ? 0 : -ENOTSUP;
}

int pinned_counters_read(const char *pin_dir, struct pinned_counters *ret)
{
	struct sandbox_counters counters = { 0 };
	const uint32_t zero = 0;
	char path[PINS_PATH_MAX];
	auto_fd int fd = -1;
	int r = pins_path(path, pin_dir, "maps", "counters");

	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	r = check_layout(pin_dir, fd);
	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(fd, &zero, &counters) < 0)
		return -errno;
	*ret = (struct pinned_counters){
		.connections = counters.connections,
		.exchanges = counters.exchanges,
		.refused = counters.refusals_worker,
		.blocked = counters.refusals_kernel,
		.events_lost = counters.events_lost,
	};
	return 0;
}
