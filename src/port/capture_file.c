/*
 * capture_file.c - see capture_file.h.
 */
#include "port/capture_file.h"

#include "net/ethernet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

int
capture_link_header(int dlt, const uint8_t *p, uint32_t len, unsigned *type)
{
	uint32_t skip;

	switch (dlt) {
	case DLT_EN10MB:
		if (len < ETHER_HDR_LEN_)
			return -1;
		skip = ETHER_HDR_LEN_;
		*type = (unsigned)p[12] << 8 | p[13];
		while ((*type == ETHERTYPE_VLAN_ || *type == 0x88a8) && len >= skip + 4) {
			*type = (unsigned)p[skip + 2] << 8 | p[skip + 3];
			skip += 4;
		}
		return (int)skip;
	case DLT_LINUX_SLL:
		if (len < 16)
			return -1;
		*type = (unsigned)p[14] << 8 | p[15];
		return 16;
	case DLT_LINUX_SLL2:
		if (len < 20)
			return -1;
		*type = (unsigned)p[0] << 8 | p[1];
		return 20;
	case DLT_NULL:
	case DLT_LOOP:
		skip = 4;
		break;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		skip = 0;
		break;
	default:
		return -1;
	}
	if (len <= skip)
		return -1;
	*type = p[skip] >> 4 == 4 ? ETHERTYPE_IP_ : p[skip] >> 4 == 6 ? ETHERTYPE_IPV6_ : 0;
	return *type != 0 ? (int)skip : -1;
}

static ssize_t
gz_read(void *cookie, char *buf, size_t len)
{
	return gzread(cookie, buf, (unsigned)len);
}

static int
gz_close(void *cookie)
{
	return gzclose(cookie) == Z_OK ? 0 : -1;
}

/* A plain file, or one that gzip made. NULL with a text in err. */
static FILE *
file_open(const char *name, char err[PCAP_ERRBUF_SIZE])
{
	static const cookie_io_functions_t gz_io = { .read = gz_read, .close = gz_close };
	/* not to wait for the writer of a FIFO */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t magic[2] = { 0 };
	struct stat st;
	FILE *file = NULL;
	gzFile gz;

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(err, PCAP_ERRBUF_SIZE, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(err, PCAP_ERRBUF_SIZE, "not a regular file");
	} else if (pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
		if ((gz = gzdopen(fd, "rb")) != NULL) {
			fd = -1;
			if ((file = fopencookie(gz, "rb", gz_io)) == NULL)
				gzclose(gz);
		}
		snprintf(err, PCAP_ERRBUF_SIZE, "no memory");
	} else {
		file = fdopen(fd, "rb");
		snprintf(err, PCAP_ERRBUF_SIZE, "no memory");
	}
	if (file == NULL && fd >= 0)
		close(fd);
	return file;
}

pcap_t *
capture_file_open(const char *name, char err[PCAP_ERRBUF_SIZE])
{
	FILE *file = file_open(name, err);
	pcap_t *p;

	if (file == NULL)
		return NULL;
	p = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, err);
	if (p == NULL)
		fclose(file);
	return p;
}
