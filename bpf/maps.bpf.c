/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Defines the maps of bpf/maps.h, and the licence of the linked object. */
#include "bpf/maps.h"

struct stamps_map stamps SEC(".maps");
struct entry_map entry SEC(".maps");
struct sandboxes_map sandboxes SEC(".maps");
struct ports_map ports SEC(".maps");
struct flows_map flows SEC(".maps");
struct denials_map denials SEC(".maps");
struct denials_map denials_kernel SEC(".maps");
struct counters_map counters SEC(".maps");
struct events_map events SEC(".maps");
struct abi_map abi SEC(".maps");

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
