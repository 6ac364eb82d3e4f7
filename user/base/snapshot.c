/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed memfd that carries a policy to a worker: a header of fixed layout, then the texts. The reader
 * trusts the supervisor, but still checks seals and lengths: a worker with a cut policy must not start.
 */
#include "base/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define SNAPSHOT_MAGIC 0x62726964736e6170ull
#define SNAPSHOT_MAX   ((size_t)16 << 20)
#define SNAPSHOT_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum snapshot_text { TEXT_FILE, TEXT_POLICY, TEXT_TRUST, TEXT_SANDBOX, TEXT_SELF_TEST, TEXT_COUNT };

struct snapshot_header {
	uint64_t magic;
	uint64_t netns_cookie;
	uint64_t sizes[TEXT_COUNT];
	uint16_t proxy_ports[SNAPSHOT_PROXY_PORTS_MAX];
	uint16_t listen_port[2];
	uint32_t tier;
	struct deadlines deadlines;
};

static int write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int snapshot_create(const struct snapshot *s)
{
	const struct str texts[TEXT_COUNT] = { s->policy_file, s->policy_text, s->trust_pem, s->sandbox, s->self_test };
	struct snapshot_header header = {
		.magic = SNAPSHOT_MAGIC,
		.netns_cookie = s->netns_cookie,
		.tier = s->tier,
		.deadlines = s->deadlines,
	};
	auto_fd int fd = memfd_create("bridle-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	memcpy(header.proxy_ports, s->proxy_ports, sizeof(header.proxy_ports));
	memcpy(header.listen_port, s->listen_port, sizeof(header.listen_port));
	for (size_t i = 0; i < TEXT_COUNT; i++)
		header.sizes[i] = texts[i].n;
	r = write_all(fd, &header, sizeof(header));
	for (size_t i = 0; i < TEXT_COUNT && r == 0; i++)
		r = write_all(fd, texts[i].p, texts[i].n);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SNAPSHOT_SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Cuts the texts out of the map; -EBADMSG unless they fill it exactly. */
static int cut_texts(const struct snapshot_header *header, const char *p, size_t n, struct str texts[TEXT_COUNT])
{
	if (header->magic != SNAPSHOT_MAGIC)
		return -EBADMSG;
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		if (header->sizes[i] > n)
			return -EBADMSG;
		texts[i] = str_make(p, header->sizes[i]);
		p += header->sizes[i];
		n -= header->sizes[i];
	}
	return n == 0 ? 0 : -EBADMSG;
}

int snapshot_map(int fd, struct snapshot *ret)
{
	const struct snapshot_header *header;
	struct str texts[TEXT_COUNT];
	struct stat st;
	void *map;
	int r, seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SNAPSHOT_SEALS) != SNAPSHOT_SEALS)
		return -EPERM; /* refuse: somebody could still change it */
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < sizeof(*header) || (size_t)st.st_size > SNAPSHOT_MAX)
		return -EBADMSG;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	header = map;
	r = cut_texts(header, (const char *)map + sizeof(*header), (size_t)st.st_size - sizeof(*header), texts);
	if (r < 0) {
		(void)munmap(map, (size_t)st.st_size);
		return r;
	}
	*ret = (struct snapshot){
		.policy_file = texts[TEXT_FILE],
		.policy_text = texts[TEXT_POLICY],
		.trust_pem = texts[TEXT_TRUST],
		.sandbox = texts[TEXT_SANDBOX],
		.self_test = texts[TEXT_SELF_TEST],
		.netns_cookie = header->netns_cookie,
		.tier = header->tier,
		.deadlines = header->deadlines,
		.map = map,
		.map_size = (size_t)st.st_size,
	};
	memcpy(ret->proxy_ports, header->proxy_ports, sizeof(ret->proxy_ports));
	memcpy(ret->listen_port, header->listen_port, sizeof(ret->listen_port));
	return 0;
}

void snapshot_unmap(struct snapshot *s)
{
	if (s->map)
		(void)munmap(s->map, s->map_size);
	*s = (struct snapshot){ 0 };
}
