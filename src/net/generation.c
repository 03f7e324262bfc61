/*
 * generation.c - the number of generation.h.
 */
#include "net/generation.h"

VNET_DEFINE(uint32_t, generation) = 1;
