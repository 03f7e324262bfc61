/*
 * names.h - words of the rule language that stand for numbers.
 *
 * The tables are the program's own: a rule file means the same on every machine, whatever its
 * /etc/services says.
 */
#ifndef WARREN_IPFW_NAMES_H
#define WARREN_IPFW_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* A list of these ends with a NULL word. Of several words for a number the first is printed. */
struct fw_word {
	const char *word;
	uint32_t value;
};

/* False: no such word. */
bool fw_name_find(const struct fw_word *names, const char *word, uint32_t *value);
/* The first word of a number; NULL. */
const char *fw_name_of(const struct fw_word *names, uint32_t value);

extern const struct fw_word fw_ether_types[];
extern const struct fw_word fw_dscps[];
extern const struct fw_word fw_unreach_codes[], fw_unreach6_codes[];
extern const struct fw_word fw_users[], fw_groups[];

/* Name of a protocol or its number 1..255. */
bool fw_protocol_find(const char *word, uint8_t *proto);

/*
 * Ports by name. proto 0 = whatever protocol has such a service; a protocol without services of its
 * own (SCTP) takes TCP's. NULL: it has no name.
 */
bool fw_service_find(const char *word, uint8_t proto, uint16_t *port);
const char *fw_service_of(uint16_t port, uint8_t proto);

#endif
