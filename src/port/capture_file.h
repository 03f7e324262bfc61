/*
 * capture_file.h - captures read: the file, plain or gzipped, and where in a record the network
 * layer begins.
 */
#ifndef WARREN_PORT_CAPTURE_FILE_H
#define WARREN_PORT_CAPTURE_FILE_H

#include <pcap/pcap.h>
#include <stdint.h>

/* pcap or pcapng; times in ns (ts.tv_usec holds them). NULL with a text in err. pcap_close() it. */
pcap_t *capture_file_open(const char *name, char err[PCAP_ERRBUF_SIZE]);

/*
 * Bytes before the network layer by link type, VLAN tags included, and its type; -1: unknown here.
 */
int capture_link_header(int dlt, const uint8_t *p, uint32_t len, unsigned *type);

#endif
