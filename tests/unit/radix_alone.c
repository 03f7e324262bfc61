/*
 * The radix tree as a library by itself (behaviours 47): this program and radix.c, and nothing but
 * libc. It reads no table of its own; it is one that any program could be.
 */
#include "route/radix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	struct radix_node rn;
	const char *text;
};

static int
print(struct radix_node *n, void *ctx)
{
	strcat(ctx, ((struct word *)(void *)n)->text);
	return 0;
}

int
main(void)
{
	struct word words[] = { { .text = "all " }, { .text = "ten " }, { .text = "twenty " },
		{ .text = "odd " } };
	static const uint8_t keys[4][4] = { { 0 }, { 10 }, { 20, 1 }, { 1 } };
	static const uint8_t masks[4][4] = { { 0 }, { 255 }, { 255, 255 }, { 1 } };
	struct radix_tree *t = radix_new(32);
	char said[64] = "";

	if (t == NULL)
		return 1;
	for (int i = 0; i < 4; i++)
		if (radix_insert_masked(t, &words[i].rn, keys[i], masks[i], false) != 0)
			return 1;
	radix_walk(t, print, said);
	if (strcmp(said, "all ten twenty odd ") != 0 ||
	    radix_match(t, (const uint8_t[4]){ 20, 1, 2, 3 }) != &words[2].rn ||
	    radix_match(t, (const uint8_t[4]){ 20, 2, 2, 3 }) != &words[0].rn ||
	    radix_match(t, (const uint8_t[4]){ 21, 2, 2, 3 }) != &words[3].rn)
		return 1;
	printf("%zu objects\n", radix_free(t));
	return 0;
}
