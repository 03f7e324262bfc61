/*
 * mcast_reports.h - tests of what hosts say about groups: IGMPv3's and MLDv2's reports as text, and
 * a router that believes them.
 *
 *	"TO_EX 239.1.1.1 {} ALLOW 239.1.1.2 {10.0.0.5,10.0.0.6}"
 */
#ifndef WARREN_TESTS_UNIT_MCAST_REPORTS_H
#define WARREN_TESTS_UNIT_MCAST_REPORTS_H

#include "inet/ipaddr.h"

#include <stdio.h>

static inline struct ipaddr
ip(const char *text)
{
	struct ipaddr a;

	assert_true(ipaddr_aton(text, AF_UNSPEC, &a));
	return a;
}

static inline struct ipaddr
address_at(int family, const uint8_t *bytes)
{
	struct ipaddr a = { .family = (uint8_t)family };

	memcpy(a.b, bytes, family == AF_INET ? 4 : 16);
	return a;
}

/* One record of a report; returns the bytes behind it. */
struct record {
	unsigned type, n;
	struct ipaddr group;
	const uint8_t *sources;
};
static inline const uint8_t *
record_at(int family, const uint8_t *p, const uint8_t *end, struct record *r)
{
	unsigned len = family == AF_INET ? 4 : 16;

	assert_true(end - p >= 4 + (int)len);
	*r = (struct record){ .type = p[0],
		.n = (unsigned)p[2] << 8 | p[3],
		.group = address_at(family, p + 4),
		.sources = p + 4 + len };
	assert_int_equal(p[1], 0);
	assert_in_range(r->type, 1, 6);
	p = r->sources + (size_t)r->n * len;
	assert_true(p <= end);
	return p;
}

/* A report's records, p at its type, as text. */
static inline void
report_text(int family, const uint8_t *p, size_t len, char *text, size_t room)
{
	static const char *const names[] = { "", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW",
		"BLOCK" };
	unsigned n = (unsigned)p[6] << 8 | p[7], size = family == AF_INET ? 4 : 16;
	const uint8_t *end = p + len;
	char addr[IPADDR_TEXT];
	size_t used = 0;
	struct record r;

	text[0] = '\0';
	p += 8;
	for (unsigned i = 0; i < n; i++) {
		p = record_at(family, p, end, &r);
		used += (size_t)snprintf(text + used, room - used, "%s%s %s {", i > 0 ? " " : "",
		    names[r.type], ipaddr_ntoa(&r.group, addr));
		for (unsigned s = 0; s < r.n; s++) {
			const struct ipaddr source = address_at(family, r.sources + s * size);

			used += (size_t)snprintf(text + used, room - used, "%s%s", s > 0 ? "," : "",
			    ipaddr_ntoa(&source, addr));
		}
		used += (size_t)snprintf(text + used, room - used, "}");
		assert_true(used < room);
	}
	assert_ptr_equal(p, end);
}

/* --- a router that has one host --------------------------------------------------------------- */

enum { ROUTER_SOURCES = 64 };
struct router {
	bool exclude;
	struct ipaddr source[ROUTER_SOURCES];
	unsigned n;
};

static inline unsigned
router_find(const struct router *ro, const struct ipaddr *source)
{
	unsigned i = 0;

	while (i < ro->n && !ipaddr_equal(&ro->source[i], source))
		i++;
	return i;
}

static inline void
router_list(struct router *ro, const struct ipaddr *source, bool listed)
{
	unsigned i = router_find(ro, source);

	if (listed && i == ro->n) {
		assert_true(ro->n < ROUTER_SOURCES);
		ro->source[ro->n++] = *source;
	} else if (!listed && i < ro->n) {
		ro->source[i] = ro->source[--ro->n];
	}
}

static inline void
router_record(struct router *ro, int family, const struct record *r)
{
	if (r->type <= 4) {
		ro->exclude = r->type % 2 == 0;
		ro->n = 0;
	}
	for (unsigned i = 0; i < r->n; i++) {
		const struct ipaddr source = address_at(
		    family, r->sources + i * (family == AF_INET ? 4 : 16));

		/* ALLOW lists with INCLUDE and takes from EXCLUDE's list, BLOCK the reverse */
		router_list(ro, &source, r->type <= 4 || (r->type == 5) != ro->exclude);
	}
}

static inline bool
router_forwards(const struct router *ro, const struct ipaddr *source)
{
	return (router_find(ro, source) < ro->n) != ro->exclude;
}

#endif
