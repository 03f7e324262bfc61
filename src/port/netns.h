/*
 * netns.h - sockets in other network namespaces of the Linux that we run on.
 */
#ifndef WARREN_PORT_NETNS_H
#define WARREN_PORT_NETNS_H

/*
 * A socket in the namespace that `there` is open on (borrowed), whose life it shares from then on.
 * Needs CAP_SYS_ADMIN over there and here; without, it works where the namespace is our own. -1
 * with errno.
 */
int netns_socket(int there, int domain, int type, int protocol);

/*
 * Open a namespace by the word that a person gives: a path (/proc/1234/ns/net), the number of a
 * process in it, or a name of `ip netns`. A descriptor, or -errno.
 */
int netns_open(const char *word);

#endif
