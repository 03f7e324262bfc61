/*
 * sched_fq.h - what FQ_CODEL and FQ_PIE share (sched_fq.c): all but the policy of their flows' queues.
 */
#ifndef WARREN_DUMMYNET_SCHED_FQ_H
#define WARREN_DUMMYNET_SCHED_FQ_H

#include "dummynet/dn_aqm.h"

struct fq_param {
	struct dn_aqm_config aqm; /* of each flow */
	uint32_t quantum;         /* bytes a flow may send a turn */
	uint32_t limit;           /* packets in all flows together */
	uint32_t flows;
};

struct fq_flow;
struct fq_list {
	struct fq_flow *head, *tail;
};

/* An instance's own bytes. */
struct fq {
	struct fq_flow **table; /* of n flows: each is made by its first packet, and stays */
	uint32_t n;
	struct fq_list fresh, seasoned; /* RFC 8290's new and old flows */
	struct rng rng;
};

void fq_param_init(struct fq_param *p, enum dn_aqm_kind kind);
int fq_param_word(void *param, int argc, char **argv, const char **why);
void fq_param_text(const void *param, char *text, size_t len);
int fq_instance_new(struct dn_sched_instance *si);
void fq_instance_free(struct dn_sched_instance *si);
void fq_param_changed(struct dn_sched_instance *si);
void fq_enqueue(
    struct dn_sched_instance *si, struct dn_queue *none, struct mbuf *m, uint64_t now_ns);
struct mbuf *fq_dequeue(struct dn_sched_instance *si, uint64_t now_ns);

/* A part that is all of these; param_init says of which policy. */
#define FQ_PART(part_name, part_number, init)                                                      \
	{                                                                                          \
		.name = part_name, .number = part_number, .flags = DN_SCHED_OWN_QUEUES,            \
		.instance_size = sizeof(struct fq), .param_size = sizeof(struct fq_param),         \
		.param_init = init, .param_word = fq_param_word, .param_text = fq_param_text,      \
		.instance_new = fq_instance_new, .instance_free = fq_instance_free,                \
		.param_changed = fq_param_changed, .enqueue = fq_enqueue, .dequeue = fq_dequeue,   \
	}

#endif
