/*
 * netns.c - sockets in other network namespaces: over there, make the socket, and back.
 */
#include "port/netns.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino &&
	    sa.st_dev == sb.st_dev;
}

int
netns_socket(int there, int domain, int type, int protocol)
{
	int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1, error = errno;

	if (here < 0) {
		errno = error;
		return -1;
	}
	/* setns wants more rights than a socket, so it is not asked where it isn't needed */
	if (is_same(here, there)) {
		fd = socket(domain, type | SOCK_CLOEXEC, protocol);
		error = errno;
	} else if (setns(there, CLONE_NEWNET) == 0) {
		fd = socket(domain, type | SOCK_CLOEXEC, protocol);
		error = errno;
		/* To stay over there would be worse than to end. */
		if (setns(here, CLONE_NEWNET) != 0)
			err(3, "back to the network namespace");
	} else {
		error = errno;
	}
	close(here);
	errno = error;
	return fd;
}

int
netns_open(const char *word)
{
	char path[512];
	int fd, n;

	if (strchr(word, '/') != NULL)
		n = snprintf(path, sizeof(path), "%s", word);
	else if (word[0] != '\0' && strspn(word, "0123456789") == strlen(word))
		n = snprintf(path, sizeof(path), "/proc/%s/ns/net", word);
	else
		n = snprintf(path, sizeof(path), "/run/netns/%s", word);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
