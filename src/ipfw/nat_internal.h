/*
 * nat_internal.h - instances of NAT, their links and redirects. For the files nat*.c.
 *
 * "local" is the end behind the NAT, "alias" what the outside sees of it, "remote" the other end.
 * Addresses are in network order, ports in host order; what has no ports has ports 0. All of it is
 * the stack's one worker's: no other thread reads it.
 */
#ifndef WARREN_IPFW_NAT_INTERNAL_H
#define WARREN_IPFW_NAT_INTERNAL_H

#include "base/callout.h"
#include "base/rng.h"
#include "ipfw/command.h"
#include "ipfw/nat.h"
#include "ipfw/wheel.h"

enum { NAT_NUMBER_MAX = 65535, NAT_SERVERS_MAX = 64, NAT_REDIRECTS_MAX = 4096 };

/* --- links (nat_link.c) --------------------------------------------------------------------- */

enum nat_kind {
	NAT_ICMP, /* queries; the port is their id */
	NAT_UDP,
	NAT_TCP,
	NAT_SCTP,  /* addresses only: its checksum doesn't cover them, but its ports */
	NAT_PROTO, /* other protocols: one local end for each remote one */
	NAT_FRAG,  /* a fragmented datagram: the id is the port, the protocol the remote port */
	NAT_KINDS
};

/* What a link is found by, from either side: `near` is the local end, or the alias. */
enum nat_side { NAT_OUT, NAT_IN };
struct nat_key {
	uint32_t near, far;
	uint16_t near_port, far_port; /* far_port 0, of TCP: a connection that is expected */
	uint8_t proto, kind;
	uint16_t zero;
};
_Static_assert(sizeof(struct nat_key) == 16, "it is compared by words");

enum nat_link_flag {
	NAT_LINK_SYN_OUT = 1 << 0,
	NAT_LINK_SYN_IN = 1 << 1,
	NAT_LINK_END_OUT = 1 << 2, /* FIN or RST */
	NAT_LINK_END_IN = 1 << 3,
	NAT_LINK_EXPECTED = 1 << 4, /* replaced by the connection that comes */
};
struct nat_link {
	struct nat_link *next[2]; /* of a chain, by side */
	struct nat_key key[2];
	struct fw_wheel_entry due;
	uint64_t expire_ns;
	struct nat *nat;
	struct nat_shift *shift; /* TCP whose text changed its length (nat_shift.c); NULL */
	uint8_t flags;
};

struct nat_table { /* linear hashing: each new link splits one bucket at most */
	struct nat_link **bucket;
	uint32_t buckets, room;
};

/* --- redirects (nat_redirect.c) ------------------------------------------------------------- */

enum nat_redirect_kind { NAT_REDIRECT_ADDR, NAT_REDIRECT_PORT, NAT_REDIRECT_PROTO };
struct nat_redirect {
	struct nat_redirect *next; /* as configured */
	uint8_t kind;
	uint8_t proto;
	uint32_t alias;                          /* 0 = the instance's address */
	uint32_t remote;                         /* 0 = any */
	uint16_t alias_port, remote_port, ports; /* the first one; how many. 0 = any */
	uint16_t turn, servers;                  /* whose turn it is */
	struct nat_server {
		uint32_t addr;
		uint16_t port;
	} server[]; /* several: new connections go to each in turn (RFC 2391) */
};

/* --- instances (nat.c) ---------------------------------------------------------------------- */

enum nat_option {
	NAT_OPT_LOG = 1 << 0,
	NAT_OPT_DENY_IN = 1 << 1,
	NAT_OPT_SAME_PORTS = 1 << 2,
	NAT_OPT_UNREG_ONLY = 1 << 3,
	NAT_OPT_RESET = 1 << 4,
	NAT_OPT_REVERSE = 1 << 5,
	NAT_OPT_PROXY_ONLY = 1 << 6,
	NAT_OPT_SKIP_GLOBAL = 1 << 7,
	NAT_OPT_UDP_EIM = 1 << 8,
};
/* What `nat N config` says. */
struct nat_config {
	uint32_t alias;  /* of `ip` */
	char ifname[16]; /* of `if`; "" = none */
	unsigned options;
	uint16_t port_lo, port_hi; /* 0, 0 = 0x8000..0xffff */
	struct nat_redirect *redirects;
};

struct nat {
	LIST_ENTRY(nat) link; /* by number */
	struct nat *hnext;
	uint32_t number;
	struct nat_config c;
	uint32_t alias; /* now; 0 = the interface has no address */
	struct nat_table table[2];
	uint32_t links[NAT_KINDS];
	uint32_t nlinks, n_early;
};

enum { NAT_HASH = 64 };
struct nat_stack { /* made by the first instance */
	LIST_HEAD(, nat) all;
	struct nat *hash[NAT_HASH];
	struct fw_wheel wheel;
	struct rng rng;
	uint64_t seed;
	TAILQ_HEAD(nat_early_list, nat_early) early, ripe; /* fragments that wait, or may go */
	uint32_t n_early;
	struct callout early_timer;
};
VNET_DECLARE(struct nat_stack *, nat_stack);
#define V_nat_stack VNET(nat_stack)

struct nat *nat_find(uint32_t number);
/* The instance with this configuration, made or changed; takes the redirects. 0, -ENOMEM. */
int nat_configure(uint32_t number, const struct nat_config *c);
void nat_delete(struct nat *n);
void nat_config_free(struct nat_config *c);

/* Does the instance look at p at all, and from which side does it come? */
bool nat_is_concerned(const struct nat *n, const struct fw_packet *p, enum nat_side *side);
/* What the fragments of p's datagram have in common. */
struct nat_key nat_fragment_key(const struct fw_packet *p, enum nat_side side);

/* --- nat_early.c ---------------------------------------------------------------------------- */

void nat_early_init(struct nat_stack *s);
/* The first fragment of what is k on this side has a link. */
void nat_early_ripen(struct nat *n, enum nat_side side, const struct nat_key *k);
/* The instance goes. */
void nat_early_forget(struct nat *n);

/* --- nat_link.c ----------------------------------------------------------------------------- */

static inline bool
nat_key_equal(const struct nat_key *a, const struct nat_key *b)
{
	return ((load64(a) ^ load64(b)) | (load64(&a->near_port) ^ load64(&b->near_port))) == 0;
}
struct nat_link *nat_link_find(const struct nat *n, enum nat_side side, const struct nat_key *k);
/*
 * A new link: out says the local end, in the alias; the same far ends. Both keys are free. NULL:
 * too many links in the stack, or no memory.
 */
struct nat_link *nat_link_make(struct nat *n, const struct nat_key *out, const struct nat_key *in);
/*
 * An alias port for `local` that no link to this far end has: *in gets it. False: none was free in
 * 20 tries.
 */
bool nat_port_choose(struct nat *n, struct nat_key *in, uint16_t local_port);
/* A packet of the link: it lives on. flags: of TCP's header. */
void nat_link_touch(struct nat_link *l, enum nat_side side, uint8_t tcp_flags);
void nat_link_free(struct nat_link *l);
void nat_links_free(struct nat *n);
/* The wheel's question. */
void nat_link_due(struct fw_wheel *w, struct fw_wheel_entry *e);

/* --- nat_redirect.c ------------------------------------------------------------------------- */

/*
 * From outside, nobody's yet: *out gets the local end of the most specific redirect, whose turn it
 * is; NULL asks only. False: there is none.
 */
bool nat_redirect_in(struct nat *n, const struct nat_key *in, struct nat_key *out);
/* Is the address one that stands for local ends? */
bool nat_is_alias(const struct nat *n, uint32_t addr);
/* From inside: its alias. The port is to be chosen if *any_port. */
bool nat_redirect_out(
    const struct nat *n, const struct nat_key *out, struct nat_key *in, bool *any_port);
/*
 * Words behind "redirect_port" and the like: a redirect, NULL with a line in why. *used: how many
 * words it took.
 */
struct nat_redirect *nat_redirect_parse(
    enum nat_redirect_kind kind, int argc, char **argv, int *used, char *why, size_t why_len);
/* As words that say the same; malloc'd. NULL without memory. */
char *nat_redirect_text(const struct nat_redirect *r);
/* Is it a word of `nat config`? (nat_cmd.c) */
bool nat_is_word(const char *word);

/* --- nat_rewrite.c -------------------------------------------------------------------------- */

/* A one's complement sum when bytes that it covers change (RFC 1624); len is even. */
uint16_t nat_sum_fix(uint16_t sum, const void *old, const void *new, size_t len);
/* IP header at ip: the source (or destination) becomes addr, header checksum too. */
void nat_set_addr(uint8_t *ip, bool source, uint32_t addr);
/*
 * The source (or destination) of p becomes addr and, where the kind has ports, port; checksums of
 * IP and of the protocol with them.
 */
void nat_rewrite(
    struct fw_packet *p, enum nat_kind kind, bool source, uint32_t addr, uint16_t port);

/* --- nat_icmp.c ----------------------------------------------------------------------------- */

bool nat_icmp_is_query(uint8_t type);
bool nat_icmp_is_error(uint8_t type);
/* An ICMP error that passes to this side: it and what it quotes. */
enum fw_nat_result nat_icmp_error(struct nat *n, struct fw_packet *p, enum nat_side side);

/* --- nat_shift.c ---------------------------------------------------------------------------- */

/* Numbers of the near end as the far one knows them, and acknowledgements of those back. */
uint32_t nat_shift_seq(const struct nat_shift *s, uint32_t seq);
uint32_t nat_shift_ack(const struct nat_shift *s, uint32_t ack);
/* Those of a segment on its way out, or in. */
void nat_shift_packet(const struct nat_shift *s, struct fw_packet *p, enum nat_side side);
/* len bytes from seq on (near) have become by more, or less. False without memory. */
bool nat_shift_remember(struct nat_link *l, uint32_t seq, uint32_t len, int32_t by);

/* --- nat_ftp.c ------------------------------------------------------------------------------ */

/* A segment of TCP, its ports and addresses not yet rewritten. False: no memory. */
bool nat_ftp_out(struct nat_link *l, struct fw_packet *p);

#endif
