/*
 * divert_sample.c - a program that takes part in the firewall: it prints a line for each packet
 * that it is shown, and lets all go on but those that it is told to drop.
 *
 *	ipfw door open divert 8668 /tmp/divert		in the stack, then here:
 *	divert_sample /tmp/divert			sees all, drops nothing
 *	divert_sample /tmp/divert drop icmp		by protocol (icmp, tcp, udp, icmp6, or a number) …
 *	divert_sample /tmp/divert drop to 10.0.0.7	… or by address: from, to
 *
 * The same program serves doors of all kinds: what `tee` and `ngtee` copy is printed only,
 * questions of `auth` are answered. It ends when the door closes. Everything is in warren-divert.h,
 * which is all that a program needs.
 */
#include "warren-divert.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What is printed and asked about, of either family. */
struct packet {
	uint8_t proto;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = { { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 }, { "icmp6", 58 } };
enum { PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

/* At the IP header. False: it is none. */
static bool
packet_read(struct packet *p, const uint8_t *ip, size_t len)
{
	if (len >= 20 && ip[0] >> 4 == 4) {
		p->proto = ip[9];
		inet_ntop(AF_INET, ip + 12, p->src, sizeof(p->src));
		inet_ntop(AF_INET, ip + 16, p->dst, sizeof(p->dst));
		return true;
	}
	if (len >= 40 && ip[0] >> 4 == 6) {
		p->proto = ip[6];
		inet_ntop(AF_INET6, ip + 8, p->src, sizeof(p->src));
		inet_ntop(AF_INET6, ip + 24, p->dst, sizeof(p->dst));
		return true;
	}
	return false;
}

static const char *
protocol_name(uint8_t number)
{
	static char text[8];

	for (int i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == number)
			return protocols[i].name;
	snprintf(text, sizeof(text), "%u", number);
	return text;
}

/* "drop" WORD, "drop" "from" ADDRESS, "drop" "to" ADDRESS, any number of them. */
static bool
is_to_be_dropped(const struct packet *p, int argc, char *const argv[])
{
	for (int i = 0; i + 1 < argc; i += 2) {
		const char *what = argv[i + 1];

		if (strcmp(what, protocol_name(p->proto)) == 0)
			return true;
		if (i + 2 >= argc || (strcmp(what, "from") != 0 && strcmp(what, "to") != 0))
			continue;
		if (strcmp(argv[i + 2], what[0] == 'f' ? p->src : p->dst) == 0)
			return true;
		i++;
	}
	return false;
}

static void
print(const struct warren_datagram *h, const struct packet *p, const char *fate)
{
	const bool in = h->direction == WARREN_IN;

	printf("%u %s %s rule %u %s %s -> %s %u bytes: %s\n", ntohs(h->number), in ? "in" : "out",
	    in ? h->recv : h->xmit, ntohs(h->rule), protocol_name(p->proto), p->src, p->dst,
	    ntohl(h->length), fate);
	fflush(stdout);
}

/* One datagram of `len` bytes; what goes back is written from the same place. */
static void
serve(int fd, uint8_t *bytes, size_t len, int argc, char *const argv[])
{
	struct warren_datagram *h = (struct warren_datagram *)(void *)bytes;
	const size_t l2 = ntohs(h->flags) & WARREN_FRAME ? 14 : 0, headers = sizeof(*h) + l2;
	struct packet p = { 0 };
	bool drop = len >= headers && packet_read(&p, bytes + headers, len - headers) &&
	    is_to_be_dropped(&p, argc, argv);

	if (h->kind == WARREN_COPY) {
		print(h, &p, "copy");
		return;
	}
	print(h, &p, drop ? "drop" : "pass");
	if (h->kind == WARREN_QUESTION) {
		h->verdict = drop ? WARREN_BLOCK : WARREN_PASS;
		len = sizeof(*h);
	} else if (drop) {
		return;
	}
	if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
		perror("divert_sample: send");
}

static int
connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	fprintf(stderr, "divert_sample: ");
	perror(path);
	exit(1);
}

int
main(int argc, char *argv[])
{
	static _Alignas(8) uint8_t bytes[WARREN_DATAGRAM_MAX];
	ssize_t n;
	int fd;

	if (argc < 2) {
		fprintf(stderr,
		    "usage: divert_sample path [drop {protocol | from address | to address}] …\n");
		return 64;
	}
	fd = connect_to(argv[1]);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		if ((size_t)n >= sizeof(struct warren_datagram) &&
		    bytes[0] == WARREN_DATAGRAM_VERSION)
			serve(fd, bytes, (size_t)n, argc - 2, argv + 2);
	close(fd);
	return n == 0 ? 0 : 1;
}
