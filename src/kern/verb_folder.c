/*
 * verb_folder.c - file names of a command mean what they mean where its user stands. Only the upper
 * half opens files, so for the length of the command its folder can be the process's.
 */
#include "kern/verb_folder.h"

#include <fcntl.h>
#include <unistd.h>

int
verb_folder_enter(const char *folder)
{
	int back;

	if (folder[0] == '\0')
		return -1;
	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/*
	 * A folder that we can't see: relative names must not be found, or made, somewhere else by
	 * chance.
	 */
	if (back >= 0 && chdir(folder) != 0 && chdir("/") != 0) {
		close(back);
		back = -1;
	}
	return back;
}

void
verb_folder_leave(int back)
{
	if (back < 0)
		return;
	if (fchdir(back) != 0)
		(void)!chdir("/");
	close(back);
}
