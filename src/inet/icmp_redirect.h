/*
 * icmp_redirect.h - redirects that come in.
 */
#ifndef WARREN_INET_ICMP_REDIRECT_H
#define WARREN_INET_ICMP_REDIRECT_H

#include "inet/icmp.h"

/* A redirect message, its checksum checked; m->data at the IP header. Takes m. */
void icmp_redirect_input(struct mbuf *m, unsigned hlen);

DROP_DECLARE(DROP_ICMP_REDIRECT);     /* not believed */
DROP_DECLARE(DROP_ICMP_REDIRECT_OFF); /* not wanted: this stack forwards, or the sysctl says so */

#endif
