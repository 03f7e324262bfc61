/*
 * Random packets through random pipes: an input is commands, each a byte of what and a few of how: a
 * pipe or queue configured with a type, masks, rate, limits, policy; a packet of what follows; time that
 * passes; something deleted. Whatever comes of it, each packet comes out or is counted, and nothing is
 * left behind.
 */
#include "fuzz_stack.h"

#include "dummynet/dn.h"

#include <assert.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t went_in, came_out;

static uint8_t
next(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* Each packet is freed, or given in again by another pipe, now and then. */
static void
deliver(const struct dn_door *door, struct batch *b)
{
	batch_foreach(b, m) {
		assert(m->nh == NULL);
		if (m->len % 5 == 0 && m->flowid++ < 3) {
			(void)dn_input(m, m->len % 4 + 1, m->len % 2, door);
			continue;
		}
		came_out++;
		m_free(m);
	}
	b->n = 0;
}
static const struct dn_door packets = { .name = "fuzz", .deliver = deliver };
static const struct dn_door frames = { .name = "fuzz", .deliver = deliver, .frame = true };

static void
random_mask(struct input *in, struct dn_mask *mask)
{
	const uint8_t what = next(in);

	*mask = (struct dn_mask){ .proto = what & 1 ? 0xff : 0,
		.sport = what & 2 ? 0xffff : 0,
		.dst = what & 4 ? next(in) : 0,
		.flow_id = what & 8 ? 0xffff : 0,
		.per_queue = what & 16 };
	mask->dst6.b[15] = what & 32 ? next(in) : 0;
}

struct nth {
	const struct dn_sched_part *part;
	unsigned n;
};

static void
count_down(void *ctx, const struct dn_sched_part *part, bool registered, uint32_t used)
{
	struct nth *nth = ctx;

	(void)registered, (void)used;
	if (nth->n-- == 0)
		nth->part = part;
}

static void
configure(struct input *in)
{
	struct nth nth = { .n = next(in) % 9 };
	struct dn_change c = { .set = next(in) | (uint32_t)next(in) << 8 };
	const uint32_t number = next(in) % 4 + 1;
	const char *why = "";
	int error;

	dn_sched_foreach(count_down, &nth);
	c.sched.part = nth.part;
	random_mask(in, &c.sched.mask);
	random_mask(in, &c.flowset.mask);
	c.sched.link.rate_bps = UINT64_C(1) << next(in) % 40;
	if (c.sched.link.rate_bps < 1000)
		c.sched.link.rate_bps = 0;
	c.sched.link.delay_ns = next(in) * NS_PER_MS;
	c.sched.link.burst_bytes = next(in) * UINT64_C(1000);
	c.flowset.sched = next(in) % 4 + 1;
	c.flowset.share = (struct dn_share){ next(in), next(in) * 16u, next(in) % 8 };
	c.flowset.queue_packets = next(in);
	c.flowset.queue_bytes = next(in) % 4 == 0 ? 1500 : 0;
	c.flowset.plr = (uint32_t)next(in) << 22;
	dn_aqm_defaults(&c.flowset.aqm, (enum dn_aqm_kind)(next(in) % 5));
	error = next(in) % 2 ? dn_queue_config(number, &c, &why) : dn_pipe_config(number, &c, &why);
	if (error != 0 && next(in) % 2)
		return;
	/* most of what is random is refused: at least the link and the type */
	c.set &= DN_SET_RATE | DN_SET_DELAY | DN_SET_TYPE | DN_SET_SCHED_MASK | DN_SET_BURST;
	(void)dn_pipe_config(number, &c, &why);
}

static void
packet(struct input *in)
{
	const uint8_t number = next(in), len = next(in);
	const uint32_t n = len < in->left ? len : (uint32_t)in->left;
	struct mbuf *m = m_get(n + 200);

	if (m == NULL)
		return;
	memset(m->data, 0x45, m->len);
	memcpy(m->data, in->at, n);
	m_trim(m, n + number % 200);
	in->at += n;
	in->left -= n;
	if (m->len > 0 && number % 3 == 0)
		m->data[0] = number % 2 ? 0x45 : 0x60;
	went_in++;
	(void)dn_input(m, number % 4 + 1, number & 64, number & 128 ? &frames : &packets);
}

static void
delete_one(struct input *in)
{
	const uint8_t what = next(in);

	if (what % 3 == 0)
		(void)dn_pipe_delete(what / 3 % 4 + 1);
	else if (what % 3 == 1)
		(void)dn_queue_delete(what / 3 % 4 + 1);
	else
		dn_door_close(what & 128 ? &frames : &packets);
}

static void
step(struct input *in)
{
	switch (next(in) % 8) {
	case 0:
	case 1:
		configure(in);
		break;
	case 2:
		delete_one(in);
		break;
	case 3:
		sched_run(clock_now() + (uint64_t)next(in) * next(in) * 100 * NS_PER_US);
		break;
	default:
		packet(in);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct fuzz_stack f;

	fuzz_begin(&f);
	went_in = came_out = 0;
	dn_pipe_config(1, &(struct dn_change){ 0 }, &(const char *){ NULL });
	while (in.left > 0)
		step(&in);
	sched_run(clock_now() + 3 * NS_PER_SEC);
	dn_flush();
	sched_run(clock_now() + 3 * NS_PER_SEC);
	assert(went_in == came_out + drop_total(curvnet));
	fuzz_require_bare(&f);
	fuzz_end(&f);
	return 0;
}
