/*
 * probe.h - a packet from words: "tcp 10.0.0.1:1234 -> 192.0.2.1:80 setup in via lan".
 */
#ifndef WARREN_IPFW_PROBE_H
#define WARREN_IPFW_PROBE_H

#include "base/mbuf.h"
#include "net/pfil.h"

struct fw_probe {
	struct mbuf *m; /* made by probe; the caller's. rcvif, fib and flags are set */
	enum pfil_point point;
	enum pfil_dir dir;
	struct ifnet *ifp; /* by which it comes or goes; NULL = none was said */
};

/*
 * Words behind `explain`; a word may hold several. Interfaces are those of curvnet. False with a
 * line in why that names the word.
 */
bool fw_probe_parse(
    int argc, char *const argv[], struct fw_probe *probe, char *why, size_t why_len);

/* The packet in a line: "tcp 10.0.0.1:1234 -> 192.0.2.1:80 in via lan". */
struct fw_packet;
void fw_packet_text(const struct fw_packet *p, char *text, size_t len);

#endif
