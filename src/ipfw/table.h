/*
 * table.h - look-up tables: prefixes, numbers, interfaces; each entry has a value.
 *
 * A table has a name ("1", "blocklist"); rules and packets know it by its index. Names that are numbers
 * (0 to net.inet.ip.fw.tables_max - 1) exist by themselves, others are made by `table NAME create`, or
 * by the first rule or entry that names them. Look-ups are for packets: in a reader's section, they
 * never wait.
 */
#ifndef WARREN_IPFW_TABLE_H
#define WARREN_IPFW_TABLE_H

#include "kern/vnet.h"
#include "net/in6addr.h"

struct ifnet;

enum fw_table_type { FW_TABLE_ADDR, FW_TABLE_NUMBER, FW_TABLE_IFACE, FW_TABLE_FLOW };

/* What an entry says: a number, and for `fwd` an address of either family (network order). */
struct fw_value {
	uint32_t
	    number; /* as written; an IPv4 address is in host order here, as ipfw's values are */
	struct in6 addr6;
	uint8_t family; /* of an address: AF_INET, AF_INET6; 0 = a number */
};

/*
 * Index for a name, referenced (a rule holds it); made if need be. -EINVAL no name for a table,
 * -ENOSPC there are net.inet.ip.fw.tables_max, -ENOMEM. Without references and entries it goes again,
 * if nobody has created it.
 */
int fw_table_ref(const char *name);
void fw_table_rele(uint16_t table);
const char *fw_table_name(uint16_t table); /* borrowed; "?" */

/* Longest prefix; key in network order. False: no entry. */
bool fw_table_find4(uint16_t table, uint32_t key, struct fw_value *v);
bool fw_table_find6(uint16_t table, const struct in6 *key, struct fw_value *v);
/* A number (port, uid, jail, dscp), host order: in a table of addresses it is a key of 32 bits, big-endian (behaviours 43). */
bool fw_table_find_number(uint16_t table, uint32_t key, struct fw_value *v);
bool fw_table_find_iface(uint16_t table, const struct ifnet *ifp, struct fw_value *v);

/* A flow, of a table made with `type flow`; what the table doesn't look at may be anything. */
struct fw_flow {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t proto;
	uint16_t sport, dport; /* host order */
	uint32_t src, dst;     /* network order */
	struct in6 src6, dst6;
};
bool fw_table_find_flow(uint16_t table, const struct fw_flow *flow, struct fw_value *v);

#endif
