/*
 * pcap.h - captures: written as pcapng by ourselves, read through libpcap.
 *
 * A capture file holds one or more interfaces (with name, link type and ns times); a packet that
 * the stack dropped carries the reason as its comment. Records are written in the order of their
 * times: in virtual time the scheduler works in windows (base/sched.h), so a capture holds records
 * back and sorts them (time, then order of arrival) when a window has passed.
 */
#ifndef WARREN_PORT_PCAP_H
#define WARREN_PORT_PCAP_H

#include "net/bpf.h"
#include "inet/in.h"
#include "inet/ipaddr.h"

struct capture;

/* A packet as a capture hands it to its reader. Everything is borrowed. */
struct capture_packet {
	const char *ifname;
	int dlt;
	uint64_t when_ns; /* of the stack's clock; clock_epoch_ns() makes it a date */
	const uint8_t *frame;
	uint32_t caplen, wirelen;
	enum bpf_dir dir;
	const char *comment; /* why it was dropped; NULL = it was not, as far as is known */
};

struct capture_config {
	const char *file; /* "-" = standard output is the caller's business: use sink */
	void (*sink)(void *ctx, const void *bytes, size_t len);    /* instead of file; NULL */
	void (*packet)(void *ctx, const struct capture_packet *p); /* instead of both; NULL */
	/*
	 * There will be no more: max_packets are written, the last interface has left, or the file
	 * can't be written. Called once at most, never out of a packet's walk, whatever the current
	 * stack is; may call capture_free. NULL
	 */
	void (*over)(void *ctx);
	void *ctx;
	const char *filter;   /* libpcap expression; NULL = all */
	uint32_t snaplen;     /* 0 = 262144 */
	uint64_t max_packets; /* the first so many, by time; 0 = no limit */
	unsigned only;        /* 1 + enum bpf_dir: packets of that direction; 0 = both */
	/*
	 * All interfaces have one link type, Ethernet: a loopback's packets get a header with zero
	 * addresses, as Linux shows them. libpcap's readers refuse files with several link types.
	 */
	bool as_ethernet;
	bool
	    drops; /* say why packets were dropped, as their comments, on the interfaces captured */
	bool flush; /* soon after each record or batch, without capture_flush: live viewers */
};
/* NULL with *why (static or until the next call): bad filter, cannot create file. */
struct capture *capture_new(const struct capture_config *c, const char **why);
/*
 * Add an interface; its name in the file is "stack:ifname". 0 or -errno. A filter with words that
 * the interface's kind of link does not have ("ether host" on a loopback) matches nothing there.
 */
int capture_add(struct capture *cap, struct ifnet *ifp);
/*
 * seen: by the taps; written: or held back to be written; dropped: for want of memory or of a
 * reader.
 */
void capture_counts(
    const struct capture *cap, uint64_t *seen, uint64_t *written, uint64_t *dropped);
/* Write out what is certain to be complete: records older than before_ns. */
void capture_flush(struct capture *cap, uint64_t before_ns);
/* Detach, write everything, close. 0 or -errno of the first write that failed. */
int capture_free(struct capture *cap);

struct bpf_program;
/*
 * Compile a filter for a link type. False with a text in why (PCAP_ERRBUF_SIZE bytes). Free with
 * pcap_freecode.
 */
bool capture_compile(int dlt, const char *filter, struct bpf_program *prog, char *why);

/*
 * A line for a packet as the verb tcpdump prints it (no newline); frame of type dlt. Returns bytes
 * written.
 */
size_t packet_line(
    char *line, size_t len, int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen);

/*
 * Replay: a capture's packets as traffic. They enter an interface as if received by it (or leave
 * it), at their own times (speed 1), faster (speed 10), or as fast as the link takes (rate given).
 */
struct replay_config {
	const char *file; /* pcap or pcapng, plain or gzipped */
	struct ifnet *ifp;
	bool transmit;     /* true: out of ifp onto its link; false: received by ifp */
	double speed;      /* 1 = own times; > 0 */
	uint64_t rate_pps; /* not 0: evenly at this rate instead of the capture's times */
	uint64_t start_ns; /* of the first packet; not before now */
	uint64_t count;    /* 0 = all */
	uint32_t loops;    /* 0, 1 = once */
	const char *filter;
	/*
	 * Address maps "10.0.0.0/8 -> 192.168.0.0/16": host bits kept; checksums are updated.
	 * Source and destination of IP headers, behind VLAN tags too; not the packets quoted in
	 * ICMP errors, nor ARP and ND messages.
	 */
	struct replay_map {
		struct ipaddr from, to; /* of one family */
		uint8_t plen;
	} map[16];
	unsigned nmaps;
	bool
	    set_dst_mac; /* destination MAC = next_mac (the router) unless it is a group, source = ifp's */
	uint8_t next_mac[6];
	bool
	    route; /* true: strip the link header, and send IP packets through ifp's stack's routing (ip forwarding path out) */
};
/*
 * read: records of the file. Each is sent, or skipped (by the filter; for a link type or protocol
 * that can't be sent in this way), or counts as an error (route: no stack could have sent it, or no
 * route).
 */
struct replay_stats {
	uint64_t read, sent, bytes, skipped_filter, skipped_type, errors;
	bool done;
};
struct replay;
/* NULL with *why (until the next call): one line with the file's name. */
struct replay *replay_new(const struct replay_config *c, const char **why);
void replay_stats(const struct replay *r, struct replay_stats *st);
/*
 * What is odd about the file (damaged in the middle: what came before is sent), one line; NULL =
 * nothing.
 */
const char *replay_note(const struct replay *r);
void replay_free(struct replay *r);

#endif
