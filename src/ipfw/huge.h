/*
 * huge.h - big pages for what packets read at random: a miss of the TLB costs a guest of a hypervisor
 * two walks.
 */
#ifndef WARREN_IPFW_HUGE_H
#define WARREN_IPFW_HUGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* The system's word that big pages would do for what lies in [p, p + bytes). No more than a wish. */
static inline void
fw_want_huge_pages(const void *p, size_t bytes)
{
	const uintptr_t page = 2 << 20;
	const uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1);
	const uintptr_t to = ((uintptr_t)p + bytes) & ~(page - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

#endif
