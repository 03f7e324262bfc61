/*
 * classify_job.c - rules compiled anew on a thread of its own, while packets and the upper half go on
 * with what they have.
 *
 *	follow: too many changes -> fw_job_start	the thread compiles the rules of that moment
 *	a later follow -> fw_job_take		it is done: what has changed since is followed from there
 *
 * A stack has one at a time; it ends with the stack. The thread reads rules that the upper half may
 * delete meanwhile: it is a reader (base/rcu.h) from before fw_job_start returns. When it is done has
 * no part in what packets meet: the verdicts are the same with either classifier.
 */
#include "ipfw/classify_internal.h"

#include "base/rcu.h"

#include <pthread.h>
#include <semaphore.h>

struct fw_job {
	pthread_t thread;
	struct vnet *vnet;
	sem_t reading;
	bool done; /* atomic */
	struct fw_compiled *compiled;
	uint64_t *keys;
	struct fw_map *map; /* the rules of that moment */
};

VNET_DEFINE_STATIC(struct fw_job *, fw_job);

bool
fw_job_is_running(void)
{
	return VNET(fw_job) != NULL;
}

static void
job_free(struct fw_job *job)
{
	vnet_free(job->keys);
	vnet_free(job->map);
	vnet_free(job);
}

static struct fw_job *
job_new(const struct fw_map *map)
{
	struct fw_job *job = vnet_malloc(sizeof(*job));

	if (job == NULL)
		return NULL;
	job->vnet = curvnet;
	job->keys = vnet_malloc(map->n * sizeof(*job->keys));
	job->map = vnet_malloc(sizeof(*map) + map->n * sizeof(map->rule[0]));
	if (job->keys == NULL || job->map == NULL) {
		job_free(job);
		return NULL;
	}
	job->map->n = map->n;
	for (uint32_t i = 0; i < map->n; i++) {
		job->map->rule[i] = map->rule[i];
		job->keys[i] = fw_rule_key(map->rule[i]);
	}
	return job;
}

static void *
job_run(void *arg)
{
	struct fw_job *job = arg;
	VNET_SCOPE(job->vnet);

	rcu_read_lock();
	sem_post(&job->reading);
	job->compiled = fw_compiled_make(job->map);
	rcu_read_unlock();
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	return NULL;
}

bool
fw_job_start(const struct fw_map *map)
{
	struct fw_job *job = job_new(map);

	if (job == NULL)
		return false;
	sem_init(&job->reading, 0, 0);
	if (pthread_create(&job->thread, NULL, job_run, job) != 0) {
		sem_destroy(&job->reading);
		job_free(job);
		return false;
	}
	while (sem_wait(&job->reading) != 0)
		continue; /* a signal */
	VNET(fw_job) = job;
	return true;
}

struct fw_compiled *
fw_job_take(bool wait, uint64_t **keys)
{
	struct fw_job *job = VNET(fw_job);
	struct fw_compiled *compiled;

	*keys = NULL;
	if (job == NULL || (!wait && !__atomic_load_n(&job->done, __ATOMIC_ACQUIRE)))
		return NULL;
	VNET(fw_job) = NULL;
	pthread_join(job->thread, NULL);
	sem_destroy(&job->reading);
	compiled = job->compiled;
	if (compiled != NULL) {
		*keys = job->keys;
		job->keys = NULL;
	}
	job_free(job);
	return compiled;
}

void
fw_job_drop(void)
{
	uint64_t *keys;

	fw_compiled_rele(fw_job_take(true, &keys));
	vnet_free(keys);
}

static void
job_end(void *arg)
{
	(void)arg;
	fw_job_drop();
}
VNET_SYSUNINIT(fw_job, SI_SUB_FIREWALL, SI_ORDER_MIDDLE, job_end, NULL);
