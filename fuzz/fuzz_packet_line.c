/*
 * Any bytes, of any link type, cut anywhere, give one printable line that fits.
 */
#include "port/pcap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int dlts[] = { 1, 0, 12, 108, 228 };
	char line[256];
	size_t room, n;

	if (len < 2)
		return 0;
	room = data[1];
	n = packet_line(
	    line, room, dlts[data[0] % 5], data + 2, (uint32_t)len - 2, (uint32_t)len - 2);
	if (room > 0 && (n >= room || line[n] != '\0'))
		abort();
	for (size_t i = 0; room > 0 && i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			abort();
	return 0;
}
