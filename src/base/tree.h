/*
 * tree.h - libbsd's red-black trees for one file: RB_TREE_STATIC makes a tree's functions.
 *
 * libbsd's RB_GENERATE_STATIC marks them with a word that only its own <sys/cdefs.h> knows.
 */
#ifndef WARREN_BASE_TREE_H
#define WARREN_BASE_TREE_H

#include <bsd/sys/tree.h>

#define RB_TREE_FUNCTION_ static __attribute__((unused))
#define RB_TREE_STATIC(tree, node, entry, compare)                                                 \
	RB_GENERATE_INTERNAL(tree, node, entry, compare, RB_TREE_FUNCTION_)

#endif
