/*
 * mbuf.c - where packets come from and where they go.
 *
 * A piece of memory is a header (64 bytes), the buffer, and at its very end the head of the tag
 * list. The tag list is the cold part: whether there is one is said by the top bit of m->class, so
 * a packet without tags is freed without touching any line but its header. (The bit is in class and
 * not in flags because code assigns flags as a whole.)
 *
 *	m_get, m_free -> the worker's shelf of the class, an array of free pieces
 *	      -> half a shelf at a time to and from the shared pool, under a lock
 *	      -> slabs from the system, carved into pieces; they double from 64 KiB to 4 MiB
 *
 * The limit counts pieces outside the pool: in use, or on some worker's shelf. Who finds it reached
 * first empties its own shelves, so for a single worker it is exact: m_get fails if and only if the
 * packets in use and the new one don't fit. Slabs keep to it as well.
 *
 * Built for AddressSanitizer, shelves hold nothing and every piece is malloc()ed, so that overflow
 * and use after free are seen.
 */
#include "base/mbuf.h"

#include "base/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define MBUF_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MBUF_MALLOC 1
#endif
#endif
#ifdef MBUF_MALLOC
#include <sanitizer/asan_interface.h>
#else
#define MBUF_MALLOC 0
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
	LINE = 64,
	SHELF_MAX = 512,
	TAGGED = 0x80, /* bit of m->class: the piece's tag list is not empty */
	SLAB_FIRST = 64 * 1024,
	SLAB_MAX = 4 * 1024 * 1024,
	HUGE_PAGE = 2 * 1024 * 1024,
};
#define LIMIT_DEFAULT (UINT64_C(1) << 30)

/* stride: an odd number of lines (see mbuf.h) with the header, the buffer and a pointer. */
static const struct {
	uint32_t buf_bytes;
	uint32_t stride;
	uint32_t shelf; /* pieces that a worker keeps */
} classes[M_NCLASSES] = {
	[M_CLASS_2K] = { 2048 + M_HEADROOM, 37 * LINE, 512 },
	[M_CLASS_10K] = { 10240 + M_HEADROOM, 165 * LINE, 64 },
	[M_CLASS_64K] = { 65600 + M_HEADROOM, 1029 * LINE, 16 },
	[M_CLASS_CLONE] = { 0, 3 * LINE, 512 },
};
_Static_assert(M_MAXLEN <= 65600, "the longest packet fits in the biggest class");

/*
 * Written by its worker only; others read the counters, which outlive the worker. The numbers of a
 * class lie apart from its shelf, so that all the hot ones are in two lines.
 */
struct m_cache {
	_Alignas(LINE) struct m_shelf {
		uint64_t n;  /* pieces on the shelf */
		int64_t out; /* handed out less taken back by this worker; may be negative */
	} shelf[M_NCLASSES];
	uint64_t room[M_NCLASSES]; /* pieces that may lie on the shelf; 0 while over the limit */
	uint64_t denied[M_NCLASSES];
	uint64_t too_long;
	struct mbuf *piece[M_NCLASSES][SHELF_MAX];
};
static struct m_cache caches[WORKERS_MAX];

struct slab {
	struct slab *next;
	void *base;
	size_t bytes;
};

static struct {
	pthread_mutex_t lock; /* of all that follows */
	struct {
		struct mbuf **m; /* room for every piece of the class */
		size_t n, carved;
		size_t next_slab; /* bytes */
	} class[M_NCLASSES];
	struct slab *slabs;
	uint64_t bytes; /* of all pieces carved */
	uint64_t taken; /* of the pieces outside the pool */
	uint64_t limit;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .limit = LIMIT_DEFAULT };

static inline uint8_t *
buf_start(const struct mbuf *m)
{
	return (uint8_t *)(m->owner + 1);
}

static inline enum m_class
class_of(const struct mbuf *m)
{
	/* Atomic, because the holder of a clone asks while the owner's may tag it. */
	return (enum m_class)(counter_get(&m->class) & ~TAGGED);
}

/* Pages for a slab; big ones start at a huge page's boundary so that the TLB holds them. */
static void *
slab_map(size_t bytes)
{
	size_t room = bytes >= HUGE_PAGE ? bytes + HUGE_PAGE : bytes;
	uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	if (room == bytes)
		return p;
	before = (size_t)(-(uintptr_t)p) & (HUGE_PAGE - 1);
	if (before > 0)
		munmap(p, before);
	if (before < HUGE_PAGE)
		munmap(p + before + bytes, HUGE_PAGE - before);
	madvise(p + before, bytes, MADV_HUGEPAGE);
	return p + before;
}

/* Carve a slab for the class, smaller than usual if the limit says so. Pool locked. */
static bool
pool_grow(enum m_class cls)
{
	const size_t stride = classes[cls].stride, page = 4096;
	size_t want = pool.class[cls].next_slab, pieces, carved = pool.class[cls].carved;
	struct mbuf **room;
	struct slab *slab;

	if (want == 0)
		want = stride * 4 > SLAB_FIRST ? stride * 4 : SLAB_FIRST;
	pieces = want / stride;
	if (pool.bytes + pieces * stride > pool.limit)
		pieces = pool.limit > pool.bytes ? (pool.limit - pool.bytes) / stride : 0;
	if (pieces == 0)
		return false;

	room = realloc(pool.class[cls].m, (carved + pieces) * sizeof(*room));
	if (room == NULL)
		return false;
	pool.class[cls].m = room;
	slab = malloc(sizeof(*slab));
	if (slab == NULL)
		return false;
	slab->bytes = (pieces * stride + page - 1) & ~(page - 1);
	slab->base = slab_map(slab->bytes);
	if (slab->base == NULL) {
		free(slab);
		return false;
	}
	slab->next = pool.slabs;
	pool.slabs = slab;
	pool.class[cls].carved += pieces;
	pool.class[cls].next_slab = want * 2 < SLAB_MAX ? want * 2 : SLAB_MAX;
	pool.bytes += pieces * stride;
	/* The lowest address last, so that it is taken first: untouched pages stay at the end. */
	for (size_t i = pieces; i-- > 0;)
		room[pool.class[cls].n++] = (void *)((uint8_t *)slab->base + i * stride);
	return true;
}

/* Everything came home: give the memory back to the system. Pool locked. */
static void
pool_release(void)
{
	struct slab *slab;

	while ((slab = pool.slabs) != NULL) {
		pool.slabs = slab->next;
		munmap(slab->base, slab->bytes);
		free(slab);
	}
	for (int cls = 0; cls < M_NCLASSES; cls++) {
		free(pool.class[cls].m);
		pool.class[cls].m = NULL;
		pool.class[cls].n = pool.class[cls].carved = 0;
		pool.class[cls].next_slab = 0;
	}
	pool.bytes = 0;
}

/* Move the n oldest pieces of a shelf to the pool. Pool locked. */
static void
shelf_return(struct m_cache *c, enum m_class cls, uint64_t n)
{
	struct mbuf **piece = c->piece[cls];
	uint64_t left = c->shelf[cls].n - n;

	if (n == 0)
		return;
	memcpy(pool.class[cls].m + pool.class[cls].n, piece, n * sizeof(*piece));
	pool.class[cls].n += n;
	pool.taken -= n * classes[cls].stride;
	memmove(piece, piece + n, left * sizeof(*piece));
	counter_set(&c->shelf[cls].n, left);
}

static void
cache_return(struct m_cache *c)
{
	for (int cls = 0; cls < M_NCLASSES; cls++)
		shelf_return(c, (enum m_class)cls, c->shelf[cls].n);
}

/* Pieces of the class that the limit still allows to take from the pool. Pool locked. */
static uint64_t
pool_allowance(enum m_class cls)
{
	return pool.taken < pool.limit ? (pool.limit - pool.taken) / classes[cls].stride : 0;
}

/*
 * The shelf is empty: put half a shelf of pieces there, or what there is; false (counted) if
 * nothing.
 */
static bool
shelf_refill(struct m_cache *c, enum m_class cls)
{
	struct mbuf **piece = c->piece[cls];
	uint64_t n = MBUF_MALLOC ? 1 : classes[cls].shelf / 2, allowed;

	pthread_mutex_lock(&pool.lock);
	allowed = pool_allowance(cls);
	if (allowed == 0) {
		cache_return(c);
		allowed = pool_allowance(cls);
	}
	n = n < allowed ? n : allowed;
	if (MBUF_MALLOC) {
		if (n > 0 && (piece[0] = aligned_alloc(LINE, classes[cls].stride)) == NULL)
			n = 0;
		pool.bytes += n * classes[cls].stride;
	} else {
		if (n > 0 && pool.class[cls].n == 0)
			pool_grow(cls);
		n = n < pool.class[cls].n ? n : pool.class[cls].n;
		pool.class[cls].n -= n;
		if (n > 0)
			memcpy(piece, pool.class[cls].m + pool.class[cls].n, n * sizeof(*piece));
	}
	pool.taken += n * classes[cls].stride;
	counter_set(&c->shelf[cls].n, n);
	pthread_mutex_unlock(&pool.lock);

	if (n == 0)
		counter_set(&c->denied[cls], c->denied[cls] + 1);
	return n > 0;
}

static void
cache_room(struct m_cache *c, bool open)
{
	for (int cls = 0; cls < M_NCLASSES; cls++)
		c->room[cls] = open && !MBUF_MALLOC ? classes[cls].shelf : 0;
}

struct m_cache *
m_cache_open(uint32_t id)
{
	cache_room(&caches[id], true);
	return &caches[id];
}

void
m_cache_close(struct m_cache *c)
{
	pthread_mutex_lock(&pool.lock);
	cache_return(c);
	if (pool.taken == 0)
		pool_release();
	pthread_mutex_unlock(&pool.lock);
}

/* Take a piece; its header's contents are undefined. The shelf is not empty. */
static inline struct mbuf *
shelf_take(struct m_cache *c, enum m_class cls)
{
	uint64_t n = c->shelf[cls].n - 1;

	counter_set(&c->shelf[cls].n, n);
	counter_set(&c->shelf[cls].out, c->shelf[cls].out + 1);
	return c->piece[cls][n];
}

/* The long way of giving a piece back: the shelf is full, or there is none. */
static void __attribute__((noinline))
piece_give_slow(struct m_cache *c, struct mbuf *m, enum m_class cls)
{
	pthread_mutex_lock(&pool.lock);
	if (MBUF_MALLOC) {
		pool.bytes -= classes[cls].stride;
		pool.taken -= classes[cls].stride;
		ASAN_UNPOISON_MEMORY_REGION(m, classes[cls].stride);
		free(m);
	} else if (c->room[cls] == 0) {
		pool.class[cls].m[pool.class[cls].n++] = m;
		pool.taken -= classes[cls].stride;
		if (pool.taken <= pool.limit)
			cache_room(c, true);
	} else {
		shelf_return(c, cls, classes[cls].shelf / 2);
		c->piece[cls][c->shelf[cls].n] = m;
		counter_set(&c->shelf[cls].n, c->shelf[cls].n + 1);
	}
	pthread_mutex_unlock(&pool.lock);
}

static inline void
piece_give(struct mbuf *m, enum m_class cls)
{
	struct m_cache *c = curworker->mcache;
	uint64_t n = c->shelf[cls].n;

	counter_set(&c->shelf[cls].out, c->shelf[cls].out - 1);
	m->refs = 0; /* a second m_free is noticed */
	if (unlikely(n >= c->room[cls])) {
		piece_give_slow(c, m, cls);
		return;
	}
	c->piece[cls][n] = m;
	counter_set(&c->shelf[cls].n, n + 1);
}

__attribute__((noinline)) static struct mbuf *
m_too_long(void)
{
	struct m_cache *c = curworker->mcache;

	counter_set(&c->too_long, c->too_long + 1);
	return NULL;
}

/* Make a fresh packet of a piece. Field by field, so that nothing is stored twice. */
static inline struct mbuf *
m_fresh(struct mbuf *m, enum m_class cls, uint32_t len)
{
	m->data = (uint8_t *)(m + 1) + M_HEADROOM;
	m->len = len;
	m->flags = 0;
	m->class = (uint8_t)cls;
	m->fib = 0;
	m->when_ns = curworker->now_ns;
	m->rcvif = NULL;
	m->next = NULL;
	m->nh = NULL;
	m->owner = m;
	m->flowid = 0;
	m->refs = 1;
	if (MBUF_MALLOC) {
		uint8_t *end = (uint8_t *)(m + 1) + classes[cls].buf_bytes;

		ASAN_POISON_MEMORY_REGION(end, (size_t)((uint8_t *)m + classes[cls].stride - end));
	}
	return m;
}

/* The long way: another class, or the shelf is empty. */
__attribute__((noinline)) static struct mbuf *
m_get_slow(uint32_t len)
{
	struct m_cache *c = curworker->mcache;
	enum m_class cls;

	if (len > M_MAXLEN)
		return m_too_long();
	cls = len <= 2048 ? M_CLASS_2K : len <= 10240 ? M_CLASS_10K : M_CLASS_64K;
	if (c->shelf[cls].n == 0 && !shelf_refill(c, cls))
		return NULL;
	return m_fresh(shelf_take(c, cls), cls, len);
}

struct mbuf *
m_get(uint32_t len)
{
	struct m_cache *c = curworker->mcache;

	if (unlikely(len > 2048 || c->shelf[M_CLASS_2K].n == 0))
		return m_get_slow(len);
	return m_fresh(shelf_take(c, M_CLASS_2K), M_CLASS_2K, len);
}

struct mbuf *
m_from(const void *bytes, uint32_t len)
{
	struct mbuf *m = m_get(len);

	if (m != NULL && len > 0)
		memcpy(m->data, bytes, len);
	return m;
}

/* Where the piece's tag list starts. Valid only with the TAGGED bit; poisoned but while in use. */
static inline struct m_tag **
tag_head(const struct mbuf *m)
{
	return (struct m_tag **)((uintptr_t)m + classes[class_of(m)].stride - sizeof(void *));
}

static struct m_tag *
tags_get(const struct mbuf *m)
{
	struct m_tag *tags;

	if (!(m->class & TAGGED))
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(tag_head(m), sizeof(void *));
	tags = *tag_head(m);
	ASAN_POISON_MEMORY_REGION(tag_head(m), sizeof(void *));
	return tags;
}

static void
tags_set(struct mbuf *m, struct m_tag *tags)
{
	if (tags == NULL) {
		counter_set(&m->class, (uint8_t)(m->class & ~TAGGED));
		return;
	}
	ASAN_UNPOISON_MEMORY_REGION(tag_head(m), sizeof(void *));
	*tag_head(m) = tags;
	ASAN_POISON_MEMORY_REGION(tag_head(m), sizeof(void *));
	counter_set(&m->class, (uint8_t)(m->class | TAGGED));
}

__attribute__((noinline)) static void
tags_free(struct mbuf *m)
{
	struct m_tag *t = tags_get(m), *next;

	tags_set(m, NULL);
	for (; t != NULL; t = next) {
		next = t->next;
		free(t);
	}
}

/* Give back one reference to the buffer of owner; the last one frees the piece. */
static void
owner_release(struct mbuf *owner)
{
	if (__atomic_sub_fetch(&owner->refs, 1, __ATOMIC_ACQ_REL) == 0)
		piece_give(owner, class_of(owner));
}

/* Whatever is not a packet without tags whose buffer is its own alone. */
__attribute__((noinline)) static void
m_free_slow(struct mbuf *m)
{
	struct mbuf *owner = m->owner;

	if (m->class & TAGGED)
		tags_free(m);
	if (owner != m) {
		assert(m->refs == 1);
		piece_give(m, M_CLASS_CLONE);
	}
	assert(__atomic_load_n(&owner->refs, __ATOMIC_RELAXED) != 0);
	owner_release(owner);
}

void
m_free(struct mbuf *m)
{
	if (unlikely(m == NULL))
		return;
	/* Only the holder of a reference can make more, so a 1 is ours and stays 1. */
	if (likely(m->owner == m && __atomic_load_n(&m->refs, __ATOMIC_ACQUIRE) == 1 &&
		!(m->class & TAGGED)))
		piece_give(m, (enum m_class)m->class);
	else
		m_free_slow(m);
}

/* Copy what the header says about the packet, but not where its bytes are. */
static void
header_copy(struct mbuf *to, const struct mbuf *from)
{
	to->flags = from->flags;
	to->fib = from->fib;
	to->when_ns = from->when_ns;
	to->rcvif = from->rcvif;
	to->nh = from->nh;
	to->flowid = from->flowid;
}

struct mbuf *
m_clone(struct mbuf *m)
{
	struct m_cache *cache = curworker->mcache;
	struct mbuf *c;

	if (cache->shelf[M_CLASS_CLONE].n == 0 && !shelf_refill(cache, M_CLASS_CLONE))
		return NULL;
	c = shelf_take(cache, M_CLASS_CLONE);
	__atomic_fetch_add(&m->owner->refs, 1, __ATOMIC_RELAXED);
	*c = (struct mbuf){
		.data = m->data,
		.len = m->len,
		.class = M_CLASS_CLONE,
		.owner = m->owner,
		.refs = 1,
	};
	header_copy(c, m);
	return c;
}

struct mbuf *
m_dup(const struct mbuf *m)
{
	struct mbuf *d = m_from(m->data, m->len);

	if (d == NULL)
		return NULL;
	header_copy(d, m);
	/* In the order of the original: each goes behind the one before. */
	for (const struct m_tag *t = tags_get(m), *last = NULL; t != NULL; last = t, t = t->next) {
		struct m_tag *copy = malloc(sizeof(*copy) + t->len), **end;

		if (copy == NULL) {
			m_free(d);
			return NULL;
		}
		memcpy(copy, t, sizeof(*copy) + t->len);
		copy->next = NULL;
		if (last == NULL) {
			tags_set(d, copy);
		} else {
			struct m_tag *first = tags_get(d);

			for (end = &first->next; *end != NULL; end = &(*end)->next)
				;
			*end = copy;
		}
	}
	return d;
}

/*
 * Takes m; returns its contents, header and tags in a piece of its own with n bytes more in front.
 */
static struct mbuf *
m_move(struct mbuf *m, uint32_t n)
{
	struct mbuf *d = n <= M_MAXLEN ? m_get(m->len + n) : m_too_long();

	if (d != NULL) {
		header_copy(d, m);
		if (m->len > 0)
			memcpy(d->data + n, m->data, m->len);
		tags_set(d, tags_get(m));
		tags_set(m, NULL);
	}
	m_free(m);
	return d;
}

struct mbuf *
m_unshare(struct mbuf *m)
{
	return m_writable(m) ? m : m_move(m, 0);
}

uint32_t
m_headroom(const struct mbuf *m)
{
	return (uint32_t)(m->data - buf_start(m));
}

uint32_t
m_tailroom(const struct mbuf *m)
{
	const uint8_t *end = buf_start(m) + classes[class_of(m->owner)].buf_bytes;

	return (uint32_t)(end - (m->data + m->len));
}

struct mbuf *
m_prepend(struct mbuf *m, uint32_t n)
{
	if (unlikely(!m_writable(m) || m_headroom(m) < n))
		return m_move(m, n);
	m->data -= n;
	m->len += n;
	return m;
}

void *
m_tag_add(struct mbuf *m, uint32_t type, uint32_t len)
{
	struct m_tag *t = calloc(1, sizeof(*t) + len);

	if (t == NULL)
		return NULL;
	t->type = type;
	t->len = len;
	t->next = tags_get(m);
	tags_set(m, t);
	return t + 1;
}

void *
m_tag_find(const struct mbuf *m, uint32_t type)
{
	for (struct m_tag *t = tags_get(m); t != NULL; t = t->next)
		if (t->type == type)
			return t + 1;
	return NULL;
}

void
m_tag_delete(struct mbuf *m, uint32_t type)
{
	struct m_tag *first = tags_get(m);

	for (struct m_tag **at = &first, *t; (t = *at) != NULL; at = &t->next)
		if (t->type == type) {
			*at = t->next;
			free(t);
			tags_set(m, first);
			return;
		}
}

uint64_t
m_set_limit(uint64_t bytes)
{
	struct m_cache *c = curworker != NULL ? curworker->mcache : NULL;
	uint64_t old;

	pthread_mutex_lock(&pool.lock);
	old = pool.limit;
	if (bytes != 0) {
		pool.limit = bytes;
		/* What lies on this worker's shelves was allowed by the old limit. */
		if (c != NULL) {
			cache_return(c);
			cache_room(c, pool.taken <= pool.limit);
		}
	}
	pthread_mutex_unlock(&pool.lock);
	return old;
}

void
m_stats(struct m_stats *st)
{
	*st = (struct m_stats){};
	pthread_mutex_lock(&pool.lock);
	for (int cls = 0; cls < M_NCLASSES; cls++) {
		int64_t out = 0;

		st->class[cls].buf_bytes = classes[cls].buf_bytes;
		st->class[cls].cached = pool.class[cls].n;
		for (int id = 0; id < WORKERS_MAX; id++) {
			const struct m_cache *c = &caches[id];

			out += counter_get(&c->shelf[cls].out);
			st->class[cls].cached += counter_get(&c->shelf[cls].n);
			st->class[cls].denied += counter_get(&c->denied[cls]);
		}
		st->class[cls].in_use = out > 0 ? (uint64_t)out : 0;
	}
	for (int id = 0; id < WORKERS_MAX; id++)
		st->too_long += counter_get(&caches[id].too_long);
	st->bytes = pool.bytes;
	st->limit_bytes = pool.limit;
	pthread_mutex_unlock(&pool.lock);
}

uint64_t
m_live(void)
{
	int64_t out = 0;

	for (int id = 0; id < WORKERS_MAX; id++)
		for (int cls = 0; cls < M_NCLASSES; cls++)
			out += counter_get(&caches[id].shelf[cls].out);
	return out > 0 ? (uint64_t)out : 0;
}

void
mbufq_drain(struct mbufq *q)
{
	struct mbuf *m;

	while ((m = mbufq_pop(q)) != NULL)
		m_free(m);
}

void
batch_free(struct batch *b)
{
	batch_foreach(b, m)
		m_free(m);
	b->n = 0;
}
