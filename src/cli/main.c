/*
 * main.c - the program. Everything is in the other files, so that tests can call it.
 */
#include "cli/cli.h"

int
main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
