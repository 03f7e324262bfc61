/*
 * dn_aqm.h - active queue management: a queue that drops, or marks, before it is full.
 *
 * A policy (RED, GRED, CoDel, PIE) belongs to a flowset and has a state for each of its queues. It
 * is asked when a packet comes (enqueue) and when one is about to leave (dequeue). Like schedulers
 * (dn_sched.h), policies know nothing of networks and run alone on the floor base/.
 *
 * Time waited is now - m->when_ns: while a packet waits, when_ns is the time at which it came.
 */
#ifndef WARREN_DUMMYNET_DN_AQM_H
#define WARREN_DUMMYNET_DN_AQM_H

#include "base/rng.h"
#include "dummynet/dn_sched.h"

enum dn_aqm_kind { DN_AQM_NONE, DN_AQM_RED, DN_AQM_GRED, DN_AQM_CODEL, DN_AQM_PIE };

/*
 * Parameters, as configured. Floating point only here; a queue's state is fixed point (bytes for
 * bytes the same everywhere).
 */
struct dn_aqm_config {
	enum dn_aqm_kind kind;
	bool ecn; /* mark packets that can be marked (RFC 3168) instead of dropping them */
	struct {
		double w_q, max_p;       /* 0 < … <= 1 */
		uint32_t min_th, max_th; /* packets, or bytes if the queue is limited in bytes */
		bool bytes;
		uint32_t max_pkt_size; /* net.inet.ip.dummynet.red_max_pkt_size */
		uint64_t typical_ns;   /* a typical packet's time on the link; 0 unknown */
	} red;
	struct {
		uint64_t target_ns, interval_ns; /* 5 ms, 100 ms (RFC 8289) */
	} codel;
	struct {
		uint64_t target_ns, tupdate_ns, max_burst_ns; /* 15 ms, 15 ms, 150 ms (RFC 8033) */
		double alpha, beta;                           /* 0.125, 1.25 */
		double max_ecn_prob;        /* 0.1: above it packets are dropped in spite of ecn */
		bool cap_drop, derandomise; /* on; on */
	} pie;
};

enum dn_aqm_verdict { DN_AQM_PASS, DN_AQM_MARK, DN_AQM_DROP };

/* A queue's policy at work; kinds have their own bytes behind it. */
struct dn_aqm_queue {
	const struct dn_aqm_policy *policy;
	const struct dn_aqm_config *config; /* the flowset's; borrowed */
	struct rng *rng;                    /* the instance's stream; borrowed */
	uint64_t drops, marks;
};

static inline void *
dn_aqm_own(struct dn_aqm_queue *a)
{
	return a + 1;
}

struct dn_aqm_policy {
	enum dn_aqm_kind kind;
	const char *name; /* "codel" */
	uint32_t queue_size;
	void (*queue_new)(struct dn_aqm_queue *a, uint64_t now_ns);
	/* m is about to be appended to q. Absent: passes. */
	enum dn_aqm_verdict (*enqueue)(
	    struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns);
	/* m was the head of q and is off it. Absent: passes. */
	enum dn_aqm_verdict (*dequeue)(
	    struct dn_aqm_queue *a, struct dn_queue *q, const struct mbuf *m, uint64_t now_ns);
	/* The config is another one of the same kind now. Absent: nothing to do. */
	void (*config_changed)(struct dn_aqm_queue *a);
};

/* Policies are found by themselves: one of each kind. */
#define DN_AQM_DEFINE(ident) LINKERSET_ADD(dn_aqm_policy, ident)

void dn_aqm_defaults(struct dn_aqm_config *c, enum dn_aqm_kind kind);
/* A sentence of what is wrong with it; NULL: nothing. */
const char *dn_aqm_check(const struct dn_aqm_config *c);
/*
 * A state for a queue; NULL for DN_AQM_NONE (*error 0) or without memory (-ENOMEM). Freed with
 * dn_aqm_free. c stays where it is as long as the state is there; what it says may change:
 * dn_aqm_config_changed.
 */
struct dn_aqm_queue *dn_aqm_new(
    const struct dn_aqm_config *c, struct rng *rng, uint64_t now_ns, int *error);
void dn_aqm_free(struct dn_aqm_queue *a);
/* The same in memory of the caller's, of dn_aqm_size() bytes, which needs no end. */
size_t dn_aqm_size(void);
void dn_aqm_init(
    struct dn_aqm_queue *a, const struct dn_aqm_config *c, struct rng *rng, uint64_t now_ns);
/* Takes in what *a->config has become; of another kind, the state begins anew (NONE: passes all). */
void dn_aqm_config_changed(struct dn_aqm_queue *a);

/*
 * m comes to q: true, it may be appended (marked, if that was the verdict and it could be). False:
 * drop it; counted in a->drops.
 */
bool dn_aqm_admit(struct dn_aqm_queue *a, struct dn_queue *q, struct mbuf *m, uint64_t now_ns);

/*
 * dn_aqm_words.c. A word of CoDel's or PIE's (c->kind) at argv[0], its value behind it: how many words
 * it took, 0 = not one of them, -1 with a sentence in *why; then *c is as it was.
 */
int dn_aqm_word(struct dn_aqm_config *c, int argc, char **argv, const char **why);
/* The same back as words: "target 5ms interval 100ms noecn". "" for other kinds. */
void dn_aqm_text(const struct dn_aqm_config *c, char *text, size_t len);
enum { DN_TIME_TEXT = 24 };
/* "5ms", "1500us": in the largest unit that leaves it whole. */
const char *dn_time_text(uint64_t ns, char text[DN_TIME_TEXT]);

/*
 * dn_ecn.c: set Congestion Experienced in an IPv4 or IPv6 packet that says it understands (ECT, RFC
 * 3168); the checksum is mended (RFC 1624). Its door (dn_door.h) says whether an Ethernet header
 * stands before. False: it can't be marked: not ECT, no IP, shared with others (a clone is not
 * written to).
 */
bool dn_ecn_mark(struct mbuf *m);

#endif
